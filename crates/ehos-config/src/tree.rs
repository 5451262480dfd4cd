//! Parses YAML into a tree whose every part knows where it stands.
//!
//! Deliberately gives no meaning to scalars: `no`, `010` and `1e3` are text until a key says what it expects.

mod fault;

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use self::fault::scan_fault;
use crate::keys;

pub(crate) use self::fault::Fault;

/// The most parts a file may have once its aliases are written out.
const PARTS_MAX: usize = 20_000;

/// The deepest nesting; a configuration needs five levels.
const DEPTH_MAX: usize = 32;

/// A part of a file.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) range: Range<usize>,
    pub(crate) content: Content,
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

    /// Gives the keys, where it is a mapping.
    pub(crate) fn keys(&self) -> Vec<&str> {
        match &self.content {
            Content::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            Content::Scalar(_) | Content::List(_) => Vec::new(),
        }
    }

    fn parts(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Self::parts).sum(),
            Content::Map(entries) => entries.iter().map(|entry| 1 + entry.value.parts()).sum(),
        }
    }
}

/// Reads a text; the node is `None` where it could not be read to its end, or is empty.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    let mut builder = Builder::default();
    match builder.read(text) {
        Ok(()) => {
            if builder.root.is_none() {
                let fault = Fault::new(0..0, "the file is empty", "nothing but comments here")
                    .help("start from etc/ehos.yaml.example");
                builder.faults.push(fault);
            }
            (builder.root, builder.faults)
        }
        Err(fault) => {
            builder.faults.push(*fault);
            (None, builder.faults)
        }
    }
}

/// A list or mapping that is being read.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
    key: Option<(String, Range<usize>)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    faults: Vec<Fault>,
    parts: usize,
    documents: usize,
}

type Step = Result<(), Box<Fault>>;

impl Builder {
    fn read(&mut self, text: &str) -> Step {
        let mut options =
            granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| Box::new(scan_fault(&error, text)))?;
            let range = range(&span);
            self.parts += 1;
            self.check_size(&range)?;
            self.take(event, range)?;
        }
        Ok(())
    }

    fn check_size(&self, range: &Range<usize>) -> Step {
        if self.parts > PARTS_MAX {
            return Err(Box::new(Fault::new(
                range.clone(),
                "the file is too large for a configuration",
                format!("more than {PARTS_MAX} values, aliases written out"),
            )));
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Step {
        if let Some(tag) = event.tag()
            && !tag.is_yaml_core_schema()
        {
            return Err(Box::new(Fault::new(
                range,
                "tags of YAML have no meaning here",
                "remove the tag before it",
            )));
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let fault =
                        Fault::new(range, "a second document begins here", "only one may be in a file").help(
                            "put it into a file of its own: later files override earlier ones key by key",
                        );
                    return Err(Box::new(fault));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let text = if block { text.trim_end_matches('\n') } else { &*text };
                self.finish(Node { range, content: Content::Scalar(text.to_owned()) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.start(range, anchor, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.start(range, anchor, Content::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let end = range.end.max(open.start);
                self.finish(Node { range: open.start..end, content: open.content }, open.anchor)
            }
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(Box::new(Fault::new(
                        range,
                        "an alias stands for a part that it is in",
                        "here",
                    )));
                };
                self.parts = self.parts.saturating_add(node.parts());
                self.check_size(&range)?;
                let node = self.anchors.get(&id).cloned();
                node.map_or(Ok(()), |node| self.finish(node, 0))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, range: Range<usize>, anchor: usize, content: Content) -> Step {
        if let Some(Open { key: None, content: Content::Map(_), .. }) = self.open.last() {
            return Err(Box::new(Fault::new(range, "a key must be a word", "this is a list or a mapping")));
        }
        self.open.push(Open { start: range.start, anchor, content, key: None });
        Ok(())
    }

    /// Puts a node that is complete into what it belongs to.
    fn finish(&mut self, node: Node, anchor: usize) -> Step {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
            self.parts = self.parts.saturating_add(node.parts());
            self.check_size(&node.range)?;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((key, key_range))) => {
                self.faults.extend(add(entries, Entry { key, key_range, value: node }));
            }
            (Content::Map(_), None) => match node.content {
                Content::Scalar(text) => open.key = Some((text, node.range)),
                Content::List(_) | Content::Map(_) => {
                    let fault = Fault::new(node.range, "a key must be a word", "this is a list or a mapping");
                    return Err(Box::new(fault));
                }
            },
            (Content::Scalar(_), _) => {}
        }
        Ok(())
    }
}

/// Adds an entry; of two equal keys the first stays, and what is merged by `<<` gives way to both.
fn add(entries: &mut Vec<Entry>, entry: Entry) -> Option<Fault> {
    if entry.key == "<<" {
        let merged = match entry.value.content {
            Content::Map(merged) => merged,
            Content::List(items) => items
                .into_iter()
                .flat_map(|item| match item.content {
                    Content::Map(merged) => merged,
                    Content::Scalar(_) | Content::List(_) => Vec::new(),
                })
                .collect(),
            Content::Scalar(_) => Vec::new(),
        };
        for mut each in merged {
            if !entries.iter().any(|entry| entry.key == each.key) {
                each.key_range = each.key_range.start..each.key_range.start;
                entries.push(each);
            }
        }
        return None;
    }
    if let Some(first) = entries.iter_mut().find(|other| other.key == entry.key) {
        if first.key_range.is_empty() {
            *first = entry;
            return None;
        }
        let mut fault =
            Fault::new(entry.key_range, format!("`{}` is there twice", entry.key), "once more here");
        fault.other = Some(first.key_range.clone());
        let may_be_shown = keys::is_harmless(&entry.key) && entry.value.scalar().is_some();
        fault.dropped = (!may_be_shown).then_some(entry.value.range);
        return Some(fault.help("remove one of the two"));
    }
    entries.push(entry);
    None
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}
