//! `cargo xtask tidy`: the rules of this project that no lint knows.
//! It finds and says what to do; it changes nothing.

mod arrows;
mod links;
mod sources;
mod versions;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::workspace;

/// One place that breaks a rule, or (`warning`) soon will.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    file: String,
    /// From 1.
    line: usize,
    what: String,
    todo: &'static str,
    warning: bool,
}

impl Finding {
    fn error(file: &str, line: usize, what: impl Into<String>, todo: &'static str) -> Finding {
        Finding { file: file.to_owned(), line, what: what.into(), todo, warning: false }
    }

    fn warning(file: &str, line: usize, what: impl Into<String>, todo: &'static str) -> Finding {
        Finding { warning: true, ..Finding::error(file, line, what, todo) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{}, {}", self.file, self.line, self.what, self.todo)
    }
}

/// Prints every finding. False if one of them is more than a warning.
///
/// # Errors
/// When git or cargo cannot be asked, or a file cannot be read.
pub(crate) fn run() -> Result<bool> {
    let root = workspace::root();
    let read = |file: &str| {
        std::fs::read(root.join(file))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .with_context(|| format!("cannot read {file}"))
    };
    let files = workspace::files()?;
    let mut findings = arrows::check(&read("ARCHITECTURE.md")?, &workspace::metadata()?, &root);
    for file in &files {
        if sources::reads(file) {
            findings.extend(sources::check(file, &read(file)?));
        }
        if is(file, "md") {
            findings.extend(links::check(file, &read(file)?, &|target| root.join(target).exists()));
        }
    }
    findings.extend(versions::check(&read("Cargo.lock")?, &read("deny.toml")?));
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    println!("tidy: {} files, {errors} errors, {} warnings", files.len(), findings.len() - errors);
    Ok(errors == 0)
}

/// Whether `file` ends in `.end`.
fn is(file: &str, end: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == end)
}
