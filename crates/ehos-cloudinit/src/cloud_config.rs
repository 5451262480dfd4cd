//! Proves that a rendered text is a cloud-config that cloud-init reads.
//!
//! Deliberately knows only the names on the top level; what is below them is for cloud-init's own schema.

use serde_json::Value;
use serde_saphyr::UserMessageFormatter;

use crate::error::did_you_mean;
use crate::{Place, Problem};

/// The keys that cloud-init 25.1 knows (*`schema-cloud-config-v1.json`*); 22.4 silently ignores others.
const KEYS: &str = include_str!("cloud-config-keys.txt");

/// Lists what is wrong with `text`: not YAML, duplicate keys, no mapping, keys that cloud-init does not know.
///
/// `same_lines` says that its lines are those of the template.
pub(crate) fn problems_of(text: &str, same_lines: bool) -> Vec<Problem> {
    let place = |line, column| {
        if same_lines { Place::Source { line, column } } else { Place::Rendered { line, column } }
    };
    // A snippet would show neighbouring lines, the token's among them.
    let options = serde_saphyr::options! { with_snippet: false };
    let config: Value = match serde_saphyr::from_str_with_options(text, options) {
        Ok(config) => config,
        Err(error) => {
            let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let place =
                error.location().map_or(Place::Whole, |at| place(number(at.line()), number(at.column())));
            return vec![Problem { place, what: format!("not valid YAML: {}", words_of(&error)) }];
        }
    };
    let Value::Object(config) = config else {
        return vec![Problem::whole("expected keys and values, as in hostname: {{node}}")];
    };
    let unknown = config.keys().filter(|key| known_keys().all(|known| known != *key));
    unknown
        .map(|key| {
            let is_it = |line: &str| line.trim_start_matches(['"', '\'']).starts_with(key.as_str());
            let place = text.lines().position(is_it).map_or(Place::Whole, |line| place(line + 1, 1));
            Problem { place, what: format!("cloud-init knows no {key}{}", did_you_mean(key, known_keys())) }
        })
        .collect()
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    KEYS.lines().filter(|line| !line.starts_with('#'))
}

/// The parser's words without the place, which is told otherwise.
pub(crate) fn words_of(error: &serde_saphyr::Error) -> String {
    let words = error.render_with_formatter(&UserMessageFormatter);
    words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words).to_owned()
}
