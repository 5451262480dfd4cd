//! Puts into words what is wrong with a single key or value.
//!
//! Deliberately says what was expected, and shows nothing that might be a secret.

use super::{Check, value};
use crate::keys::{self, Key, Kind, Section};
use crate::report::Finding;
use crate::tree::{Content, Entry, Node};

impl Check<'_> {
    /// Finds a value that swallowed the next line, since that has no `:`.
    pub(super) fn runs_on(&mut self, called: &str, node: &Node) -> bool {
        let source = self.report.sources.get(self.file);
        let raw = source.and_then(|source| source.text.get(node.range.clone())).unwrap_or_default();
        if raw.starts_with(['"', '\'', '|', '>', '&', '!']) || !raw.trim_end().contains('\n') {
            return false;
        }
        let at = self.at(&node.range);
        let finding = Finding::error(Some(at), format!("the value of `{called}` goes on in the next line"))
            .label("it is not clear where it ends")
            .help("is a `:` missing in the next line? Else put the value into quotes");
        self.report.push(finding);
        true
    }

    pub(super) fn wrong(&mut self, key: &Key, called: &str, node: &Node, advice: Option<String>) {
        let expected = key.kind.expects();
        let found = match &node.content {
            Content::Scalar(_) if key.kind == Kind::Secret => "this value".to_owned(),
            Content::Scalar(text) => format!("`{}`", shorten(text)),
            Content::List(_) | Content::Map(_) => node.what().to_owned(),
        };
        let found = if found.contains("://") { "this value".to_owned() } else { found };
        let finding = Finding::error(Some(self.at(&node.range)), format!("`{called}` cannot be {found}"))
            .label(format!("expected {expected}"));
        self.report.push(match advice {
            Some(advice) => finding.help(advice),
            None => finding,
        });
    }

    pub(super) fn warn_old(&mut self, section: Section, cloud: Option<&str>, key: &Key, entry: &Entry) {
        let now = if key.section == section {
            format!("`{}`", key.name)
        } else {
            format!("`{}` in `{}`", key.name, key.section.path(None))
        };
        let title = format!("`{}.{}` has a better name now: {now}", section.path(cloud), entry.key);
        let finding = Finding::warning(Some(self.at(&entry.key_range)), title).label("still understood");
        self.report.push(finding);
    }

    pub(super) fn warn_both(&mut self, key: &Key, old: &Entry) {
        let title = format!("`{}` is not read, since `{}` is there", old.key, key.name);
        let finding = Finding::warning(Some(self.at(&old.key_range)), title).help("remove it");
        self.report.push(finding);
    }

    pub(super) fn twice(&mut self, key: &Key, entry: &Entry, first: &Entry) {
        let finding = Finding::error(
            Some(self.at(&entry.key_range)),
            format!("`{}` and `{}` mean the same", first.key, entry.key),
        )
        .label("once more here")
        .other(Some(self.at(&first.key_range)), "first here")
        .help(format!("keep one of the two, `{}` for example", key.name));
        self.report.push(finding);
    }

    pub(super) fn gone(&mut self, entry: &Entry, instead: &str) {
        let at = self.at(&entry.value.range);
        self.report.hide(&at);
        let finding = Finding::warning(
            Some(self.at(&entry.key_range)),
            format!("`{}` is not needed any more", entry.key),
        )
        .label("not read")
        .help(instead);
        self.report.push(finding);
    }

    pub(super) fn unknown(&mut self, section: Section, cloud: Option<&str>, entry: &Entry) {
        // Nobody knows what it is, a misspelt password perhaps.
        let at = self.at(&entry.value.range);
        self.report.hide(&at);
        let path = section.path(cloud);
        let within = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        let title = format!("there is no key `{}`{within}", shorten(&entry.key));
        let mut finding = Finding::error(Some(self.at(&entry.key_range)), title).label("unknown key");
        let names =
            || keys::of(section).flat_map(|key| [key.name].into_iter().chain(key.aliases.iter().copied()));
        let elsewhere = keys::KEYS.iter().find(|key| key.is(&entry.key) && key.section != Section::Load);
        if let Some(name) = value::nearest(&entry.key, names()) {
            finding = finding.help(format!("did you mean `{name}`?"));
            self.refuse_named(section, name, cloud);
        } else if let Some(key) = elsewhere {
            let home = key.section.path(None);
            let home = if home.is_empty() { "the left margin".to_owned() } else { format!("`{home}`") };
            finding = finding.help(format!("`{}` belongs below {home}", key.name));
        } else {
            let all: Vec<&str> = keys::of(section).map(|key| key.name).collect();
            finding = finding.help(format!("known here: {}", all.join(", ")));
        }
        self.report.push(finding);
    }
}

fn shorten(text: &str) -> String {
    let clean: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(60).collect();
    if text.chars().count() > 60 { format!("{clean}…") } else { clean }
}
