//! Takes an administrator's own pieces of user-data, each checked like a template.
//!
//! Deliberately refuses what could undo what EHOS tells a server; see [`crate::pack`] for how pieces are joined.

use std::fmt;

use secrecy::SecretString;
use serde_json::Value;

use crate::{Problem, TemplateError, cloud_config};

/// What cloud-init makes of a piece, by the words it begins with (*cloud-init `INCLUSION_TYPES_MAP`*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    CloudConfig,
    Jinja,
    Boothook,
    Script,
    Include,
    IncludeOnce,
}

impl Type {
    /// Its name on the wire.
    pub(crate) const fn mime(self) -> &'static str {
        match self {
            Self::CloudConfig => "text/cloud-config",
            Self::Jinja => "text/jinja2",
            Self::Boothook => "text/cloud-boothook",
            Self::Script => "text/x-shellscript",
            Self::Include => "text/x-include-url",
            Self::IncludeOnce => "text/x-include-once-url",
        }
    }

    /// Whether it may be a cloud-config, which is merged with the others.
    pub(crate) const fn is_merged(self) -> bool {
        matches!(self, Self::CloudConfig | Self::Jinja)
    }

    /// The type of a text, or what is wrong with its first line.
    pub(crate) fn of(text: &str) -> Result<Self, &'static str> {
        let first = text.lines().next().unwrap_or_default().trim_end();
        let word = first.split_whitespace().next().unwrap_or_default();
        match word {
            _ if first.starts_with("#!") => Ok(Self::Script),
            "##" if first.starts_with("## template:") && first.ends_with("jinja") => Ok(Self::Jinja),
            "#cloud-config" if first == word => Ok(Self::CloudConfig),
            "#cloud-boothook" => Ok(Self::Boothook),
            "#include" => Ok(Self::Include),
            "#include-once" => Ok(Self::IncludeOnce),
            "#cloud-config-jsonp" | "#part-handler" => {
                Err("it could undo what EHOS tells the server; a #cloud-config can only add to it")
            }
            _ => Err(
                "expected #cloud-config, #!, #cloud-boothook, #include or ## template: jinja on the first line",
            ),
        }
    }
}

/// A piece of user-data beside the template.
#[derive(Clone)]
pub struct Part {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) text: SecretString,
}

/// Shows the name only: the text may hold secrets.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Part {
    /// Reads one piece, or those of a `#cloud-config-archive`.
    ///
    /// `name` is what messages call it, its path for example.
    ///
    /// # Errors
    /// [`TemplateError::Invalid`] with all problems that can be told at once.
    pub fn parse(name: &str, text: &str) -> Result<Vec<Self>, TemplateError> {
        let invalid = |problems| TemplateError::Invalid { template: name.to_owned(), problems };
        if text.lines().next().map(str::trim_end) == Some("#cloud-config-archive") {
            let pieces = pieces(text).map_err(|problem| invalid(vec![problem]))?;
            let named = (1..).zip(pieces).map(|(number, text)| (format!("{name}, piece {number}"), text));
            return named.map(|(name, text)| Self::one(&name, &text)).collect();
        }
        Ok(vec![Self::one(name, text)?])
    }

    fn one(name: &str, text: &str) -> Result<Self, TemplateError> {
        let invalid = |problems| TemplateError::Invalid { template: name.to_owned(), problems };
        let kind = Type::of(text).map_err(|what| invalid(vec![Problem::at(1, 1, what)]))?;
        if kind == Type::CloudConfig {
            let problems = cloud_config::problems_of(text, true);
            if !problems.is_empty() {
                return Err(invalid(problems));
            }
        }
        Ok(Self { name: name.to_owned(), kind, text: text.into() })
    }

    /// A piece of our own making.
    pub(crate) fn ours(name: &str, kind: Type, text: String) -> Self {
        Self { name: name.to_owned(), kind, text: text.into() }
    }
}

/// The texts in an archive. cloud-init would merge them by its own rule, by which a list replaces ours.
fn pieces(text: &str) -> Result<Vec<String>, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    let what = "expected a list of texts, or of keys content: with a text";
    let archive: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Problem::whole(format!("not valid YAML: {}", cloud_config::words_of(&error))))?;
    let entries =
        archive.as_array().filter(|entries| !entries.is_empty()).ok_or_else(|| Problem::whole(what))?;
    let content =
        |entry: &Value| entry.as_str().or_else(|| entry.get("content")?.as_str()).map(str::to_owned);
    entries
        .iter()
        .map(|entry| {
            let text = content(entry).ok_or_else(|| Problem::whole(what))?;
            // A piece without a type of its own is a cloud-config.
            let untyped = entry.get("type").is_none_or(|word| word == Type::CloudConfig.mime());
            let begins = text.starts_with("#!") || text.starts_with('#') && Type::of(&text).is_ok();
            Ok(if untyped && !begins { format!("#cloud-config\n{text}") } else { text })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_a_part_is() {
        for (text, kind) in [
            ("#cloud-config\na: b", Some(Type::CloudConfig)),
            ("#cloud-config\r\n", Some(Type::CloudConfig)),
            ("#!/bin/sh", Some(Type::Script)),
            ("#!/usr/bin/env python3\n", Some(Type::Script)),
            ("#cloud-boothook\n#!/bin/sh", Some(Type::Boothook)),
            ("#include https://example.org/a", Some(Type::Include)),
            ("#include\nhttps://example.org/a", Some(Type::Include)),
            ("#include-once\nhttps://example.org/a", Some(Type::IncludeOnce)),
            ("## template: jinja\n#cloud-config", Some(Type::Jinja)),
            ("#cloud-config-jsonp\n[]", None),
            ("#part-handler\n", None),
            ("#cloud-configuration\n", None),
            ("#cloud-config # mine\n", None),
            ("# cloud-config\n", None),
            ("hostname: a\n", None),
            ("", None),
        ] {
            assert_eq!(Type::of(text).ok(), kind, "{text:?}");
        }
    }

    #[test]
    fn a_part_is_checked_like_a_template() {
        let message = |text: &str| Part::parse("site.yaml", text).unwrap_err().to_string();
        for (text, expected, row) in [
            ("hello", "site.yaml:1:1: expected #cloud-config, #!, ", "no type"),
            ("#part-handler", "site.yaml:1:1: it could undo what EHOS tells", "code inside cloud-init"),
            ("#cloud-config\na: [", "site.yaml:", "YAML"),
            (
                "#cloud-config\nrun_cmd: []",
                "site.yaml:2:1: cloud-init knows no run_cmd; did you mean runcmd?",
                "a key",
            ),
            ("#cloud-config\n- a", "site.yaml: expected keys", "a list"),
            ("#cloud-config-archive\na: b", "site.yaml: expected a list of texts", "an archive that is none"),
            ("#cloud-config-archive\n- [a]", "site.yaml: expected a list of texts", "a list in an archive"),
            (
                "#cloud-config-archive\n- 'run_cmd: []'",
                "site.yaml, piece 1:2:1: cloud-init knows no run_cmd",
                "inside",
            ),
            (
                "#cloud-config-archive\n- {type: text/part-handler, content: x}",
                "site.yaml, piece 1:1:1: expected",
                "a type",
            ),
        ] {
            assert!(message(text).starts_with(expected), "{row}: {}", message(text));
        }
        assert!(!message("#cloud-config\na: hunter2: x\n").contains("hunter2"));
    }

    #[test]
    fn an_archive_is_taken_apart() {
        let text = "#cloud-config-archive\n- |\n  #!/bin/sh\n  true\n- content: |\n    runcmd: []\n- type: text/cloud-config\n  content: |\n    #cloud-config\n    packages: []\n";
        let parts = Part::parse("a", text).unwrap();
        let kinds: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("a, piece 1", Type::Script),
                ("a, piece 2", Type::CloudConfig),
                ("a, piece 3", Type::CloudConfig)
            ]
        );
        assert!(!format!("{parts:?}").contains("true"));
    }
}
