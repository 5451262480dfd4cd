//! Says what keeps a text from being YAML, and what people mostly mean there.
//!
//! Deliberately guesses in help lines only; the error itself is the parser's.

use std::ops::Range;

use granit_parser::ScanError;

use crate::keys;

/// What makes a text no configuration.
pub(crate) struct Fault {
    pub(crate) range: Range<usize>,
    pub(crate) title: String,
    pub(crate) label: String,
    pub(crate) help: Vec<String>,
    /// The first of two equal keys.
    pub(crate) other: Option<Range<usize>>,
    /// What is left out of the tree and might be a secret.
    pub(crate) dropped: Option<Range<usize>>,
}

impl Fault {
    pub(super) fn new(range: Range<usize>, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { range, title: title.into(), label: label.into(), help: Vec::new(), other: None, dropped: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        if !self.help.contains(&help) {
            self.help.push(help);
        }
        self
    }
}

/// Says what the parser stumbled over, and what it most often is.
pub(super) fn scan_fault(error: &ScanError, text: &str) -> Fault {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    // At the end of the text there is nothing to see; what is unfinished is on the last line that has something.
    let at =
        if text.get(at..).is_some_and(|rest| rest.trim().is_empty()) { text.trim_end().len() } else { at };
    let title = format!("this is no YAML: {}", error.info());
    let mut fault = Fault::new(at..at + 1, title, "not understood from here on");
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let lines = text.get(..start).and_then(|before| before.lines().last()).into_iter();
    let lines = lines.chain(text.get(start..).and_then(|rest| rest.lines().next()));
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        if line.get(..indent).is_some_and(|indent| indent.contains('\t')) {
            fault = fault.help("YAML is indented by spaces, never by tabs");
        }
        let body = line.trim_start();
        let word =
            body.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(body.len());
        let after = body.get(word..).unwrap_or_default();
        if word > 0 && after.starts_with(':') && after.len() > 1 && !after.starts_with(": ") {
            fault = fault.help("a space is needed behind the `:` of a key");
        }
        if after.starts_with(' ')
            && !after.trim_start().starts_with(':')
            && keys::is_key(body.get(..word).unwrap_or_default())
        {
            fault =
                fault.help(format!("is a `:` missing behind `{}`?", body.get(..word).unwrap_or_default()));
        }
        if body.matches(": ").count() > 1 && !body.starts_with(['#', '{']) {
            fault = fault.help("a value with `: ` in it must stand in quotes");
        }
        if word > 0
            && after
                .get(1..)
                .is_some_and(|value| value.trim_start().starts_with(['%', '@', '`', '*', '&', '!']))
        {
            fault = fault.help("a value that begins with one of %@`*&! must stand in quotes");
        }
    }
    fault
}
