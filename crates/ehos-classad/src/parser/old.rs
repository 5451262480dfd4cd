//! Reads ads in the old syntax: a line an attribute, an empty line between ads.
//!
//! Deliberately refuses what follows an expression on its line; HTCondor drops it.

use super::{Parsed, Parser};
use crate::lexer::Fault;
use crate::{Ad, ParseError};

/// Reads ads in the old syntax, with empty lines between them.
pub(crate) fn old_ads(text: &str) -> Parsed<Vec<Ad>> {
    let mut ads = Vec::new();
    let mut current = Ad::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() {
            if !current.is_empty() {
                ads.push(std::mem::take(&mut current));
            }
            continue;
        }
        if content.starts_with('#') {
            continue;
        }
        let placed = |error: Fault| Box::new(ParseError { line: index + 1, ..*error });
        let (name, expr) = Parser::new(line, true).and_then(Parser::whole_attribute).map_err(placed)?;
        current.insert(name, expr);
    }
    if !current.is_empty() {
        ads.push(current);
    }
    Ok(ads)
}
