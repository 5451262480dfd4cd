//! The developer's commands: what CI, a contributor and a release run, each under one name.
//! It hides nothing: every command that it runs is printed, so that a person can run it alone.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod bench;
mod install;
mod step;
mod test;
mod testbed;
mod tidy;
mod vm_test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The developer's commands of EHOS.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every check and test there is; those on the real bed where root is had.
    Test {
        /// Only what needs neither root nor minutes: format, lints, tidy, unit tests.
        #[arg(long)]
        fast: bool,
    },
    /// What CI runs: installs what a bare Debian 12 lacks, then `test`.
    Ci,
    /// The rules of this project that no lint knows.
    Tidy,
    /// A real HTCondor pool and a real OpenStack on this machine, as root.
    #[command(subcommand)]
    Testbed(testbed::Verb),
    /// The shipped templates on QEMU guests with systemd, without KVM, as root; it takes its time.
    VmTest {
        /// Leaves the bed up, to look into it.
        #[arg(long)]
        keep: bool,
    },
    /// Programs, templates, configuration and unit, under /usr/local or another prefix.
    Install(install::Options),
    /// A measured promise: prints its table and whether the goal was held.
    Bench {
        /// Which one; all of them, one after the other, when none is named.
        name: Option<bench::Name>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test { fast } => test::run(fast),
        Command::Ci => test::ci(),
        Command::Tidy => tidy::run(),
        Command::Testbed(verb) => testbed::run(&verb),
        Command::VmTest { keep } => vm_test::run(keep),
        Command::Install(options) => install::run(&options),
        Command::Bench { name } => bench::run(name),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
