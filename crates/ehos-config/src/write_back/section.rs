//! Puts a line into a section that lacks it, and a section into a file that lacks it.
//!
//! Deliberately adds at the end only: what is there keeps its place.

use super::edit::{Editor, Fill, Splices};
use super::lines::is_blank;
use super::parsed::Refusal;
use super::place::Step;
use crate::tree::{Content, Node, Style};

impl<'t> Editor<'t> {
    /// Adds a line to a mapping, at its end.
    pub(super) fn insert(&self, map: &Node, line: &str) -> Result<Splices, Refusal> {
        if map.form.style == Style::Flow {
            return Ok(self.insert_flow(map, line));
        }
        let indent = self.file.indent(map.range.start).ok_or_else(|| self.unusual(map.range.clone()))?;
        let at = self.file.line_end(self.file.tail(map.range.start, map.range.end));
        Ok(vec![(at..at, format!("{}{indent}{line}", self.file.line_break()))])
    }

    fn insert_flow(&self, map: &Node, line: &str) -> Splices {
        let (first, last) = (map.range.start + 1, map.range.end.saturating_sub(1));
        let tail = self.file.tail(first, last);
        if tail <= first {
            let blank = self.file.slice(first..last).chars().all(is_blank);
            return vec![(first..if blank { last } else { first }, line.to_owned())];
        }
        let has_comma = self.file.slice(first..tail).ends_with(',');
        let (line_start, line_end) = (self.file.line_start(tail), self.file.line_end(tail));
        if line_start > map.range.start && line_end < last {
            let (blanks, line_break) = (self.file.blanks(tail), self.file.line_break());
            let (before, after) = if has_comma { ("", ",") } else { (",", "") };
            let new = format!("{line_break}{blanks}{line}{after}");
            return vec![(tail..tail, before.to_owned()), (line_end..line_end, new)];
        }
        vec![(tail..tail, if has_comma { format!(" {line},") } else { format!(", {line}") })]
    }

    /// Adds a line to a section that has none: below its key, or in braces where that is not possible.
    pub(super) fn open(&self, section: &Step<'t>, line: &str) -> Result<Splices, Refusal> {
        let (within, entry) = (section.within, section.entry);
        let value = &entry.value;
        let has_form = value.form.anchored || value.form.tag.is_some();
        if let Some(alias) = &value.form.alias {
            return Ok(vec![(alias.clone(), format!("{{{line}}}"))]);
        }
        if !value.range.is_empty() && !has_form && value.form.style != Style::Block {
            return Ok(vec![(value.range.clone(), format!("{{{line}}}"))]);
        }
        if within.form.style == Style::Flow && !has_form {
            return self.fill(within, entry, &format!("{{{line}}}"));
        }
        match (self.file.indent(entry.key_range.start), self.colon(entry)) {
            (Some(indent), Ok(colon)) if value.range.is_empty() && !has_form => {
                let at = self.file.line_end(colon);
                let step = self.file.step();
                Ok(vec![(at..at, format!("{}{indent}{step}{line}", self.file.line_break()))])
            }
            _ => Err(self.unusual(entry.key_range.clone())),
        }
    }

    /// Adds a section at the end of the file.
    pub(super) fn new_section(&self, name: &str, key: &str, fill: &Fill) -> Result<Splices, Refusal> {
        let root = &self.file.root;
        let Content::Map(_) = root.content else { return Err(self.unusual(root.range.clone())) };
        let line = format!("{key}: {}", fill.spell(Style::Plain));
        if root.form.style == Style::Flow {
            return Ok(self.insert_flow(root, &format!("{name}: {{{line}}}")));
        }
        let indent = self.file.indent(root.range.start).ok_or_else(|| self.unusual(root.range.clone()))?;
        let (end, step, text) = (self.file.line_break(), self.file.step(), self.file.text());
        let lines = format!("{indent}{name}:{end}{indent}{step}{line}");
        if self.file.slice(root.range.end..text.len()).trim().is_empty() {
            let start = if text.ends_with(['\n', '\r']) { "" } else { end };
            return Ok(vec![(text.len()..text.len(), format!("{start}{lines}{end}"))]);
        }
        // Something like `...` ends the document before the file ends.
        let at = self.file.line_end(self.file.tail(root.range.start, root.range.end));
        Ok(vec![(at..at, format!("{end}{lines}"))])
    }
}
