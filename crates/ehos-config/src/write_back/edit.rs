//! Puts one value into the text of a file: at its own place, or at a new one in its section.
//!
//! Deliberately does not prove that nothing else changed; its caller parses the result and compares.

use std::ops::Range;

use super::parsed::{Parsed, Plain, Refusal};
use super::place::{self, Step};
use super::spell;
use crate::document::Slot;
use crate::keys::{self, Key, Section};
use crate::tree::{Content, Entry, Node, Style};
use crate::value;

/// What is to stand there.
#[derive(Clone)]
pub(super) enum Fill {
    Text(String),
    List(Vec<String>),
    /// The word for no value.
    Unset,
}

impl Fill {
    fn spell(&self, before: Style) -> String {
        match self {
            Self::Text(text) => spell::scalar(text, before),
            Self::List(texts) => spell::list(texts),
            Self::Unset => "None".to_owned(),
        }
    }

    pub(super) fn plain(&self) -> Plain {
        match self {
            Self::Text(text) => Plain::Text(text.clone()),
            Self::List(texts) => Plain::List(texts.iter().cloned().map(Plain::Text).collect()),
            Self::Unset => Plain::Text("None".to_owned()),
        }
    }
}

/// A changed text.
pub(super) struct Edited {
    pub(super) text: String,
    /// Where the value stands in the tree.
    pub(super) path: Vec<String>,
}

/// Writes a value into a text.
pub(super) fn write(file: &Parsed, slot: &Slot, fill: &Fill) -> Result<Edited, Refusal> {
    let editor = Editor { file, text: file.text(), key: place::path(slot) };
    let key = |section| keys::find(section, slot.key);
    let part = match slot.section {
        Section::Ehos => "ehos",
        Section::Daemon => "ehos_daemon",
        _ => "condor",
    };
    let (steps, name, splices) = if let Some(steps) = place::section(&file.root, slot) {
        let (name, splices) = editor.put(&steps, key(slot.section), slot.key, fill)?;
        (steps, vec![name], splices)
    } else if let Some(cloud) = slot.cloud.as_deref() {
        let steps = place::cloud(&file.root, cloud).unwrap_or_default();
        let inner = Inner { name: slot.key, fill };
        let (name, splices) = editor.put(&steps, None, part, &inner)?;
        (steps, vec![name, slot.key.to_owned()], splices)
    } else {
        let splices = editor.new_section(part, &Inner { name: slot.key, fill })?;
        (Vec::new(), vec![part.to_owned(), slot.key.to_owned()], splices)
    };
    let path = steps.iter().map(|step| step.entry.key.clone()).chain(name).collect();
    Ok(Edited { text: apply(file.text(), splices), path })
}

/// Says that the place of a value is not understood well enough to write there.
pub(super) fn unusual(file: &Parsed, slot: &Slot) -> Refusal {
    let steps = place::section(&file.root, slot).unwrap_or_default();
    let entry = place::value(&steps, slot).or_else(|| steps.last().map(|step| step.entry));
    let editor = Editor { file, text: file.text(), key: place::path(slot) };
    editor.unusual(entry.map(|entry| entry.key_range.clone()).unwrap_or_default())
}

type Splices = Vec<(Range<usize>, String)>;

fn apply(text: &str, mut splices: Splices) -> String {
    splices.sort_by_key(|(range, _)| range.start);
    let mut text = text.to_owned();
    for (range, new) in splices.into_iter().rev() {
        text.replace_range(range, &new);
    }
    text
}

/// Something that can be written behind a key.
trait Spell {
    fn spell(&self, before: Style) -> String;

    /// Tells whether a text of old may keep a tag of this name.
    fn fits(&self, tag: &str) -> bool;
}

impl Spell for Fill {
    fn spell(&self, before: Style) -> String {
        self.spell(before)
    }

    fn fits(&self, tag: &str) -> bool {
        matches!(self, Self::Text(_)) && tag == "str"
    }
}

/// A mapping of one entry.
struct Inner<'a> {
    name: &'a str,
    fill: &'a Fill,
}

impl Inner<'_> {
    fn line(&self) -> String {
        format!("{}: {}", self.name, self.fill.spell(Style::Plain))
    }
}

impl Spell for Inner<'_> {
    fn spell(&self, _: Style) -> String {
        format!("{{{}}}", self.line())
    }

    fn fits(&self, tag: &str) -> bool {
        tag == "map"
    }
}

struct Editor<'t> {
    file: &'t Parsed,
    text: &'t str,
    /// What is to be written, as messages call it.
    key: String,
}

impl<'t> Editor<'t> {
    /// Writes into the section at the end of the steps; gives also the name under which.
    fn put(
        &self,
        steps: &[Step<'t>],
        key: Option<&'static Key>,
        name: &str,
        what: &impl Spell,
    ) -> Result<(String, Splices), Refusal> {
        let Some(last) = steps.last() else { return Err(self.unusual(0..0)) };
        for (at, step) in steps.iter().enumerate() {
            let is_last = at + 1 == steps.len();
            if step.entry.is_merged() || (!is_last && step.entry.value.form.alias.is_some()) {
                return Err(self.shared(step));
            }
        }
        let section = &last.entry.value;
        let entry = key.and_then(|key| place::entry(section, key));
        let name = entry.map_or(name, |entry| &entry.key).to_owned();
        let line = format!("{name}: {}", what.spell(Style::Plain));
        let splices = match (&section.content, &section.form.alias) {
            (Content::Map(_), Some(alias)) => {
                let whole = self.slice(alias.clone());
                vec![(alias.clone(), format!("{{<<: {whole}, {line}}}"))]
            }
            (Content::Map(_), None) => match entry {
                Some(entry) if !entry.is_merged() => self.replace(section, entry, what)?,
                _ => self.insert(section, &line)?,
            },
            (Content::Scalar(text), _) if value::is_unset(text) => self.open(last, &line)?,
            _ => {
                let title =
                    format!("`{}` is {}, so `{}` has no place", last.entry.key, section.what(), self.key);
                let help = "write a mapping there: lines like `key: value`, indented".to_owned();
                let range = section.range.clone();
                return Err(Refusal { range, title, label: "expected a mapping", help });
            }
        };
        Ok((name, splices))
    }

    /// Writes a value where one stands, or the lack of one.
    fn replace(&self, within: &Node, entry: &Entry, what: &impl Spell) -> Result<Splices, Refusal> {
        let value = &entry.value;
        if let Some(alias) = &value.form.alias {
            return Ok(vec![(alias.clone(), what.spell(Style::Plain))]);
        }
        if let Some(tag) = value.form.tag.as_deref().filter(|tag| !what.fits(tag)) {
            let title = format!("the tag `!!{tag}` before `{}` would not fit its new value", self.key);
            let help = "remove the tag".to_owned();
            return Err(Refusal { range: value.range.clone(), title, label: "this has a tag", help });
        }
        let spelled = what.spell(value.form.style);
        match (&value.content, value.form.style) {
            (Content::Scalar(_), Style::Plain) if value.range.is_empty() => {
                self.fill(within, entry, &spelled)
            }
            (Content::Scalar(_), Style::Plain | Style::Single | Style::Double) => {
                Ok(vec![(value.range.clone(), spelled)])
            }
            (Content::List(_), Style::Flow) if !self.has_comment(&value.range) => {
                Ok(vec![(value.range.clone(), spelled)])
            }
            (Content::Scalar(_) | Content::List(_), _) => self.rewrite(entry, &spelled),
            (Content::Map(_), _) => {
                let title = format!("`{}` is a mapping, not a value", self.key);
                let help = format!("write `{}: None` in its place", entry.key);
                Err(Refusal { range: entry.key_range.clone(), title, label: "has keys below it", help })
            }
        }
    }

    /// Writes a value behind a key that has none.
    fn fill(&self, within: &Node, entry: &Entry, spelled: &str) -> Result<Splices, Refusal> {
        let is_flow = within.form.style == Style::Flow;
        if entry.value.form.anchored || entry.value.form.tag.is_some() {
            let at = entry.value.range.start;
            return Ok(vec![(at..at, format!(" {spelled}"))]);
        }
        let Ok(colon) = self.colon(entry) else {
            let at = entry.key_range.end;
            let splice = (at..at, format!(": {spelled}"));
            return if is_flow { Ok(vec![splice]) } else { Err(self.unusual(entry.key_range.clone())) };
        };
        let rest = self.slice(colon..self.line_end(colon));
        let is_comment = rest.trim_start_matches(is_blank).starts_with('#');
        let splice = if rest.starts_with(is_blank) && !is_comment {
            (colon + 1..colon + 1, spelled.to_owned())
        } else {
            (colon..colon, format!(" {spelled}"))
        };
        Ok(vec![splice])
    }

    /// Writes a value in place of one on several lines, and keeps the comments that are within.
    fn rewrite(&self, entry: &Entry, spelled: &str) -> Result<Splices, Refusal> {
        let colon = self.colon(entry)?;
        let end = self.tail(colon, entry.value.range.end);
        let line_end = self.line_end(end);
        let is_comment = self.slice(end..line_end).trim_start_matches(is_blank).starts_with('#');
        let end = if is_comment { line_end } else { end };
        let mut new = format!(" {spelled}");
        for comment in
            self.file.comments.iter().filter(|comment| colon <= comment.start && comment.end <= end)
        {
            let before = self.slice(self.line_start(comment.start)..comment.start);
            if self.line_start(comment.start) <= colon {
                new.push_str(before.get(before.trim_end_matches(is_blank).len()..).unwrap_or_default());
            } else {
                new.push_str(self.line_break());
                new.push_str(
                    before
                        .get(..before.len() - before.trim_start_matches(is_blank).len())
                        .unwrap_or_default(),
                );
            }
            new.push_str(self.slice(comment.clone()));
        }
        Ok(vec![(colon..end, new)])
    }

    /// Adds a line to a mapping, at its end.
    fn insert(&self, map: &Node, line: &str) -> Result<Splices, Refusal> {
        if map.form.style == Style::Flow {
            return Ok(self.insert_flow(map, line));
        }
        let indent = self.indent(map.range.start).ok_or_else(|| self.unusual(map.range.clone()))?;
        let at = self.line_end(self.tail(map.range.start, map.range.end));
        Ok(vec![(at..at, format!("{}{indent}{line}", self.line_break()))])
    }

    fn insert_flow(&self, map: &Node, line: &str) -> Splices {
        let (first, last) = (map.range.start + 1, map.range.end.saturating_sub(1));
        let tail = self.tail(first, last);
        if tail <= first {
            let blank = self.slice(first..last).chars().all(is_blank);
            return vec![(first..if blank { last } else { first }, line.to_owned())];
        }
        let has_comma = self.slice(first..tail).ends_with(',');
        let (line_start, line_end) = (self.line_start(tail), self.line_end(tail));
        if line_start > map.range.start && line_end < last {
            let blank = self.slice(line_start..tail);
            let blank =
                blank.get(..blank.len() - blank.trim_start_matches(is_blank).len()).unwrap_or_default();
            let comma = if has_comma { (tail..tail, String::new()) } else { (tail..tail, ",".to_owned()) };
            let end = if has_comma { "," } else { "" };
            return vec![comma, (line_end..line_end, format!("{}{blank}{line}{end}", self.line_break()))];
        }
        vec![(tail..tail, if has_comma { format!(" {line},") } else { format!(", {line}") })]
    }

    /// Adds a line to a section that has none: below its key, or in braces where that is not possible.
    fn open(&self, section: &Step<'t>, line: &str) -> Result<Splices, Refusal> {
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
        match (self.indent(entry.key_range.start), self.colon(entry)) {
            (Some(indent), Ok(colon)) if value.range.is_empty() && !has_form => {
                let at = self.line_end(colon);
                let step = self.step();
                Ok(vec![(at..at, format!("{}{indent}{step}{line}", self.line_break()))])
            }
            _ => Err(self.unusual(entry.key_range.clone())),
        }
    }

    /// Adds a section at the end of the file.
    fn new_section(&self, name: &str, inner: &Inner<'_>) -> Result<Splices, Refusal> {
        let root = &self.file.root;
        let Content::Map(_) = root.content else { return Err(self.unusual(root.range.clone())) };
        if root.form.style == Style::Flow {
            return Ok(self.insert_flow(root, &format!("{name}: {}", Spell::spell(inner, Style::Plain))));
        }
        let indent = self.indent(root.range.start).ok_or_else(|| self.unusual(root.range.clone()))?;
        let (end, step) = (self.line_break(), self.step());
        let lines = format!("{indent}{name}:{end}{indent}{step}{}", inner.line());
        let after = self.slice(root.range.end..self.text.len());
        if after.trim().is_empty() {
            let start = if self.text.ends_with(['\n', '\r']) { "" } else { end };
            return Ok(vec![(self.text.len()..self.text.len(), format!("{start}{lines}{end}"))]);
        }
        // Something like `...` ends the document before the file ends.
        let at = self.line_end(self.tail(root.range.start, root.range.end));
        Ok(vec![(at..at, format!("{end}{lines}"))])
    }

    fn shared(&self, step: &Step<'_>) -> Refusal {
        let (range, label) = match &step.entry.value.form.alias {
            Some(alias) => (alias.clone(), "this alias stands for it"),
            None => (step.within.range.clone(), "`<<` brings it from elsewhere"),
        };
        let name = &step.entry.key;
        let title = format!("`{}` cannot be set here alone: `{name}` is shared with other places", self.key);
        let help = format!("write `{name}` out in place of the alias or `<<`, then run this once more");
        Refusal { range, title, label, help }
    }

    fn unusual(&self, range: Range<usize>) -> Refusal {
        let title = format!("`{}` cannot be written here without touching more than its value", self.key);
        let help = "set it by hand, on a line like `key: value`; nothing was written".to_owned();
        Refusal { range, title, label: "written in an unusual way", help }
    }

    fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    fn has_comment(&self, range: &Range<usize>) -> bool {
        self.file.comments.iter().any(|comment| range.contains(&comment.start))
    }

    /// Finds what is behind the colon of an entry.
    fn colon(&self, entry: &Entry) -> Result<usize, Refusal> {
        let after = self.slice(entry.key_range.end..self.text.len());
        let blank = after.len() - after.trim_start_matches(is_blank).len();
        let colon = entry.key_range.end + blank;
        if after.get(blank..).is_some_and(|rest| rest.starts_with(':')) {
            return Ok(colon + 1);
        }
        Err(self.unusual(entry.key_range.clone()))
    }

    /// Finds the end of what stands in a range, comments and blanks behind it left out.
    fn tail(&self, start: usize, end: usize) -> usize {
        let mut end = end;
        loop {
            end = start + self.slice(start..end).trim_end_matches([' ', '\t', '\r', '\n']).len();
            match self.file.comments.iter().find(|comment| comment.start < end && end <= comment.end) {
                Some(comment) if comment.start >= start => end = comment.start,
                _ => return end,
            }
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.slice(0..at).rfind(['\n', '\r']).map_or(0, |at| at + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.slice(at..self.text.len()).find(['\n', '\r']).map_or(self.text.len(), |end| at + end)
    }

    /// Gives what stands before something on its line, where that is indentation alone.
    fn indent(&self, at: usize) -> Option<&'t str> {
        let before = self.slice(self.line_start(at)..at);
        before.chars().all(|char| char == ' ').then_some(before)
    }

    /// Gives by how much this file indents.
    fn step(&self) -> &'t str {
        let is_block =
            |node: &&Node| matches!(node.content, Content::Map(_)) && node.form.style == Style::Block;
        let parts = self.file.root.entries().iter().map(|entry| &entry.value);
        let inner = parts.filter(|node| node.form.alias.is_none()).find(is_block);
        inner.and_then(|node| self.indent(node.range.start)).filter(|step| !step.is_empty()).unwrap_or("  ")
    }

    fn line_break(&self) -> &'static str {
        match self.text.find(['\n', '\r']).map(|at| self.slice(at..at + 2)) {
            Some("\r\n") => "\r\n",
            Some(end) if end.starts_with('\r') => "\r",
            _ if self.text.ends_with('\r') => "\r",
            _ => "\n",
        }
    }
}

fn is_blank(char: char) -> bool {
    char == ' ' || char == '\t'
}
