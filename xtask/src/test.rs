//! `cargo xtask test`: every check and test there is, in the order of their price.
//! It runs all of them even if one fails, and says loudly what it left out.

mod oracle;

use std::process::Command;

use anyhow::{Result, ensure};

use crate::step::Steps;
use crate::testbed::Bed;
use crate::{tidy, workspace};

fn cargo(args: &str) -> Command {
    workspace::command("cargo", args.split(' '))
}

/// Runs the steps and sums up. False if one failed.
///
/// # Errors
/// When cargo itself cannot be asked.
pub(crate) fn run(fast: bool) -> Result<bool> {
    let mut steps = Steps::default();
    steps.command("format", cargo("fmt --all --check"));
    steps.command("lints", cargo("clippy --workspace --all-targets --all-features --quiet -- -D warnings"));
    steps.action("tidy", "cargo xtask tidy", tidy::run);
    oracle::install(&mut steps)?;
    // The whole-system tests need the bed, below.
    if workspace::has("cargo-nextest", &["nextest", "--version"]) {
        steps.command("tests", cargo("nextest run --workspace --exclude ehos-tests --all-features"));
    } else {
        let args =
            "test --workspace --exclude ehos-tests --all-features --lib --bins --tests --examples --quiet";
        steps.command("tests", cargo(args));
    }
    if !fast {
        steps.command("doc tests", cargo("test --workspace --all-features --doc --quiet"));
        let mut docs = cargo("doc --workspace --no-deps --all-features --quiet");
        docs.env("RUSTDOCFLAGS", "-D warnings");
        steps.command("docs", docs);
        deny(&mut steps);
        whole_system(&mut steps)?;
    }
    Ok(steps.sum_up())
}

/// What `.ci/run` does, for whoever wants to see it here.
///
/// # Errors
/// When the script cannot be started.
pub(crate) fn ci() -> Result<bool> {
    Ok(workspace::command(".ci/run", [""; 0]).status()?.success())
}

fn deny(steps: &mut Steps) {
    if workspace::has("cargo-deny", &["--version"]) {
        steps.command("deny", cargo("deny --all-features check licenses bans sources"));
    } else {
        let why = "cargo-deny is not installed: licences and sources of dependencies stay unchecked \
                   (cargo install --locked cargo-deny)";
        steps.skip("deny", why);
    }
}

/// The tests on the bed; it is left as it was found: up if it was up.
fn whole_system(steps: &mut Steps) -> Result<()> {
    let bed = Bed::here();
    if let Some(lacks) = bed.lacks()? {
        steps.skip("whole system", &format!("this machine cannot hold the test bed\n{lacks}"));
        return Ok(());
    }
    let programs = workspace::target_directory()?.join("debug");
    let _lock = bed.lock()?;
    let was_up = bed.is_up();
    let ready = steps.action("bed", "cargo xtask testbed up", || bed.up());
    if ready {
        steps.action("whole system", "cargo build --bins && cargo test -p ehos-tests", || {
            ensure!(cargo("build --quiet --bins").status()?.success(), "the build failed");
            // One test at a time: they share the bed.
            let mut tests = cargo("test -p ehos-tests -- --nocapture --test-threads=1");
            tests.env("EHOS_BED", bed.env_file()).env("EHOS_PROGRAMS", &programs);
            println!("{}", crate::step::shown(&tests));
            Ok(tests.status()?.success())
        });
    } else {
        steps.skip("whole system", "the test bed did not come up");
    }
    if !was_up {
        steps.action("bed down", "cargo xtask testbed down", || bed.down(false));
    }
    Ok(())
}
