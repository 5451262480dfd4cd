//! Where the workspace lies and what cargo knows of it.
//! It reads only; nothing here builds or changes a file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo says it when it runs us; the compiled-in path is for a bare `target/debug/xtask`.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// A command that runs in the root of the workspace and never waits for a keyboard.
pub(crate) fn command<I, S>(program: &str, args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// Whether `program` can be started at all.
pub(crate) fn has(program: &str, args: &[&str]) -> bool {
    command(program, args).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// What a command prints.
///
/// # Errors
/// When it cannot be started or fails; its own words are part of the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = crate::step::shown(command);
    let done = command.output().with_context(|| format!("cannot start {shown}"))?;
    ensure!(
        done.status.success(),
        "{shown}: {}: {}",
        done.status,
        String::from_utf8_lossy(&done.stderr).trim_end()
    );
    String::from_utf8(done.stdout).with_context(|| format!("{shown} printed no UTF-8"))
}

/// `cargo metadata` of the workspace's own packages, without their dependencies.
///
/// # Errors
/// When cargo fails.
pub(crate) fn metadata() -> Result<Value> {
    let text = output(&mut command("cargo", ["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata printed no JSON")
}

/// Where cargo puts what it builds.
///
/// # Errors
/// When cargo fails.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = metadata()?;
    let path = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(path))
}

/// The files that git knows or would take in, relative to the root, sorted.
///
/// # Errors
/// When this is no git checkout.
pub(crate) fn files() -> Result<Vec<String>> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let mut files: Vec<String> = output(&mut command("git", args))?.lines().map(str::to_owned).collect();
    files.sort();
    files.dedup();
    // A file deleted but not yet committed is still in the index.
    files.retain(|file| root().join(file).is_file());
    Ok(files)
}
