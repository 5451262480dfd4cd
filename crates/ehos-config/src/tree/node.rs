//! The parts of a file as a tree: what they say, where they stand and how they are written.
//!
//! Deliberately holds aliases and merges written out: whoever reads values need not know of them.

use std::ops::Range;

/// A part of a file.
#[derive(Clone)]
pub(crate) struct Node {
    /// What it says; of a block scalar the lines below its header, of an alias what it stands for.
    pub(crate) range: Range<usize>,
    pub(crate) content: Content,
    pub(crate) form: Form,
}

/// How a part is written; only whoever writes it anew needs to know.
#[derive(Clone, Default)]
pub(crate) struct Form {
    pub(crate) style: Style,
    pub(crate) anchored: bool,
    /// Its tag without `!!`.
    pub(crate) tag: Option<String>,
    /// Where the alias is that stands in its place.
    pub(crate) alias: Option<Range<usize>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Single,
    Double,
    /// On lines of its own: `|` and `>`, lists of `-`, mappings by indentation.
    Block,
    /// In brackets or braces.
    Flow,
}

#[derive(Clone)]
pub(crate) enum Content {
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_range: Range<usize>,
    pub(crate) value: Node,
}

impl Entry {
    /// Tells whether it comes from another mapping through `<<`.
    pub(crate) const fn is_merged(&self) -> bool {
        self.key_range.start == self.key_range.end
    }
}

impl Node {
    /// Names what it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.content {
            Content::Scalar(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// Gives the text, where it is one.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Gives the value behind a key, where it is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// Gives the entries, where it is a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// Gives the keys, where it is a mapping.
    pub(crate) fn keys(&self) -> Vec<&str> {
        match &self.content {
            Content::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            Content::Scalar(_) | Content::List(_) => Vec::new(),
        }
    }

    pub(super) fn parts(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Self::parts).sum(),
            Content::Map(entries) => entries.iter().map(|entry| 1 + entry.value.parts()).sum(),
        }
    }
}
