//! Measures what evaluating and parsing a usual `Requirements` takes.
//!
//! Run it with `--release`; it takes some seconds.

use std::hint::black_box;
use std::time::Instant;

use ehos_classad::{Ad, Context, Expr, ParseError, matches};

#[expect(clippy::print_stdout, reason = "a command's answer")]
fn report(what: &str, rounds: u32, mut once: impl FnMut()) {
    let start = Instant::now();
    (0..rounds).for_each(|_| once());
    println!("{what:44} {:8.2} µs", start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds));
}

fn main() -> Result<(), ParseError> {
    let my_text = include_str!("../tests/corpus/my.ad");
    let mut target = Ad::parse_old(include_str!("../tests/corpus/target.ad"))?;
    let my = Ad::parse_old(my_text)?;
    // A startd's ad has about 200 attributes.
    for index in 0..140 {
        target.insert(format!("FillerAttribute{index}").as_str(), Expr::parse("1234")?);
    }
    let context = Context::new(1_700_000_000).my(&my).target(&target);
    let text = my.get("Requirements").map(ToString::to_string).unwrap_or_default();
    let requirements = Expr::parse(&text)?;
    report("evaluate Requirements, context at hand", 500_000, || {
        black_box(context.evaluate(black_box(&requirements)));
    });
    report("matches(job, slot)", 500_000, || {
        black_box(matches(black_box(&my), black_box(&target), &context));
    });
    report("parse Requirements", 100_000, || {
        black_box(Expr::parse(black_box(&text)).is_ok());
    });
    report("parse a job ad", 10_000, || {
        black_box(Ad::parse_old(black_box(my_text)).is_ok());
    });
    report("references of Requirements", 100_000, || {
        black_box(requirements.references(black_box(&my)));
    });
    Ok(())
}
