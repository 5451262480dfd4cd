//! Replaces the items of a list that stand on lines of their own.
//!
//! Deliberately gives up on lists with anything unusual in them; those are written anew as a whole.

use super::edit::Splices;
use super::parsed::Parsed;
use super::spell;
use crate::tree::{Node, Style};

/// Writes new items on the lines of the old ones; `None` where they do not stand on lines of their own.
pub(super) fn replace(file: &Parsed, items: &[Node], texts: &[String]) -> Option<Splices> {
    let mut splices = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let (line_start, line_end) = (file.line_start(item.range.start), file.line_end(item.range.end));
        let form = &item.form;
        let is_own = form.alias.is_none() && !form.anchored && form.tag.is_none();
        let is_line = !item.range.is_empty() && file.line_start(item.range.end) == line_start;
        let before = file.slice(line_start..item.range.start);
        if !is_own || !is_line || form.style == Style::Block || before.trim() != "-" {
            return None;
        }
        match texts.get(at) {
            Some(text) if item.scalar() == Some(text) => {}
            Some(text) => splices.push((item.range.clone(), spell::scalar(text, form.style))),
            None => {
                let dash = line_start + before.find('-')?;
                let comment =
                    file.comments.iter().find(|comment| dash < comment.start && comment.end <= line_end);
                let above = file.slice(0..line_start);
                let above = above.strip_suffix('\n').unwrap_or(above);
                let above = above.strip_suffix('\r').unwrap_or(above).len();
                let gone = comment.map_or(above..line_end, |comment| dash..comment.start);
                splices.push((gone, String::new()));
            }
        }
    }
    let last = items.last()?;
    let before = file.slice(file.line_start(last.range.start)..last.range.start);
    let more: Vec<String> = texts
        .iter()
        .skip(items.len())
        .map(|text| format!("{}{before}{}", file.line_break(), spell::scalar(text, Style::Plain)))
        .collect();
    let at = file.line_end(last.range.end);
    splices.push((at..at, more.concat()));
    Some(splices)
}
