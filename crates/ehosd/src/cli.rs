//! The command line of `ehosd`: what it accepts and how it explains itself.
//!
//! Deliberately starts nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use ehos_terminal::duration;

const EXAMPLES: &str = "\
Examples:
  ehosd etc/demo.yaml               a pool and a cloud inside ehosd, to try it: buys nothing
  ehosd --check --online ehos.yaml  is the configuration right, does every cloud answer?
  ehosd --dry-run ehos.yaml         what would be done now, and why
  ehosd -v ehos.yaml                run, and say what is seen

Signals: TERM and INT stop after the running calls, a second one at once; HUP re-reads the configuration.
Exit status: 0 all well, 1 something failed, 2 the command line or the configuration is wrong.";

/// Grows an HTCondor pool with OpenStack servers when jobs wait, and shrinks it when they don't.
#[derive(Debug, Parser)]
#[command(name = "ehosd", version, after_help = EXAMPLES, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub(crate) struct Cli {
    /// The configuration; later files override earlier ones key by key. Without any, ehos.yaml is
    /// looked for in /etc/ehos, /usr/local/etc/ehos, etc and so on
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Say more: -v what is seen, -v -v every call with its time, -v -v -v what calls carry
    /// (secrets masked)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what is wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Read and validate the configuration, then end; nothing is connected to
    #[arg(long)]
    pub(crate) check: bool,

    /// With --check: also log in to every cloud and look up all that is named
    #[arg(long, requires = "check")]
    pub(crate) online: bool,

    /// One look, one plan, its steps, then end
    #[arg(long)]
    pub(crate) once: bool,

    /// One look, print the plan with its reasons, change nothing, end
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// End by itself after this time: 90s, 10m, 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) run_for: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
