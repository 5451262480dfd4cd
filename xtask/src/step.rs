//! Runs steps one after the other and sums up: name, verdict, wall time.
//! A failed step does not stop the next: one run shows everything that is wrong.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended.
pub(crate) enum Verdict {
    /// It held.
    Passed,
    /// It did not; the step itself has said why.
    Failed,
    /// It was not run, and why.
    Skipped(String),
}

/// The steps that have run.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<(String, Verdict, Duration)>,
}

impl Steps {
    /// Runs a command; its exit status is the verdict.
    pub(crate) fn command(&mut self, name: &str, mut command: Command) -> bool {
        let shown = shown(&command);
        self.action(name, &shown, || Ok(command.status()?.success()))
    }

    /// Runs a function; `shown` is the command line that does the same.
    pub(crate) fn action(&mut self, name: &str, shown: &str, run: impl FnOnce() -> Result<bool>) -> bool {
        println!("\n=== {name}: {shown}");
        let start = Instant::now();
        let passed = run().unwrap_or_else(|error| {
            println!("error: {error:#}");
            false
        });
        let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
        self.rows.push((name.to_owned(), verdict, start.elapsed()));
        passed
    }

    /// Notes a step that is not run.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("\n=== {name}: SKIPPED\n{why}");
        self.rows.push((name.to_owned(), Verdict::Skipped(why.to_owned()), Duration::ZERO));
    }

    /// Prints the closing table; the last line is `N passed, N failed`. True if nothing failed.
    pub(crate) fn sum_up(&self) -> bool {
        println!("\n{}", self.table());
        !self.rows.iter().any(|(_, verdict, _)| matches!(verdict, Verdict::Failed))
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max("total".len());
        let mut lines = Vec::new();
        for (name, verdict, took) in &self.rows {
            let seconds = took.as_secs_f64();
            lines.push(match verdict {
                Verdict::Passed => format!("{name:width$}  {seconds:8.1} s  passed"),
                Verdict::Failed => format!("{name:width$}  {seconds:8.1} s  FAILED"),
                Verdict::Skipped(why) => {
                    format!("{name:width$}         -    SKIPPED: {}", why.lines().next().unwrap_or_default())
                }
            });
        }
        let total: Duration = self.rows.iter().map(|(.., took)| *took).sum();
        lines.push(format!("{:width$}  {:8.1} s", "total", total.as_secs_f64()));
        let passed = self.rows.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Passed)).count();
        let failed = self.rows.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Failed)).count();
        lines.push(format!("{passed} passed, {failed} failed"));
        lines.join("\n")
    }
}

/// A command as one would type it, its own environment variables in front.
pub(crate) fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(key, value)| {
        Some(format!("{}={}", key.to_string_lossy(), quoted(&value?.to_string_lossy())))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    variables.chain(words.map(|word| quoted(&word.to_string_lossy()))).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("cargo");
        command.args(["doc", "a b", "it's", ""]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc 'a b' 'it'\''s' ''");
    }

    #[test]
    fn the_last_line_counts_and_a_failure_is_a_failure() {
        let mut steps = Steps::default();
        steps.action("good", "true", || Ok(true));
        steps.action("bad", "false", || Ok(false));
        steps.action("worse", "-", || anyhow::bail!("no such program"));
        steps.skip("dear", "needs root\nand more");
        let table = steps.table();
        assert_eq!(table.lines().last(), Some("1 passed, 2 failed"));
        assert!(table.contains("SKIPPED: needs root\n"));
        assert!(!steps.sum_up());
    }

    #[test]
    fn skipping_alone_is_no_failure() {
        let mut steps = Steps::default();
        steps.skip("dear", "needs root");
        assert!(steps.sum_up());
    }
}
