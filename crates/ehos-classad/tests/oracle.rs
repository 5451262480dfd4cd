//! Asks the live oracle about fresh random expressions; `cargo xtask test` installs it at `target/oracle-venv`.
//!
//! Where it is not installed, this says so and compares nothing; the corpus has been compared in any case.

mod support;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ehos_classad::{Ad, Expr};

/// How many expressions a run asks about.
const COUNT: &str = "3000";

fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/oracle-venv/bin/python");
    let python = std::env::var_os("EHOS_ORACLE").map_or(target, PathBuf::from);
    python.exists().then_some(python)
}

type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Runs the oracle's script.
fn ask(python: &Path, args: &[&str], input: &str) -> Answer<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/oracle.py");
    let mut child =
        Command::new(python).arg(script).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no pipe")?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")??;
    if !output.status.success() {
        return Err("the oracle failed".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[expect(clippy::print_stderr, reason = "a test that compares nothing must say so")]
fn oracle() -> Option<PathBuf> {
    let found = python();
    if found.is_none() {
        eprintln!("SKIPPED: no oracle at target/oracle-venv (cargo xtask test installs it)");
    }
    found
}

#[test]
fn fresh_expressions_mean_the_same() -> Answer<()> {
    let Some(python) = oracle() else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seed = std::env::var("EHOS_SEED").unwrap_or_else(|_| now.to_string());
    let expressions = ask(&python, &["generate", &seed, COUNT], "")?;
    let report = support::compare(&ask(&python, &["answer"], &expressions)?);
    assert!(report.compared > 2_000, "only {} lines", report.compared);
    report.assert_none(&format!("EHOS_SEED={seed}"));
    Ok(())
}

#[test]
fn the_corpus_is_what_the_oracle_says() -> Answer<()> {
    let Some(python) = oracle() else { return Ok(()) };
    let corpus = include_str!("corpus/asked.tsv").to_owned() + include_str!("corpus/real.tsv");
    let expressions: Vec<&str> = corpus.lines().filter_map(|line| line.split('\t').next()).collect();
    let answers = ask(&python, &["answer"], &expressions.join("\n"))?;
    let now: Vec<&str> = answers.lines().collect();
    let then: Vec<&str> = corpus.lines().collect();
    assert_eq!(now, then);
    Ok(())
}

#[test]
fn real_expressions_look_at_the_same_attributes() -> Answer<()> {
    let Some(python) = oracle() else { return Ok(()) };
    let (my, _) = support::ads();
    let texts: Vec<&str> =
        include_str!("corpus/real.tsv").lines().filter_map(|line| line.split('\t').next()).collect();
    let set = |names: &str| {
        let mut names: Vec<String> =
            names.split(',').filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
        names.sort();
        names.dedup();
        names.join(",")
    };
    for line in ask(&python, &["references"], &texts.join("\n"))?.lines() {
        let [text, internal, external] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        // The attribute of what a function gives is a name to HTCondor; to us it is the function's arguments.
        if external.contains('(') {
            continue;
        }
        let found = Expr::parse(text).expect("it parses").references(&my);
        let joined = |names: Vec<String>| set(&names.join(","));
        // They name the whole of what they do not find, we the attribute that it begins with.
        let begins = |name: &str| {
            let (prefix, rest) = match name.split_once('.') {
                Some((base, rest)) if base.eq_ignore_ascii_case("TARGET") => ("TARGET.", rest),
                _ => ("", name),
            };
            let end = rest.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_');
            format!("{prefix}{}", rest.get(..end.unwrap_or(rest.len())).unwrap_or_default())
        };
        let external = external.split(',').map(begins).collect::<Vec<_>>().join(",");
        let ours_internal = joined(found.internal.iter().map(ToString::to_string).collect());
        let targets = found.target.iter().map(|name| format!("TARGET.{name}"));
        let ours_external = joined(found.external.iter().map(ToString::to_string).chain(targets).collect());
        assert_eq!((ours_internal, ours_external), (set(internal), set(&external)), "{text}");
    }
    Ok(())
}

#[test]
fn old_ads_are_printed_the_same() -> Answer<()> {
    let Some(python) = oracle() else { return Ok(()) };
    let (my, target) = support::ads();
    let both = my.to_old() + "\n" + &target.to_old();
    assert_eq!(ask(&python, &["ads"], "")?, both);
    assert_eq!(Ad::parse_old_all(&both).expect("what is printed is read"), [my, target]);
    Ok(())
}
