//! Puts one value into the text of a file: at its own place, or at a new one in its section.
//!
//! Deliberately does not prove that nothing else changed; its caller parses the result and compares.

use std::ops::Range;

use super::items;
use super::lines::is_blank;
use super::parsed::{Parsed, Plain, Refusal};
use super::place::{self, Step};
use super::spell;
use crate::document::Slot;
use crate::keys::{self, Section};
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
    pub(super) fn spell(&self, before: Style) -> String {
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

/// Writes a value into a text: what stands at its place now does not matter, nor whether there is one.
pub(super) fn write(parsed: &Parsed, slot: &Slot, fill: &Fill) -> Result<Edited, Refusal> {
    let editor = Editor { file: parsed, section: slot.section, key: place::path(slot) };
    let part = match slot.section {
        Section::Ehos => "ehos",
        Section::Daemon => "ehos_daemon",
        _ => "condor",
    };
    let inner = || vec![part.to_owned(), slot.key.to_owned()];
    let (steps, names, splices) = match (place::section(&parsed.root, slot), slot.cloud.as_deref()) {
        (Some(steps), _) => {
            let (name, splices) = editor.put(&steps, slot.key, What::Value(fill))?;
            (steps, vec![name], splices)
        }
        (None, Some(cloud)) => {
            let steps = place::cloud(&parsed.root, cloud).unwrap_or_default();
            let (_, splices) = editor.put(&steps, part, What::Part(slot.key, fill))?;
            (steps, inner(), splices)
        }
        (None, None) => (Vec::new(), inner(), editor.new_section(part, slot.key, fill)?),
    };
    let path = steps.iter().map(|step| step.entry.key.clone()).chain(names).collect();
    let text = apply(parsed.text(), splices).ok_or_else(|| editor.unusual(0..0))?;
    Ok(Edited { text, path })
}

/// Says that the place of a value is not understood well enough to write there.
pub(super) fn unusual(parsed: &Parsed, slot: &Slot) -> Refusal {
    let steps = place::section(&parsed.root, slot).unwrap_or_default();
    let entry = place::value(&steps, slot).or_else(|| steps.last().map(|step| step.entry));
    let editor = Editor { file: parsed, section: slot.section, key: place::path(slot) };
    editor.unusual(entry.map(|entry| entry.key_range.clone()).unwrap_or_default())
}

pub(super) type Splices = Vec<(Range<usize>, String)>;

/// Puts new texts in place of ranges; `None` where two of these overlap.
fn apply(text: &str, mut splices: Splices) -> Option<String> {
    splices.sort_by_key(|(range, _)| range.start);
    let (mut done, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in splices {
        done.push_str(text.get(at..range.start)?);
        done.push_str(&new);
        at = range.end;
    }
    done.push_str(text.get(at..)?);
    Some(done)
}

/// What is written behind a key.
#[derive(Clone, Copy)]
enum What<'a> {
    Value(&'a Fill),
    /// A mapping with this one key.
    Part(&'static str, &'a Fill),
}

impl What<'_> {
    fn spell(self, before: Style) -> String {
        match self {
            Self::Value(fill) => fill.spell(before),
            Self::Part(name, fill) => format!("{{{name}: {}}}", fill.spell(Style::Plain)),
        }
    }
}

/// A file in which a value of this section is written.
pub(super) struct Editor<'t> {
    pub(super) file: &'t Parsed,
    section: Section,
    /// What is to be written, as messages call it.
    key: String,
}

impl<'t> Editor<'t> {
    /// Writes into the section at the end of the steps; gives also the name under which.
    fn put(&self, steps: &[Step<'t>], name: &str, what: What<'_>) -> Result<(String, Splices), Refusal> {
        let Some(last) = steps.last() else { return Err(self.unusual(0..0)) };
        for (at, step) in steps.iter().enumerate() {
            let is_last = at + 1 == steps.len();
            if step.entry.is_merged() || (!is_last && step.entry.value.form.alias.is_some()) {
                return Err(self.shared(step));
            }
        }
        let section = &last.entry.value;
        let entry = match what {
            What::Value(_) => keys::find(self.section, name).and_then(|key| place::entry(section, key)),
            What::Part(..) => None,
        };
        let name = entry.map_or(name, |entry| &entry.key).to_owned();
        let line = format!("{name}: {}", what.spell(Style::Plain));
        let splices = match (&section.content, &section.form.alias) {
            (Content::Map(_), Some(alias)) => {
                let whole = self.file.slice(alias.clone());
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
    fn replace(&self, within: &Node, entry: &Entry, what: What<'_>) -> Result<Splices, Refusal> {
        let value = &entry.value;
        if let Some(alias) = &value.form.alias {
            return Ok(vec![(alias.clone(), what.spell(Style::Plain))]);
        }
        let fits = |tag: &str| tag == "str" && matches!(what, What::Value(Fill::Text(_)));
        if let Some(tag) = value.form.tag.as_deref().filter(|tag| !fits(tag)) {
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
            (Content::List(_), Style::Flow) if !self.file.has_comment(&value.range) => {
                Ok(vec![(value.range.clone(), spelled)])
            }
            (Content::List(items), Style::Block) => {
                let kept = match what {
                    What::Value(Fill::List(texts)) => items::replace(self.file, items, texts),
                    _ => None,
                };
                kept.map_or_else(|| self.rewrite(entry, &spelled), Ok)
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
    pub(super) fn fill(&self, within: &Node, entry: &Entry, spelled: &str) -> Result<Splices, Refusal> {
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
        let rest = self.file.slice(colon..self.file.line_end(colon));
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
        let end = self.file.tail(colon, entry.value.range.end);
        let line_end = self.file.line_end(end);
        let is_comment = self.file.slice(end..line_end).trim_start_matches(is_blank).starts_with('#');
        let end = if is_comment { line_end } else { end };
        let anchor = self.anchor(entry, colon).map(|anchor| format!("{anchor} ")).unwrap_or_default();
        Ok(vec![(colon..end, format!(" {anchor}{spelled}{}", self.file.comments_within(colon..end)))])
    }

    /// Finds the anchor before a value, which others may stand for.
    fn anchor(&self, entry: &Entry, colon: usize) -> Option<&'t str> {
        let end = if entry.value.form.anchored { entry.value.range.start } else { colon };
        let at = self.file.slice(colon..end).find('&').map(|at| colon + at)?;
        self.file.slice(at..end).split_whitespace().next()
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

    pub(super) fn unusual(&self, range: Range<usize>) -> Refusal {
        let title = format!("`{}` cannot be written here without touching more than its value", self.key);
        let help = "set it by hand, on a line like `key: value`; nothing was written".to_owned();
        Refusal { range, title, label: "written in an unusual way", help }
    }

    /// Finds what is behind the colon of an entry.
    pub(super) fn colon(&self, entry: &Entry) -> Result<usize, Refusal> {
        let after = self.file.slice(entry.key_range.end..self.file.text().len());
        let blank = after.len() - after.trim_start_matches(is_blank).len();
        let colon = entry.key_range.end + blank;
        if after.get(blank..).is_some_and(|rest| rest.starts_with(':')) {
            return Ok(colon + 1);
        }
        Err(self.unusual(entry.key_range.clone()))
    }
}
