//! Prints the value of a ClassAd expression: `classad_eval EXPR [--my FILE] [--target FILE]`.
//!
//! Deliberately asks the system's clock and nothing else; files hold one ad, in the old or the new syntax.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use ehos_classad::{Ad, Context, Expr};

const USAGE: &str = "usage: classad_eval EXPR [--my FILE] [--target FILE]";

fn ad(option: &str, file: Option<String>) -> Result<Ad, String> {
    let file = file.ok_or_else(|| format!("{option} needs a file\n{USAGE}"))?;
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    text.parse().map_err(|error| format!("{file}: {error}"))
}

fn run() -> Result<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut context = Context::new(seconds).seed(u64::from(now.subsec_nanos()));
    let mut expr = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--my" => context = context.my(&ad("--my", args.next())?),
            "--target" => context = context.target(&ad("--target", args.next())?),
            "--help" | "-h" => return Ok(USAGE.to_owned()),
            text if expr.is_none() => {
                expr = Some(Expr::parse(text).map_err(|error| format!("{text}: {error}"))?);
            }
            other => return Err(format!("unexpected argument '{other}'\n{USAGE}")),
        }
    }
    let expr = expr.ok_or(USAGE)?;
    Ok(context.evaluate(&expr).to_string())
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's answer and its errors")]
fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}
