//! The daemon: looks at an HTCondor pool and its clouds, decides, acts, and does so again when something happens.
//!
//! Deliberately thin: what is decided is decided in `ehos-scaler`.

mod check;
mod cli;
mod connect;
mod embedded;
mod execute;
mod observe;
mod report;
mod run;
mod state;
mod systemd;
mod table;
mod tick;
mod wake;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run::run(cli::Cli::parse()).await
}
