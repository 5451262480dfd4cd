//! Tells which values differ between two configurations.
//!
//! Deliberately never tells a secret: of those only that they changed.

use std::fmt;

use crate::Config;

/// A value that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which, `ehos_daemon.nodes_max` for example.
    pub key: String,
    /// From what to what, both as in the file; `None` for a secret.
    pub values: Option<(String, String)>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some((old, new)) => write!(f, "{}: {old} -> {new}", self.key),
            None => write!(f, "{}: changed", self.key),
        }
    }
}

/// Lists the values that differ, defaults included.
#[must_use]
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    old.document.changes(&new.document)
}
