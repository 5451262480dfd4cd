//! What holds for any file and any value.

use ehos_config::{Config, Edit, WriteBackError, changes, write_back};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

use crate::files::Files;

/// How a section is written.
#[derive(Clone, Copy, Debug)]
enum Style {
    Block,
    Braces,
    /// Braces over several lines.
    Wide,
    /// The same with a comma behind the last entry.
    Comma,
}

/// One key of a section, as it may stand there; none where the form is [`Form::Absent`].
#[derive(Clone, Copy, Debug)]
enum Form {
    Absent,
    None,
    Single,
    Double,
    Empty,
    Literal,
    NextLine,
    Placeholder,
    List,
    Lines,
}

const FORMS: [Form; 8] = [
    Form::Absent,
    Form::None,
    Form::Single,
    Form::Double,
    Form::Empty,
    Form::Literal,
    Form::NextLine,
    Form::Placeholder,
];

const LISTS: [Form; 4] = [Form::Absent, Form::Single, Form::List, Form::Lines];

#[derive(Clone, Debug)]
struct Section {
    style: Style,
    /// Where among its neighbours the key stands.
    place: usize,
    form: Form,
    comments: bool,
}

impl Section {
    /// Writes the section, and tells how long the value is in it; `indent` is that of its keys.
    fn text(&self, key: &str, others: &[&str], indent: &str) -> (String, usize) {
        let mut entries: Vec<String> = others.iter().map(|entry| (*entry).to_owned()).collect();
        let is_block = matches!(self.style, Style::Block);
        let value = match self.form {
            Form::Absent => None,
            Form::None => Some(" None".to_owned()),
            Form::Single => Some(" 'old ''one'".to_owned()),
            Form::Double => Some("   \"old \\\"one\\u00e5\"".to_owned()),
            Form::Empty => Some(String::new()),
            Form::Literal if is_block => Some(format!(" |-\n{indent}  old one")),
            Form::NextLine | Form::Literal => Some(format!("\n{indent}  old")),
            Form::Placeholder => Some(" <YOUR ONE>".to_owned()),
            Form::Lines if is_block => Some(format!("\n{indent}- 'old'\n{indent}- older")),
            Form::List | Form::Lines => Some(" [old, 'older']".to_owned()),
        };
        let has_comments = self.comments && !matches!(self.style, Style::Braces);
        let comment = if has_comments { "  # æ {[" } else { "" };
        // Behind the last line of a list its comment stays in the middle of what is new.
        let within = if matches!(self.form, Form::Lines) { comment.len() } else { 0 };
        let length = value.as_ref().map_or(0, |value| value.trim().len() + within);
        if let Some(value) = value {
            entries.insert(self.place.min(entries.len()), format!("{key}:{value}"));
        }
        let text = match self.style {
            Style::Block => {
                // Behind the header of a literal a comment would be part of the text.
                let comment_of = |entry: &str| if entry.contains('|') { "" } else { comment };
                let line = |entry: &String| format!("{indent}{entry}{}\n", comment_of(entry));
                let lines: Vec<String> = entries.iter().map(line).collect();
                format!("{comment}\n{}", lines.concat())
            }
            Style::Braces => format!(" {{{}}}\n", entries.join(", ")),
            Style::Wide | Style::Comma => {
                let last = if matches!(self.style, Style::Comma) { "," } else { "" };
                let lines = entries.join(&format!(",{comment}\n{indent}"));
                format!(" {{{comment}\n{indent}{lines}{last}{comment}\n{indent}}}\n")
            }
        };
        (text, length)
    }
}

fn section(forms: &'static [Form]) -> impl Strategy<Value = Section> {
    let style = prop_oneof![Just(Style::Block), Just(Style::Braces), Just(Style::Wide), Just(Style::Comma)];
    (style, 0..4_usize, prop::sample::select(forms), any::<bool>())
        .prop_map(|(style, place, form, comments)| Section { style, place, form, comments })
}

/// A file and how long its old values are: an image, security groups, a cloud's own key, a password.
fn file() -> impl Strategy<Value = (String, [usize; 4])> {
    let sections = (section(&FORMS), section(&LISTS), section(&FORMS));
    (sections, prop_oneof![Just("\n"), Just("\r\n")], any::<[bool; 3]>()).prop_map(
        |((cloud, ehos, condor), end, [mark, last, order])| {
            let login = [
                "auth_url: https://k.example.org/v3",
                "username: 'ål'",
                "password: hunter2",
                "project_name: p",
            ];
            let (cloud, image) = cloud.text("image", &login, "    ");
            let (ehos, groups) = ehos.text("security_groups", &["flavor: m1", "key: k"], "  ");
            let (condor, password) = condor.text("password", &["pool_id: p", "host_ip: 192.0.2.1"], "    ");
            let mut parts = [
                format!("clouds: # all\n  bergen:{cloud}"),
                format!("ehos:{ehos}"),
                format!("\ncondor:{condor}"),
            ];
            if order {
                parts.reverse();
            }
            let text = parts.concat().replace('\n', end);
            let text = if last { text } else { text.trim_end().to_owned() };
            (format!("{}{text}", if mark { "\u{feff}" } else { "" }), [image, groups, 0, password])
        },
    )
}

fn value() -> impl Strategy<Value = String> {
    let words = [
        "yes",
        "0123456789",
        "123e4567",
        "1_000",
        "0x1f",
        "1:20",
        ".5",
        "~a",
        "-",
        "?",
        "<<",
        "=",
        "2026-11-24",
    ];
    let text = prop_oneof![
        "[!-~]([ -~]{0,20}[!-~])?",
        "[a-zæ🦀\u{2028}\u{feff}\u{a0}:#,'\"\\\\{}\\[\\]&*!|>%@`-]{1,12}",
        "[0-9a-f.xeo+:_-]{1,12}",
        prop::sample::select(words.to_vec()).prop_map(ToOwned::to_owned),
    ];
    text.prop_filter("blanks at the ends are refused", |text| text.trim() == text)
}

/// What may look like a file, and now and then is one.
fn scraps() -> impl Strategy<Value = String> {
    let scraps = [
        "clouds:",
        "bergen:",
        "oslo:",
        "image:",
        "condor:",
        "password:",
        "ehos:",
        "network:",
        "x",
        "None",
        "'x'",
        "\"å\"",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        " ",
        "  ",
        "\r\n",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        "- ",
        "? ",
        ": ",
        "&a ",
        "*a",
        "<<: *a",
        "!!str ",
        "| ",
        ">-",
        "# c",
        " # å",
        "---\n",
        "\n...",
        "\u{feff}",
        "å🦀",
        "~",
        "<X>",
        "''",
    ];
    let scrap = prop::sample::select(scraps.to_vec());
    let starts = [
        "",
        "clouds:\n  bergen:",
        "clouds: {bergen: {",
        "x: &a {image: y}\nclouds:\n  bergen:",
        "condor:",
        "ehos: {",
    ];
    (prop::sample::select(starts.to_vec()), prop::collection::vec(scrap, 0..14))
        .prop_map(|(start, scraps)| format!("{start}{}", scraps.concat()))
}

/// Tells whether a text became another by replacing at most `length` bytes and their line ends in one place, or by
/// insertions alone.
fn is_kept(before: &str, after: &str, length: usize) -> bool {
    let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let same_end = before.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
    let mut rest = after.chars();
    let is_added = before.chars().all(|char| rest.any(|other| other == char));
    let line_ends = if before.contains('\r') { 2 } else { 0 };
    if length == 0 { is_added } else { same + same_end + length + line_ends >= before.len() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_value_changes((before, lengths) in file(), values in prop::collection::vec(value(), 1..4), which in 0..4_usize) {
        let first = values[0].clone();
        let edit = match which {
            0 => Edit::cloud("bergen", "image", first.clone()),
            1 => Edit::ehos("security_groups", values.clone()),
            2 => Edit::cloud_ehos("bergen", "key", first.clone()),
            _ => Edit::condor("password", SecretString::from(first.clone())),
        };
        let files = Files::new();
        let path = files.write("ehos.yaml", &before);
        let load = || files.load(std::slice::from_ref(&path)).map(|loaded| loaded.config);
        let old = load().map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        let written = match write_back(std::slice::from_ref(&path), &[edit]) {
            Err(WriteBackError::Value { .. }) => return Err(TestCaseError::reject("reads as not set")),
            other => other.map_err(|error| TestCaseError::fail(error.to_string()))?,
        };
        let after = std::fs::read_to_string(&path).unwrap();
        let new = load().map_err(|problems| TestCaseError::fail(format!("{problems}\n{after}")))?;
        let changed: Vec<String> = changes(&old, &new).into_iter().map(|change| change.key).collect();
        let expected = if written[0].backup.is_some() { vec![written[0].key.clone()] } else { vec![] };
        prop_assert_eq!(changed, expected);
        prop_assert_eq!(read(&new, which), if which == 1 { values } else { vec![first] });
        prop_assert!(is_kept(&before, &after, lengths[which]), "{}\n->\n{}", before, after);
        let comments = |text: &str| text.matches('#').count();
        prop_assert!(comments(&after) >= comments(&before));
        prop_assert_eq!(before.contains("\r\n"), after.contains("\r\n"));
        prop_assert_eq!(after.matches('\n').count() == after.matches("\r\n").count(), after.contains("\r\n"));
    }

    #[test]
    fn whatever_stands_there_is_written_right_or_left_alone(before in scraps(), which in 0..4_usize) {
        let edit = || match which {
            0 => Edit::cloud("bergen", "image", "it's new"),
            1 => Edit::ehos("network", vec!["new".to_owned(), "123".to_owned()]),
            2 => Edit::cloud_ehos("bergen", "network", "new"),
            _ => Edit::condor("password", SecretString::from("new")),
        };
        let files = Files::new();
        let path = files.write("ehos.yaml", &before);
        let write = || write_back(std::slice::from_ref(&path), &[edit()]);
        if let Ok(written) = write() {
            let after = std::fs::read_to_string(&path).unwrap();
            prop_assert_eq!(written[0].backup.is_some(), before != after);
            let again = write().map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&again[0].backup, &None, "the value is there now: {}", after);
            prop_assert!(again[0].line >= 1 && again[0].line <= after.split(['\n', '\r']).count());
        } else {
            prop_assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        }
    }
}

fn read(config: &Config, which: usize) -> Vec<String> {
    let cloud = &config.clouds[0];
    match which {
        0 => cloud.servers.image.clone().into_iter().collect(),
        1 => cloud.servers.security_groups.clone(),
        2 => cloud.servers.key.clone().into_iter().collect(),
        _ => config.condor.password.iter().map(|secret| secret.expose_secret().to_owned()).collect(),
    }
}
