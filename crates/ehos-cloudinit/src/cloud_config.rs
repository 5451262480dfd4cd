//! Proves that a rendered text is a cloud-config that cloud-init reads and Nova takes.
//!
//! Deliberately knows only the names on the top level; what is below them is for cloud-init's own schema.

use serde_json::{Map, Value};

use crate::error::did_you_mean;
use crate::{Place, Problem, TemplateError};

/// The most user-data that Nova takes, characters of base64 (*Nova `user_data`*, a column of 65 535 bytes).
pub const NOVA_BASE64_LIMIT: usize = 65_535;

/// The keys that cloud-init 25.1 knows (*`schema-cloud-config-v1.json`*); 22.4 silently ignores others.
const KEYS: &str = include_str!("cloud-config-keys.txt");

/// Checks that `text` is YAML without duplicate keys, a mapping, and has known keys only.
///
/// `same_lines` says that its lines are those of the template.
pub(crate) fn check(text: &str, same_lines: bool) -> Result<(), Problem> {
    let place = |line, column| {
        if same_lines { Place::Source { line, column } } else { Place::Rendered { line, column } }
    };
    // A snippet would show neighbouring lines, the token's among them.
    let options = serde_saphyr::options! { with_snippet: false };
    let config: Map<String, Value> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let place = error.location().map_or(Place::Whole, |at| place(number(at.line()), number(at.column())));
        Problem { place, what: format!("not valid YAML: {}", words_of(&error)) }
    })?;
    for key in config.keys() {
        if !known_keys().any(|known| known == key) {
            let line =
                text.lines().position(|line| line.trim_start_matches(['"', '\'']).starts_with(key.as_str()));
            let what = format!("cloud-init knows no {key}{}", did_you_mean(key, known_keys()));
            return Err(Problem { place: line.map_or(Place::Whole, |line| place(line + 1, 1)), what });
        }
    }
    Ok(())
}

/// Checks that Nova will take it.
pub(crate) fn check_size(template: &str, text: &str) -> Result<(), TemplateError> {
    let base64 = text.len().div_ceil(3) * 4;
    if base64 <= NOVA_BASE64_LIMIT {
        return Ok(());
    }
    let template = template.to_owned();
    Err(TemplateError::TooLarge { template, bytes: text.len(), base64, limit: NOVA_BASE64_LIMIT })
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    KEYS.lines().filter(|line| !line.starts_with('#'))
}

/// The parser's words on the first line, without what they quote: that may be a secret.
fn words_of(error: &serde_saphyr::Error) -> String {
    let words = error.to_string();
    words.lines().next().unwrap_or_default().to_owned()
}
