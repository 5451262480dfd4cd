//! Lines, blanks and comments of a text: where something may be put without touching anything else.
//!
//! Deliberately without a word on what is put there.

use std::ops::Range;

use super::parsed::Parsed;
use crate::tree::{Content, Node, Style};

impl Parsed {
    /// Gives a part of the text.
    pub(super) fn slice(&self, range: Range<usize>) -> &str {
        self.text().get(range).unwrap_or_default()
    }

    /// Tells whether a comment begins in a range.
    pub(super) fn has_comment(&self, range: &Range<usize>) -> bool {
        self.comments.iter().any(|comment| range.contains(&comment.start))
    }

    /// Finds the end of what stands in a range, comments and blanks behind it left out.
    pub(super) fn tail(&self, start: usize, end: usize) -> usize {
        let mut end = end;
        loop {
            end = start + self.slice(start..end).trim_end_matches([' ', '\t', '\r', '\n']).len();
            match self.comments.iter().find(|comment| comment.start < end && end <= comment.end) {
                Some(comment) if comment.start >= start => end = comment.start,
                _ => return end,
            }
        }
    }

    /// Finds the beginning of the line that a place is on.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.slice(0..at).rfind(['\n', '\r']).map_or(0, |at| at + 1)
    }

    /// Finds the end of that line, before its line break.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.slice(at..self.text().len()).find(['\n', '\r']).map_or(self.text().len(), |end| at + end)
    }

    /// Gives what stands before something on its line, where that is indentation alone.
    pub(super) fn indent(&self, at: usize) -> Option<&str> {
        let before = self.slice(self.line_start(at)..at);
        before.chars().all(|char| char == ' ').then_some(before)
    }

    /// Gives the blanks with which the line begins that a place is on.
    pub(super) fn blanks(&self, at: usize) -> &str {
        let line = self.slice(self.line_start(at)..at);
        line.get(..line.len() - line.trim_start_matches(is_blank).len()).unwrap_or_default()
    }

    /// Gives the comments within a range, each on its line, and nothing else of it.
    pub(super) fn comments_within(&self, range: Range<usize>) -> String {
        let mut kept = String::new();
        let is_within = |comment: &&Range<usize>| range.start <= comment.start && comment.end <= range.end;
        for comment in self.comments.iter().filter(is_within) {
            let before = self.slice(range.start..comment.start);
            if self.line_start(comment.start) <= range.start {
                kept.push_str(before.get(before.trim_end_matches(is_blank).len()..).unwrap_or_default());
            } else {
                kept.push_str(self.line_break());
                kept.push_str(self.blanks(comment.start));
            }
            kept.push_str(self.slice(comment.clone()));
        }
        kept
    }

    /// Gives by how much this file indents.
    pub(super) fn step(&self) -> &str {
        let is_block =
            |node: &&Node| matches!(node.content, Content::Map(_)) && node.form.style == Style::Block;
        let parts = self.root.entries().iter().map(|entry| &entry.value);
        let inner = parts.filter(|node| node.form.alias.is_none()).find(is_block);
        inner.and_then(|node| self.indent(node.range.start)).filter(|step| !step.is_empty()).unwrap_or("  ")
    }

    /// Gives how this file ends its lines.
    pub(super) fn line_break(&self) -> &'static str {
        let text = self.text();
        let first = text.find(['\n', '\r']).map_or("", |at| self.slice(at..text.len()));
        ["\r\n", "\r"].into_iter().find(|end| first.starts_with(end)).unwrap_or("\n")
    }
}

pub(super) fn is_blank(char: char) -> bool {
    char == ' ' || char == '\t'
}
