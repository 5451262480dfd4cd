//! Installs the oracle of `ehos-classad`: HTCondor's own ClassAd library, with pip, in a virtual environment.
//!
//! Deliberately of one version, whose answers the corpus holds; where it cannot be had that is said, and the tests
//! that ask it skip themselves.

use anyhow::Result;

use crate::step::Steps;
use crate::workspace;

/// The version that `crates/ehos-classad/tests/corpus` was made with.
const VERSION: &str = "25.14.1";

/// Makes `target/oracle-venv`, if it is not there yet.
///
/// # Errors
/// When cargo cannot say where the target directory is.
pub(super) fn install(steps: &mut Steps) -> Result<()> {
    let venv = workspace::target_directory()?.join("oracle-venv");
    let marker = venv.join(format!("htcondor-{VERSION}"));
    if marker.exists() {
        return Ok(());
    }
    let skip = |steps: &mut Steps, why: &str| {
        steps.skip(
            "oracle",
            &format!("{why}: ClassAds are compared with the corpus only, not with live HTCondor"),
        );
    };
    if !workspace::has("python3", &["-m", "venv", "--help"]) {
        skip(steps, "python3 has no venv");
        return Ok(());
    }
    let run = |program: &str, args: &[&str]| {
        workspace::command(program, args).status().is_ok_and(|status| status.success())
    };
    let package = format!("htcondor=={VERSION}");
    let (folder, pip) = (venv.to_string_lossy(), venv.join("bin/pip"));
    let args = ["install", "--quiet", "--disable-pip-version-check", "--retries", "1", &package];
    if !run("python3", &["-m", "venv", &folder]) || !run(&pip.to_string_lossy(), &args) {
        skip(steps, &format!("pip cannot install {package}"));
        return Ok(());
    }
    std::fs::write(marker, "")?;
    Ok(())
}
