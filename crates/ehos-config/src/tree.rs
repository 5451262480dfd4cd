//! Parses YAML into a tree whose every part knows where it stands.
//!
//! Deliberately gives no meaning to scalars: `no`, `010` and `1e3` are text until a key says what it expects.

mod fault;
mod node;

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use self::fault::scan_fault;
use crate::keys;

pub(crate) use self::fault::Fault;
pub(crate) use self::node::{Content, Entry, Form, Node, Style};

/// The most parts a file may have once its aliases are written out.
const PARTS_MAX: usize = 20_000;

/// The deepest nesting; a configuration needs five levels.
const DEPTH_MAX: usize = 32;

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

/// Finds the comments of a text that can be read: from `#` to the end of its line.
pub(crate) fn comments(text: &str) -> Vec<Range<usize>> {
    let options = granit_parser::options! { flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX };
    let events = Parser::new_from_str_with_options(text, options).map_while(Result::ok);
    events.filter(|(event, _)| matches!(event, Event::Comment(..))).map(|(_, span)| range(&span)).collect()
}

/// A list or mapping that is being read.
struct Open {
    start: usize,
    anchor: usize,
    form: Form,
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
        let form = form(&event);
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
                self.finish(Node { range, content: Content::Scalar(text.to_owned()), form }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.start(range, anchor, form, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.start(range, anchor, form, Content::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let end = range.end.max(open.start);
                let node = Node { range: open.start..end, content: open.content, form: open.form };
                self.finish(node, open.anchor)
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
                let Some(mut node) = self.anchors.get(&id).cloned() else { return Ok(()) };
                node.form.alias = Some(range);
                self.finish(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, range: Range<usize>, anchor: usize, form: Form, content: Content) -> Step {
        if let Some(Open { key: None, content: Content::Map(_), .. }) = self.open.last() {
            return Err(Box::new(Fault::new(range, "a key must be a word", "this is a list or a mapping")));
        }
        self.open.push(Open { start: range.start, anchor, form, content, key: None });
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

/// Tells how the part is written that an event begins.
fn form(event: &Event<'_>) -> Form {
    let (style, anchor) = match event {
        Event::Scalar(_, ScalarStyle::SingleQuoted, anchor, _) => (Style::Single, *anchor),
        Event::Scalar(_, ScalarStyle::DoubleQuoted, anchor, _) => (Style::Double, *anchor),
        Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, anchor, _) => (Style::Block, *anchor),
        Event::SequenceStart(style, anchor, _) | Event::MappingStart(style, anchor, _) => {
            (if *style == StructureStyle::Flow { Style::Flow } else { Style::Block }, *anchor)
        }
        Event::Scalar(_, ScalarStyle::Plain, anchor, _) => (Style::Plain, *anchor),
        _ => (Style::Plain, 0),
    };
    Form { style, anchored: anchor > 0, tag: event.tag().map(|tag| tag.suffix().to_string()), alias: None }
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}
