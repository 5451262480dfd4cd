//! Writes the reference of all keys and the example from the table.
//!
//! Deliberately the only source of both, so that they cannot drift away from what is read.

use std::fmt::Write as _;

use crate::keys::{self, GONE, KEYS, Key, Kind, Section};

const INTRODUCTION: &str = "\
# Configuration

One file, `ehos.yaml`, serves all EHOS programs; [`etc/ehos.yaml.example`](../etc/ehos.yaml.example) is one to start from.

- Several files may be given: later ones override earlier ones key by key, so that secrets can stand in a file of their own.
  A list is replaced as a whole. What is not set in a later file stays as the earlier one has it.
- `None`, nothing, and `<PLACEHOLDER>` mean *not set*. Where `none` is a value, the table says so.
- Unknown keys are errors, with the nearest known one. Names of the Python EHOS are understood, with a warning.
- Times: `30s`, `5m`, `1h 30m`, `7d`; a bare number is seconds. Sizes: `8GiB`, `512MiB`; G and GB mean GiB.
- Paths are relative to the file they stand in; `~/` is your home.
- Without a path the first `ehos.yaml` in one of these folders is read: `/etc/ehos`, `/usr/local/etc/ehos`, `etc`, `etc/ehos`,
  `PREFIX/etc/ehos`, `PREFIX/etc`, `/usr/share/ehos`, `/usr/local/share/ehos`, `share`, `share/ehos`, `PREFIX/share/ehos`,
  `PREFIX/share`, `.`; PREFIX is the folder above the program's own.
- Embedded clouds bring a pool of their own, so a file has embedded clouds or real ones, not both.

This page is generated from the table that the files are checked against.
";

const EXAMPLE_HEAD: &str = "\
# The configuration of EHOS. Copy it to ehos.yaml, fill in your cloud, and see whether it is right:
#     ehosd --check ehos.yaml
# A line that begins with `#` and no space is a key that is switched off. `None` means: not set.
# All keys: docs/configuration.md. Since there are secrets in it: chmod 600 ehos.yaml
";

const SECTIONS: [Section; 9] = [
    Section::Top,
    Section::Cloud,
    Section::Ehos,
    Section::Daemon,
    Section::Condor,
    Section::CloudEmbedded,
    Section::Flavor,
    Section::Embedded,
    Section::Load,
];

/// Writes the reference of all keys, `docs/configuration.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let path = section.path(None);
        let title = if path.is_empty() { "The file".to_owned() } else { format!("`{path}`") };
        let _ = write!(
            text,
            "\n## {title}\n\n{}\n\n| Key | Value | Default | |\n|---|---|---|---|\n",
            section.doc()
        );
        for key in keys::of(section) {
            let names: Vec<String> =
                [key.name].iter().chain(key.aliases).map(|name| format!("`{name}`")).collect();
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            let _ =
                writeln!(text, "| {} | {} | {default} | {} |", names.join(", "), key.kind.expects(), key.doc);
        }
    }
    text.push_str("\n## Names of the Python EHOS\n\n| Then | Now |\n|---|---|\n");
    text.push_str("| `cloud` | `clouds.default` |\n");
    for key in KEYS {
        for old in key.old {
            let then = if old.contains('.') {
                (*old).to_owned()
            } else {
                format!("{}.{old}", key.section.path(None))
            };
            let _ = writeln!(text, "| `{then}` | `{}.{}` |", key.section.path(None), key.name);
        }
    }
    for gone in GONE {
        let path = gone.section.path(None);
        let then = if path.is_empty() { gone.name.to_owned() } else { format!("{path}.{}", gone.name) };
        let _ = writeln!(text, "| `{then}` | not read: {} |", gone.instead);
    }
    text
}

/// Writes the example, `etc/ehos.yaml.example`.
#[must_use]
pub fn example_yaml() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    text.push('\n');
    comment(&mut text, "", Section::Cloud.doc());
    text.push_str("clouds:\n  bergen:\n");
    section(&mut text, Section::Cloud, "    ");
    for each in [Section::Ehos, Section::Daemon, Section::Condor] {
        text.push('\n');
        comment(&mut text, "", each.doc());
        let _ = writeln!(text, "{}:", each.path(None));
        section(&mut text, each, "  ");
    }
    text
}

fn section(text: &mut String, section: Section, indent: &str) {
    for key in keys::of(section) {
        comment(text, indent, &prose(key));
        let (sample, is_on) = key.sample();
        let off = if is_on { "" } else { "#" };
        let name = key.name;
        let _ = writeln!(text, "{indent}{off}{name}: {sample}");
    }
}

/// Says what a key does, and which words it takes.
fn prose(key: &Key) -> String {
    match key.kind {
        Kind::Word(_) => format!("{} One of {}.", key.doc, key.kind.expects()),
        _ => key.doc.to_owned(),
    }
}

fn comment(text: &mut String, indent: &str, prose: &str) {
    let mut line = String::new();
    for word in prose.split_whitespace() {
        if line.len() + word.len() + indent.len() > 96 {
            let _ = writeln!(text, "{indent}# {}", line.trim_end());
            line.clear();
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(text, "{indent}# {}", line.trim_end());
}
