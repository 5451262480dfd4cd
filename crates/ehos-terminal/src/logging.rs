//! What is written to the log, how much of it, and in which form.
//!
//! Deliberately silent about other crates below warnings: some of them print secrets at their debug level.

use std::io::{self, IsTerminal as _, Write as _};

use env_logger::{Builder, Target, WriteStyle};
use indicatif::MultiProgress;
use log::{Level, LevelFilter};

/// Target of the lines that tell what was decided; shown even without `-v`.
pub const DECISION: &str = "decision";

/// How many times `-v` was given, or `-q`.
#[derive(Clone, Copy, Debug)]
pub enum Verbosity {
    /// `-q`: only what is wrong.
    Quiet,
    /// `-v`, so many times.
    Level(u8),
}

/// Where log lines go.
pub enum Sink {
    /// Standard error as it is.
    Stderr,
    /// Above the live table.
    Above(MultiProgress),
}

/// Starts logging for the whole process.
///
/// # Errors
/// Where it has been started before.
pub fn start_log(verbosity: Verbosity, sink: Sink) -> anyhow::Result<()> {
    let (decisions, ours) = match verbosity {
        Verbosity::Quiet => (LevelFilter::Warn, LevelFilter::Warn),
        Verbosity::Level(0) => (LevelFilter::Info, LevelFilter::Warn),
        Verbosity::Level(1) => (LevelFilter::Info, LevelFilter::Info),
        Verbosity::Level(2) => (LevelFilter::Debug, LevelFilter::Debug),
        Verbosity::Level(_) => (LevelFilter::Trace, LevelFilter::Trace),
    };
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Error).filter_module(DECISION, decisions).filter_module("ehos", ours);
    // systemd sets this for services whose standard error is the journal.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal();
    // Whoever asks for the time of every call wants to set it against other logs.
    let digits = if ours >= LevelFilter::Debug { 3 } else { 0 };
    builder.format(move |out, record| {
        if journal {
            return writeln!(out, "<{}>{}", priority(record.level(), record.target()), record.args());
        }
        let now = stamp(jiff::Timestamp::now(), digits);
        match record.level() {
            Level::Error | Level::Warn => {
                let style = out.default_level_style(record.level());
                let word = if record.level() == Level::Error { "error" } else { "warning" };
                writeln!(out, "{now} {style}{word}:{style:#} {}", record.args())
            }
            _ => writeln!(out, "{now} {}", record.args()),
        }
    });
    if let Sink::Above(table) = sink {
        if std::env::var_os("NO_COLOR").is_none() {
            // It is a terminal, which a pipe to it hides.
            builder.write_style(WriteStyle::Always);
        }
        builder.target(Target::Pipe(Box::new(AboveTable { table, line: Vec::new() })));
    }
    builder.try_init()?;
    Ok(())
}

/// Writes a moment with so many digits after the second, always as many: the lines stand below each other.
fn stamp(at: jiff::Timestamp, digits: usize) -> String {
    format!("{at:.digits$}")
}

/// The syslog priority that the journal files a line under.
fn priority(level: Level, target: &str) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info if target == DECISION => 5,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Writes whole lines above the live table instead of through it.
struct AboveTable {
    table: MultiProgress,
    line: Vec<u8>,
}

impl io::Write for AboveTable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            self.table.println(String::from_utf8_lossy(line.trim_ascii_end()))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_files_decisions_above_what_was_seen() {
        assert_eq!(priority(Level::Warn, "ehosd"), 4);
        assert_eq!(priority(Level::Info, DECISION), 5);
        assert_eq!(priority(Level::Info, "ehosd::tick"), 6);
    }
    #[test]
    fn every_line_begins_with_as_many_characters() {
        let at = |nanos| jiff::Timestamp::new(1_795_394_895, nanos).unwrap();
        assert_eq!(stamp(at(120_000_000), 3), "2026-11-23T00:48:15.120Z", "a nought at the end stays");
        assert_eq!(stamp(at(0), 3), "2026-11-23T00:48:15.000Z");
        assert_eq!(stamp(at(999_000_000), 0), "2026-11-23T00:48:15Z", "no second is told before its time");
    }
}
