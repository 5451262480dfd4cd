//! The text of a file, and its lines as they may be shown.
//!
//! Deliberately shows too little rather than too much: whatever might be a secret is masked.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::keys;
use crate::problem::Place;

/// What stands for a secret.
pub(crate) const MASK: &str = "***";

/// The most characters of a line that are shown.
const WIDTH: usize = 100;

/// Words that make a value suspect, as part of a key or in a comment.
const SUSPECT: &[&str] = &[
    "passw",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "private",
    "influx",
    "database",
];

/// A part of one of the files, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) file: usize,
    pub(crate) range: Range<usize>,
}

/// A file that was read.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Where secrets stand.
    pub(crate) masks: Vec<Range<usize>>,
    /// Whether the text was understood; where not, nobody knows what its lines mean.
    pub(crate) understood: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// Gives line, column and the masked line of a part; of a longer part, its first line.
    pub(crate) fn place(&self, range: &Range<usize>, label: &str) -> Place {
        let start = floor(&self.text, range.start);
        let end = floor(&self.text, range.end.max(range.start));
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        let within = (start - line_start).min(line.len())..(end - line_start).min(line.len());
        let (shown, mark) = self.shown(line, line_start, within);
        Place {
            file: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: column + 1,
            label: label.to_owned(),
            shown,
            mark,
        }
    }

    /// Gives the line as it may be shown, and where `mark` is in it.
    fn shown(&self, line: &str, line_start: usize, mark: Range<usize>) -> (String, Range<usize>) {
        let mut hidden = suspects(line);
        if !self.understood {
            hidden.extend(unknown(line));
        }
        let is_hidden = |at: usize| {
            let in_file = line_start + at;
            hidden.iter().any(|range| range.contains(&at))
                || self.masks.iter().any(|range| range.contains(&in_file))
        };
        let marked_chars = line.get(..mark.start).unwrap_or_default().chars().count();
        let first = marked_chars.saturating_sub(WIDTH / 2);
        let mut shown = String::from(if first > 0 { "…" } else { "" });
        let (mut start, mut end, mut masked) = (None, None, false);
        for (count, (at, char)) in line.char_indices().skip(first).enumerate() {
            if count == WIDTH {
                shown.push('…');
                break;
            }
            let hide = is_hidden(at);
            if at >= mark.start {
                start.get_or_insert(shown.len() - if hide && masked { MASK.len() } else { 0 });
            }
            if at >= mark.end {
                end.get_or_insert(shown.len());
            }
            match char {
                _ if hide && masked => {}
                _ if hide => shown.push_str(MASK),
                '\t' => shown.push(' '),
                control if control.is_control() => shown.push('\u{fffd}'),
                other => shown.push(other),
            }
            masked = hide;
        }
        let trimmed = shown.trim_end().len();
        let end = end.unwrap_or(trimmed);
        let start = start.unwrap_or(trimmed).min(trimmed);
        (shown, start..end.max(start))
    }
}

/// Moves back to the beginning of a character.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == '-'
}

/// Steps from the end of a key to its value.
fn value_start(line: &str, key_end: usize) -> usize {
    let rest = line.get(key_end..).unwrap_or_default();
    line.len() - rest.trim_start_matches(|char: char| char.is_whitespace() || ":=\"'".contains(char)).len()
}

/// Finds what follows a suspect word in a line, and passwords in addresses.
fn suspects(line: &str) -> Vec<Range<usize>> {
    let lower = line.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in SUSPECT.iter().flat_map(|word| lower.match_indices(word)) {
        let start = lower.get(..at).unwrap_or_default().rfind(|char| !is_word(char)).map_or(0, |at| at + 1);
        let rest = lower.get(start..).unwrap_or_default();
        // A character of more than one byte may end the word before.
        let start = start + (rest.len() - rest.trim_start_matches(|char| !is_word(char)).len());
        let word_end = lower.get(start..).and_then(|rest| rest.find(|char| !is_word(char)));
        let word = lower.get(start..word_end.map_or(lower.len(), |end| start + end)).unwrap_or_default();
        if !keys::is_harmless(word) {
            found.push(value_start(line, start + word.len())..line.len());
        }
    }
    for (scheme, _) in lower.match_indices("://") {
        let rest = lower.get(scheme + 3..).unwrap_or_default();
        let address = rest.split(char::is_whitespace).next().unwrap_or_default();
        if let Some(at) = address.rfind('@') {
            found.push(scheme + 3..scheme + 3 + at);
        }
    }
    found
}

/// Finds what may not be shown of a line of which nobody knows what it means: all but keys that are known and harmless,
/// with the first word of their values.
fn unknown(line: &str) -> Option<Range<usize>> {
    let indent = line.len()
        - line.trim_start_matches(|char: char| char.is_whitespace() || "-{[\"'".contains(char)).len();
    let rest = line.get(indent..)?;
    if rest.starts_with('#') || !rest.contains(|char: char| char.is_alphanumeric()) {
        return None;
    }
    let word = rest.split(|char| !is_word(char)).next()?;
    let after = indent + word.len();
    if keys::is_harmless(word) {
        let value = line.get(after..)?;
        let skip =
            value.len() - value.trim_start_matches(|char: char| char.is_whitespace() || char == ':').len();
        let first = value.get(skip..)?.split(char::is_whitespace).next()?;
        return Some(value_start(line, after + skip + first.len())..line.len());
    }
    let is_key = line.get(after..)?.trim_start().starts_with(':');
    Some(if is_key { value_start(line, after)..line.len() } else { 0..line.len() })
}
