//! Collects what is wrong while files are read, and shows it when all secrets are known.
//!
//! Deliberately the only way from a source text to a [`Problem`]: everything passes its masks.

use secrecy::{ExposeSecret as _, SecretString};

use crate::problem::{Place, Problem, Severity};
use crate::source::{At, MASK, Source};

/// Shorter secrets are masked where they stand, but not wherever the same letters occur.
const SCRUB_MIN: usize = 6;

/// So many problems are shown; a file with more is no configuration, and nobody reads on.
const SHOWN_MAX: usize = 100;

/// One thing that is wrong, not yet masked.
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) title: String,
    pub(crate) at: Option<At>,
    pub(crate) label: String,
    pub(crate) other: Option<(At, String)>,
    pub(crate) help: Vec<String>,
}

impl Finding {
    pub(crate) fn error(at: Option<At>, title: impl Into<String>) -> Self {
        let title = title.into();
        Self { severity: Severity::Error, title, at, label: String::new(), other: None, help: Vec::new() }
    }

    pub(crate) fn warning(at: Option<At>, title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, title) }
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(crate) fn other(self, at: Option<At>, label: impl Into<String>) -> Self {
        Self { other: at.map(|at| (at, label.into())), ..self }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// All that was read and all that is wrong with it.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) sources: Vec<Source>,
    pub(crate) findings: Vec<Finding>,
    /// What must not be shown, wherever it stands.
    pub(crate) secrets: Vec<SecretString>,
}

impl Report {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Masks a part of a file.
    pub(crate) fn hide(&mut self, at: &At) {
        if let Some(source) = self.sources.get_mut(at.file) {
            source.masks.push(at.range.clone());
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Shows all findings, masked, in the order of files and lines.
    pub(crate) fn problems(&mut self) -> Vec<Problem> {
        let mut findings = std::mem::take(&mut self.findings);
        findings.sort_by_key(|finding| {
            finding.at.as_ref().map_or((usize::MAX, 0), |at| (at.file, at.range.start))
        });
        let more = findings.split_off(findings.len().min(SHOWN_MAX));
        if let Some(severity) = more.iter().map(|finding| finding.severity).min() {
            let title = format!("and {} more problems, not shown", more.len());
            findings.push(Finding { severity, ..Finding::error(None, title) });
        }
        findings.into_iter().map(|finding| self.problem(finding)).collect()
    }

    fn problem(&self, finding: Finding) -> Problem {
        let Finding { severity, title, at, label, other, help } = finding;
        Problem {
            severity,
            title: self.scrub(title),
            place: at.and_then(|at| self.place(&at, &label)),
            other: other.and_then(|(at, label)| self.place(&at, &label)),
            help: help.into_iter().map(|help| self.scrub(help)).collect(),
        }
    }

    fn place(&self, at: &At, label: &str) -> Option<Place> {
        let mut place = self.sources.get(at.file)?.place(&at.range, &self.scrub(label.to_owned()));
        let clean = self.scrub(place.shown.clone());
        if clean != place.shown {
            place.mark = 0..clean.trim_end().len();
            place.shown = clean;
        }
        Some(place)
    }

    /// Takes known secrets out of a text.
    fn scrub(&self, text: String) -> String {
        let long = |secret: &&SecretString| secret.expose_secret().len() >= SCRUB_MIN;
        self.secrets.iter().filter(long).fold(text, |text, secret| text.replace(secret.expose_secret(), MASK))
    }
}
