//! `cargo xtask bench`: the measured promises, each with its goal.
//! A benchmark compares within one run where it can, since machines differ.

mod observe;
mod plan;
mod pool;

use std::fmt;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

/// The benchmarks.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// One plan for 10 000 nodes, 1 000 groups, 20 flavors, 5 clouds.
    Plan,
    /// One observation of 10 000 slots and 100 000 idle jobs in a real pool; as root.
    Observe,
}

/// What was measured and whether it was good enough.
struct Figure {
    measured: String,
    goal: String,
    held: bool,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.held { "held" } else { "missed" };
        write!(f, "{} (goal {}) {verdict}", self.measured, self.goal)
    }
}

/// Runs one benchmark, or all. False if a goal was missed.
///
/// # Errors
/// When a benchmark cannot be run at all.
pub(crate) fn run(name: Option<Name>) -> Result<bool> {
    let names = name.map_or_else(|| Name::value_variants().to_vec(), |name| vec![name]);
    let mut held = true;
    for name in names {
        let (label, figure) = match name {
            Name::Plan => ("plan", plan::measure()?),
            Name::Observe => ("observe", observe::measure()?),
        };
        println!("{label}: {figure}");
        held &= figure.held;
    }
    Ok(held)
}

/// The number behind `key=` in a line of `key=value` words.
///
/// # Errors
/// When it is not there or no number.
fn number(line: &str, key: &str) -> Result<f64> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("no number {key}= in {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_words() -> Result<()> {
        let line = "plan_ms=12.5 reconcile_ms=3";
        assert!((number(line, "plan_ms")? - 12.5).abs() < f64::EPSILON);
        assert!((number(line, "reconcile_ms")? - 3.0).abs() < f64::EPSILON);
        assert!(number(line, "ms").is_err());
        assert!(number("plan_ms=fast", "plan_ms").is_err());
        Ok(())
    }

    #[test]
    fn the_last_line_says_whether_the_goal_was_held() {
        let figure = Figure { measured: "61.0 ms".into(), goal: "under 50 ms".into(), held: false };
        assert_eq!(figure.to_string(), "61.0 ms (goal under 50 ms) missed");
    }
}
