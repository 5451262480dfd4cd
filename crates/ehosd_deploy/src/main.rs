//! Makes cloud accounts ready, puts a master into one of them and EHOS onto it, and takes all of it down again.
//!
//! Deliberately may be run again at any time: each step looks first whether its work is done.

mod access;
mod bundle;
mod cli;
mod destroy;
mod master;
mod remote;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run::run(cli::Cli::parse()).await
}
