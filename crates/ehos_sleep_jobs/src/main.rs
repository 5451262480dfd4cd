//! Puts test jobs that sleep into the queue, and follows them to their end if asked to.
//!
//! Deliberately thin: the pool behind it is the one the daemon works with.

mod cli;
mod submit;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args_os().len() == 1 {
        return match cli::Cli::command().print_long_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    submit::run(cli::Cli::parse()).await
}
