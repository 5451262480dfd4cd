//! Builds one image for each cloud, tries a node of it, and only then writes its id into the configuration.
//!
//! Deliberately leaves nothing behind but images: whatever else it made is deleted, however it ends.

mod base;
mod build;
mod cli;
mod connect;
mod done;
mod ids;
mod image;
mod made;
mod node;
mod probe;
mod run;
mod site;
mod tidy;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    run::run(cli::Cli::parse()).await
}
