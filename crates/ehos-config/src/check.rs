//! Holds one file against the table of keys.
//!
//! Deliberately looks at each value alone; what contradicts what is judged when all files are laid over each other.

mod complaints;

use std::path::{Path, PathBuf};

use crate::document::{Document, Setting, Slot};
use crate::keys::{self, GONE, Key, Kind, Section};
use crate::report::{Finding, Report};
use crate::source::At;
use crate::tree::{Content, Entry, Node};
use crate::value::{self, Row, Value};

/// Reads a tree into a document.
pub(crate) fn check(root: &Node, file: usize, home: Option<&Path>, report: &mut Report) -> Document {
    let source = report.sources.get(file);
    let folder = source.and_then(|source| source.path.parent()).map_or_else(PathBuf::new, Path::to_owned);
    let mut check = Check { file, folder, home, report, document: Document::default() };
    check.section(Section::Top, None, root, "the file");
    check.document
}

struct Check<'a> {
    file: usize,
    folder: PathBuf,
    home: Option<&'a Path>,
    report: &'a mut Report,
    document: Document,
}

fn slot(key: &Key, cloud: Option<&str>) -> Slot {
    Slot { section: key.section, cloud: cloud.map(ToOwned::to_owned), key: key.name }
}

/// What a name in a file turned out to mean.
enum Meaning {
    Key {
        key: &'static Key,
        is_old: bool,
    },
    /// The single cloud of the first Python EHOS.
    OldCloud,
    Gone(&'static str),
    Unknown,
}

fn meaning(section: Section, cloud: Option<&str>, name: &str) -> Meaning {
    if let Some(key) = keys::find(section, name) {
        return Meaning::Key { key, is_old: false };
    }
    if section == Section::Top && name == "cloud" {
        return Meaning::OldCloud;
    }
    let moved = keys::find_old(section, name).filter(|key| key.section == section || cloud.is_none());
    if let Some(key) = moved {
        return Meaning::Key { key, is_old: true };
    }
    let gone = GONE.iter().find(|gone| gone.section == section && gone.name == name);
    gone.map_or(Meaning::Unknown, |gone| Meaning::Gone(gone.instead))
}

impl Check<'_> {
    fn at(&self, range: &std::ops::Range<usize>) -> At {
        At { file: self.file, range: range.clone() }
    }

    /// Gives the place of an entry's value, or of its key where nothing stands behind it.
    fn value_at(&self, entry: &Entry) -> At {
        let at = if entry.value.range.is_empty() { &entry.key_range } else { &entry.value.range };
        self.at(at)
    }

    /// Reads a mapping whose keys are those of a section.
    fn section(&mut self, section: Section, cloud: Option<&str>, node: &Node, called: &str) {
        let Some(entries) = self.entries(node, called) else {
            if node.scalar().is_none_or(|text| !value::is_unset(text)) {
                keys::of(section).for_each(|key| self.refuse(key, cloud));
            }
            return;
        };
        let mut seen: Vec<(&'static Key, bool, &Entry)> = Vec::new();
        for entry in entries {
            match meaning(section, cloud, &entry.key) {
                Meaning::Key { key, is_old } => {
                    if is_old {
                        self.warn_old(section, cloud, key, entry);
                    }
                    let before = seen.iter().find(|(other, ..)| std::ptr::eq(*other, key)).copied();
                    if let Some((_, was_old, first)) = before {
                        if is_old || was_old {
                            self.warn_both(key, if is_old { entry } else { first });
                        } else {
                            self.twice(key, entry, first);
                        }
                        if is_old {
                            self.hide_if_secret(key, entry);
                            continue;
                        }
                    }
                    seen.push((key, is_old, entry));
                    if is_old && self.is_set(key, cloud) {
                        self.warn_both(key, entry);
                        self.hide_if_secret(key, entry);
                    } else {
                        self.value(key, cloud, entry);
                    }
                }
                Meaning::OldCloud => self.old_cloud(entry),
                Meaning::Gone(instead) => self.gone(entry, instead),
                Meaning::Unknown => self.unknown(section, cloud, entry),
            }
        }
    }

    /// Gives the entries of a mapping; nothing is an empty one.
    fn entries<'n>(&mut self, node: &'n Node, called: &str) -> Option<&'n [Entry]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            Content::Scalar(text) if value::is_unset(text) => None,
            Content::Scalar(_) | Content::List(_) => {
                let at = self.at(&node.range);
                self.report.hide(&at);
                let title = format!("{called} must be a mapping, not {}", node.what());
                let finding = Finding::error(Some(at), title).label("expected lines like `key: value`");
                let first = node.scalar().and_then(|text| text.split_once(':'));
                self.report.push(match first.filter(|(word, _)| keys::is_key(word)) {
                    Some((word, _)) => finding.help(format!("a space is needed behind `{word}:`")),
                    None => finding,
                });
                None
            }
        }
    }

    fn value(&mut self, key: &'static Key, cloud: Option<&str>, entry: &Entry) {
        match key.kind {
            Kind::Part(section) => {
                let own = matches!(key.section, Section::Cloud).then_some(cloud).flatten();
                let at = self.at(&entry.key_range);
                self.document.sections.insert((section, own.map(ToOwned::to_owned)), at);
                self.section(section, own, &entry.value, &format!("`{}`", entry.key));
            }
            Kind::Clouds => self.clouds(&entry.value),
            _ => {
                let slot = slot(key, cloud);
                self.hide_if_secret(key, entry);
                match self.read(key, &entry.key, &entry.value) {
                    Some(Read::Value(value)) => {
                        if let Value::Secret(secret) = &value {
                            self.report.secrets.push(secret.clone());
                        }
                        let at = Some(self.value_at(entry));
                        self.document.values.insert(slot, Setting { value, at });
                    }
                    Some(Read::Unset(text)) => {
                        let at = self.value_at(entry);
                        self.document.unset.insert(slot, (text, at));
                    }
                    None => self.refuse(key, cloud),
                }
            }
        }
    }

    /// Keeps in mind that something stood there, so that it is not reported as missing.
    fn refuse(&mut self, key: &Key, cloud: Option<&str>) {
        self.document.refused.insert(slot(key, cloud));
    }

    fn refuse_named(&mut self, section: Section, name: &str, cloud: Option<&str>) {
        if let Some(key) = keys::find(section, name) {
            self.refuse(key, cloud);
        }
    }

    fn is_set(&self, key: &Key, cloud: Option<&str>) -> bool {
        self.document.values.contains_key(&slot(key, cloud))
    }

    fn hide_if_secret(&mut self, key: &Key, entry: &Entry) {
        if key.kind == Kind::Secret {
            let at = self.at(&entry.value.range);
            self.report.hide(&at);
        }
    }

    fn clouds(&mut self, node: &Node) {
        let Some(entries) = self.entries(node, "`clouds`") else { return };
        for entry in entries {
            let at = self.at(&entry.key_range);
            if value::is_unset(&entry.key) || entry.key.chars().any(char::is_control) {
                let finding = Finding::error(
                    Some(at),
                    format!("`{}` is no name for a cloud", entry.key.escape_default()),
                )
                .label("put any name here, `default` for example");
                self.report.push(finding);
                self.refuse_named(Section::Top, "clouds", None);
            } else {
                self.cloud(&entry.key, at, &entry.value);
            }
        }
    }

    fn cloud(&mut self, name: &str, at: At, node: &Node) {
        self.document.clouds.push((name.to_owned(), at));
        self.section(Section::Cloud, Some(name), node, &format!("the cloud `{name}`"));
    }

    fn old_cloud(&mut self, entry: &Entry) {
        let at = self.at(&entry.key_range);
        let finding =
            Finding::warning(Some(at.clone()), "`cloud` has become `clouds`, since there may be several")
                .label("read as the cloud `default`")
                .help("write `clouds:`, below it `default:`, and below that what stands here, indented");
        self.report.push(finding);
        self.cloud("default", at, &entry.value);
    }

    /// Reads one value of any kind but a mapping.
    fn read(&mut self, key: &Key, called: &str, node: &Node) -> Option<Read> {
        match (&node.content, key.kind) {
            (Content::Scalar(text), kind)
                if value::is_unset(text) && !(kind.takes_none() && value::is_none(text)) =>
            {
                Some(Read::Unset(text.clone()))
            }
            (Content::Scalar(text), kind) => {
                if self.runs_on(called, node) {
                    return None;
                }
                let text = match (kind, self.home, text.strip_prefix("~/")) {
                    (Kind::Path | Kind::Paths, Some(home), Some(rest)) => {
                        home.join(rest).to_string_lossy().into_owned()
                    }
                    _ => text.clone(),
                };
                match value::read(kind, &text, &self.folder) {
                    Ok(value) => Some(Read::Value(value)),
                    Err(advice) => {
                        self.wrong(key, called, node, advice);
                        None
                    }
                }
            }
            (Content::List(items), Kind::Texts | Kind::Paths) => self.texts(key, called, items),
            (Content::List(items), Kind::Rows(section)) => {
                let rows = items.iter().map(|item| self.row(section, called, item)).collect::<Vec<_>>();
                Some(Read::Value(Value::Rows(rows.into_iter().flatten().collect())))
            }
            _ => {
                self.wrong(key, called, node, None);
                None
            }
        }
    }

    fn texts(&mut self, key: &Key, called: &str, items: &[Node]) -> Option<Read> {
        let mut texts = Vec::new();
        for item in items {
            match self.read(key, called, item)? {
                Read::Value(Value::Texts(more)) => texts.extend(more),
                Read::Value(_) => {}
                Read::Unset(text) => {
                    if value::is_placeholder(&text) {
                        self.wrong(key, called, item, Some("this is still a placeholder".to_owned()));
                    }
                }
            }
        }
        Some(if texts.is_empty() { Read::Unset("[]".to_owned()) } else { Read::Value(Value::Texts(texts)) })
    }

    fn row(&mut self, section: Section, called: &str, node: &Node) -> Option<Row> {
        let entries = self.entries(node, &format!("each item of `{called}`"))?;
        let mut row = Row::new();
        for entry in entries {
            let Some(key) = keys::find(section, &entry.key) else {
                self.unknown(section, None, entry);
                continue;
            };
            if let Some(Read::Value(value)) = self.read(key, &entry.key, &entry.value) {
                row.insert(key.name, value);
            }
        }
        Some(row)
    }
}

/// What stood behind a key.
enum Read {
    Value(Value),
    Unset(String),
}
