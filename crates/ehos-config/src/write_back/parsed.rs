//! A file as its text, its tree and its values at once, and whether a changed one says what it should.
//!
//! Deliberately compares what stands in the tree, not only what EHOS reads of it: other programs may read the file, too.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use crate::check;
use crate::document::{Document, Slot};
use crate::load;
use crate::report::{Finding, Report};
use crate::source::At;
use crate::tree::{self, Content, Node};
use crate::{Problem, Problems};

/// A file that was understood.
pub(super) struct Parsed {
    report: Report,
    pub(super) root: Node,
    pub(super) comments: Vec<Range<usize>>,
    pub(super) document: Document,
}

impl Parsed {
    /// Reads a text; that a key is unknown or a value wrong is for [`crate::load`] to say.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, Problems> {
        let mut report = Report::default();
        let root = match load::parse(path, bytes, &mut report) {
            Some((root, _)) if !report.has_errors() => root,
            _ => return Err(Problems(report.problems())),
        };
        let document = check::check(&root, 0, None, &mut report);
        report.findings.clear();
        let comments = report.sources.first().map(|source| tree::comments(&source.text)).unwrap_or_default();
        Ok(Self { report, root, comments, document })
    }

    /// Gives the text, without a byte order mark.
    pub(super) fn text(&self) -> &str {
        self.report.sources.first().map(|source| source.text.as_str()).unwrap_or_default()
    }

    /// Gives the line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text().get(..at).unwrap_or_default().matches('\n').count()
    }

    /// Says what stands in the way, with its line as it may be shown.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Problem {
        let Refusal { range, title, label, help } = refusal;
        let finding = Finding::error(Some(At { file: 0, range }), title).label(label).help(help);
        self.report.findings.clear();
        self.report.push(finding);
        let title = || "this cannot be written".to_owned();
        self.report.problems().pop().unwrap_or_else(|| Problem {
            severity: crate::Severity::Error,
            title: title(),
            place: None,
            other: None,
            help: Vec::new(),
        })
    }

    /// Lists the values that another document has otherwise, `except` not looked at.
    pub(super) fn differing(&self, other: &Self, except: &Slot) -> BTreeSet<Slot> {
        let (a, b) = (&self.document, &other.document);
        let slots = a.values.keys().chain(a.unset.keys()).chain(b.values.keys()).chain(b.unset.keys());
        let value = |document: &Document, slot: &Slot| {
            let value = document.values.get(slot).map(|setting| setting.value.clone());
            (value, document.unset.get(slot).map(|(text, _)| text.clone()))
        };
        slots.filter(|slot| *slot != except && value(a, slot) != value(b, slot)).cloned().collect()
    }
}

/// Why a value cannot be written where it belongs.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) range: Range<usize>,
    pub(super) title: String,
    pub(super) label: &'static str,
    pub(super) help: String,
}

/// What a part of a file says, without places and forms.
#[derive(Clone, PartialEq)]
pub(super) enum Plain {
    Text(String),
    List(Vec<Plain>),
    Map(Vec<(String, Plain)>),
}

impl From<&Node> for Plain {
    fn from(node: &Node) -> Self {
        match &node.content {
            Content::Scalar(text) => Self::Text(text.clone()),
            Content::List(items) => Self::List(items.iter().map(Self::from).collect()),
            Content::Map(entries) => {
                Self::Map(entries.iter().map(|entry| (entry.key.clone(), Self::from(&entry.value))).collect())
            }
        }
    }
}

impl Plain {
    /// Puts a value at a path; what is not there is made, and a text on the way gives way to a mapping.
    pub(super) fn with(self, path: &[String], value: Self) -> Self {
        let [key, rest @ ..] = path else { return value };
        let mut entries = match self {
            Self::Map(entries) => entries,
            Self::Text(_) | Self::List(_) => Vec::new(),
        };
        if let Some((_, old)) = entries.iter_mut().find(|(name, _)| name == key) {
            let before = std::mem::replace(old, Self::List(Vec::new()));
            *old = before.with(rest, value);
        } else {
            entries.push((key.clone(), Self::Map(Vec::new()).with(rest, value)));
        }
        Self::Map(entries)
    }
}
