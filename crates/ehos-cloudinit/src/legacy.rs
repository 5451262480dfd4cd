//! Translates the tags of the Python EHOS, so that people's own templates go on working.
//!
//! Deliberately takes known names only and leaves all other braces alone: `${HOME}`, `{}`, `{a,b}` and what stands
//! in comments or inside `{{…}}` is somebody else's.

use crate::{Kind, Place};

/// A tag of the old form with its new spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Old {
    /// As it is written, without its braces.
    pub(crate) name: &'static str,
    /// The tag that takes its place.
    pub(crate) tag: &'static str,
    /// What to write today.
    pub(crate) advice: &'static str,
}

const OLD: [Old; 4] = [
    Old { name: "master_ip", tag: "host_ip", advice: "{{host_ip}}" },
    Old { name: "host_ip", tag: "host_ip", advice: "{{host_ip}}" },
    Old { name: "uid_domain", tag: "uid_domain", advice: "{{uid_domain}}" },
    Old {
        name: "password",
        tag: "password",
        advice: "{{b64 token}} with authentication: idtokens, so that a node joins with a token of its own",
    },
];

/// Stood for a list of files, alone on its line.
const FILES: &str = "#{write_files}";

/// Finds the old tag that `name` was, for a message.
pub(crate) fn old(name: &str) -> Option<Old> {
    OLD.into_iter().find(|old| old.name == name)
}

/// A template in today's form.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The text; each line is still the line of the template that it was.
    pub(crate) text: String,
    /// Old tags, with the line and the column of each in the template.
    pub(crate) found: Vec<(usize, usize, Old)>,
    /// The line of the place for files.
    pub(crate) files: Option<usize>,
    /// Line, column behind a tag in the new text, and how much further left that was in the template.
    shifts: Vec<(usize, usize, isize)>,
}

impl Translated {
    /// Says where in the template a place of [`Translated::text`] was.
    pub(crate) fn place(&self, place: Place) -> Place {
        let Place::Source { line, column } = place else { return place };
        let shift: isize =
            self.shifts.iter().filter(|(at, behind, _)| *at == line && *behind <= column).map(|s| s.2).sum();
        Place::Source { line, column: column.saturating_add_signed(shift) }
    }

    /// Says what to write instead, a line for each name.
    pub(crate) fn warnings(&self, kind: Kind) -> Vec<String> {
        let mut warnings = Vec::new();
        for old in OLD {
            let lines: Vec<_> =
                self.found.iter().filter(|(_, _, found)| *found == old).map(|at| at.0.to_string()).collect();
            if !lines.is_empty() {
                let (name, advice, lines) = (old.name, old.advice, lines.join(", "));
                warnings.push(format!("{{{name}}} in line {lines} is a tag of the old form; write {advice}"));
            }
        }
        if let Some(line) = self.files {
            let name = kind.file_name();
            warnings.push(format!(
                "{FILES} in line {line} is a tag of the old form; write the files themselves, as in {name}"
            ));
        }
        warnings
    }
}

/// Translates a template; `fill` gives what is put in an old tag's place, and none leaves the tag as it is.
pub(crate) fn translate(source: &str, fill: impl Fn(Old) -> Option<String>) -> Translated {
    let mut out = Translated {
        text: String::with_capacity(source.len()),
        found: Vec::new(),
        files: None,
        shifts: Vec::new(),
    };
    // Tags of handlebars and of jinja may span lines.
    let mut until: Option<&str> = None;
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        if until.is_none() && line.trim() == FILES {
            out.files = Some(number);
            out.text.push_str(&line.replacen(FILES, "#", 1));
            continue;
        }
        let comment = line.trim_start().starts_with('#');
        let (mut rest, start) = (line, out.text.len());
        while let Some(brace) = rest.find(['{', '}', '%']) {
            let (before, at) = rest.split_at(brace);
            out.text.push_str(before);
            let taken = if let Some(end) = until {
                if at.starts_with(end) {
                    until = None;
                }
                if at.starts_with(end) { end.len() } else { 1 }
            } else if let Some((begin, end)) = BLOCKS.into_iter().find(|(begin, _)| at.starts_with(begin)) {
                until = Some(end);
                begin.len()
            } else if let Some(old) = old_at(at).filter(|_| !comment && !before.ends_with(['$', '\\'])) {
                let (column, length) =
                    (line[..line.len() - at.len()].chars().count() + 1, old.name.len() + 2);
                if let Some(new) = fill(old) {
                    out.text.push_str(&new);
                    let behind = out.text[start..].chars().count() + 1;
                    out.shifts.push((
                        number,
                        behind,
                        length.cast_signed() - new.chars().count().cast_signed(),
                    ));
                } else {
                    out.text.push_str(&at[..length]);
                }
                out.found.push((number, column, old));
                rest = &at[length..];
                continue;
            } else {
                1
            };
            out.text.push_str(&at[..taken]);
            rest = &at[taken..];
        }
        out.text.push_str(rest);
    }
    out
}

/// What other languages put between braces.
const BLOCKS: [(&str, &str); 3] = [("{{{", "}}}"), ("{{", "}}"), ("{%", "%}")];

fn old_at(text: &str) -> Option<Old> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    old(name)
}

/// Puts `files`, items of a list, first into the list `write_files` of a cloud-config, or appends such a list.
///
/// # Errors
/// The line of a `write_files` that is not written as a list below it.
pub(crate) fn insert_files(text: &str, files: &[&str]) -> Result<String, usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let block = |indent: usize| files.iter().map(move |line| indented(line, indent));
    let Some(key) = lines.iter().position(|line| line.starts_with("write_files:")) else {
        out.push("write_files:".to_owned());
        out.extend(block(2));
        return Ok(out.join("\n") + "\n");
    };
    let value = lines[key]["write_files:".len()..].trim();
    if !value.is_empty() && !value.starts_with('#') {
        return Err(key + 1);
    }
    let first = lines[key + 1..]
        .iter()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .filter(|line| line.trim_start().starts_with('-'));
    let indent = first.map_or(2, |line| line.len() - line.trim_start().len());
    let after = out.split_off(key + 1);
    out.extend(block(indent));
    out.extend(after);
    Ok(out.join("\n") + "\n")
}

fn indented(line: &str, indent: usize) -> String {
    if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") }
}

/// Takes the items of the list `write_files` out of one of our own templates, without their indentation.
pub(crate) fn files_of(text: &str) -> Vec<&str> {
    text.lines()
        .skip_while(|line| *line != "write_files:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is not known is not touched, whatever it is.
        #[test]
        fn a_text_without_old_tags_stays(text in "([{}%$#\\\\a\u{e6}\n -]|master_ip|\\{x\\}){0,40}") {
            let translated = translate(&text, |_| None);
            prop_assert_eq!(&translated.text, &text);
            if translated.found.is_empty() {
                prop_assert_eq!(translate(&text, |_| Some("!".into())).text, text);
            }
        }

        /// Wherever the list is and however it is indented, the result is YAML with our files before the others.
        #[test]
        fn files_come_first_in_any_list(indent in 0..8_usize, gap in 0..3_usize, others in 0..3_usize, before in any::<bool>()) {
            let item = format!("{:indent$}-   path: /c\n", "");
            let text = format!("{}write_files:\n{}{}z: 1\n", if before { "a: b\n" } else { "" }, "\n".repeat(gap), item.repeat(others));
            let out = insert_files(&text, &["- path: /a", "  content: |", "    x", "- path: /b"]).unwrap();
            let yaml: serde_json::Value = serde_saphyr::from_str(&out).unwrap();
            let paths: Vec<_> = yaml["write_files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
            prop_assert_eq!(&paths[..2], &["/a", "/b"]);
            prop_assert_eq!((paths.len(), &yaml["z"]), (2 + others, &1.into()));
        }
    }

    fn today(source: &str) -> String {
        translate(source, |old| Some(format!("{{{{{}}}}}", old.tag))).text
    }

    #[test]
    fn known_names_are_translated_and_look_alikes_left_alone() {
        for (source, expected, row) in [
            ("a: {master_ip}", "a: {{host_ip}}", "the master"),
            ("a: {host_ip}", "a: {{host_ip}}", "the same"),
            (
                "a: x{uid_domain}y{password}",
                "a: x{{uid_domain}}y{{password}}",
                "within a word, two in a line",
            ),
            ("a: {{b {master_ip}", "a: {{b {master_ip}", "inside a tag that is not closed"),
            ("a: {{host_ip}} {host_ip}", "a: {{host_ip}} {{host_ip}}", "behind a tag of today"),
            ("a: {{{host_ip}}}", "a: {{{host_ip}}}", "in three braces"),
            ("a: {{b64\npassword}} {password}", "a: {{b64\npassword}} {{password}}", "a tag over two lines"),
            ("a: {% if {host_ip} %}{host_ip}", "a: {% if {host_ip} %}{{host_ip}}", "inside jinja's"),
            ("a: ${host_ip}", "a: ${host_ip}", "a shell's variable"),
            ("a: \\{host_ip}", "a: \\{host_ip}", "escaped"),
            ("  # a: {password}", "  # a: {password}", "a comment"),
            (
                "a: ${HOME} {} {a,b} {ip_range} awk '{print $1}'",
                "a: ${HOME} {} {a,b} {ip_range} awk '{print $1}'",
                "others'",
            ),
            ("a: }{master_ip}}", "a: }{{host_ip}}}", "beside braces"),
            ("  #{write_files}\nx", "  #\nx", "the place for files"),
            ("a: '#{write_files}'", "a: '#{write_files}'", "not alone on its line"),
            ("\u{e6}: {", "\u{e6}: {", "an end"),
        ] {
            assert_eq!(today(source), expected, "{row}");
        }
    }

    #[test]
    fn a_place_behind_a_translated_tag_is_told_as_in_the_template() {
        let translated = translate("\u{e6}: {uid_domain} {x}\n{y}", |_| Some("{{uid_domain}}".into()));
        let place = |line, column| translated.place(Place::Source { line, column });
        assert_eq!(place(1, 3), Place::Source { line: 1, column: 3 });
        assert_eq!(place(1, 19), Place::Source { line: 1, column: 17 });
        assert_eq!(place(2, 19), Place::Source { line: 2, column: 19 });
        assert_eq!(place(0, 1), Place::Source { line: 0, column: 1 });
        assert_eq!(translated.found[0].1, 4);
    }

    #[test]
    fn files_are_put_where_the_list_is() {
        let files = ["- path: /a", "  content: |", "    x", "", "- path: /b"];
        for (text, expected, row) in [
            (
                "a: b\nwrite_files:\n-   path: /c\nd: e\n",
                "a: b\nwrite_files:\n- path: /a\n  content: |\n    x\n\n- path: /b\n-   path: /c\nd: e\n",
                "at the margin",
            ),
            (
                "write_files: # mine\n\n    # c\n    - path: /c",
                "write_files: # mine\n    - path: /a\n      content: |\n        x\n\n    - path: /b\n\n    # c\n    - path: /c\n",
                "indented",
            ),
            (
                "write_files:\n#\na: b\n",
                "write_files:\n  - path: /a\n    content: |\n      x\n\n  - path: /b\n#\na: b\n",
                "an empty list",
            ),
            (
                "a: b",
                "a: b\nwrite_files:\n  - path: /a\n    content: |\n      x\n\n  - path: /b\n",
                "no list",
            ),
        ] {
            assert_eq!(insert_files(text, &files).as_deref(), Ok(expected), "{row}");
        }
        assert_eq!(insert_files("a: b\nwrite_files: []\n", &files), Err(2));
    }

    #[test]
    fn our_own_files_are_found() {
        assert_eq!(
            files_of("a: b\nwrite_files:\n  - path: /a\n    x: y\n\n  # z\n  - b\n\nruncmd: c\n"),
            ["- path: /a", "  x: y", "", "# z", "- b", ""]
        );
    }
}
