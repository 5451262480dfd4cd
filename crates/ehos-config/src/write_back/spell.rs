//! Writes a value as YAML that every reader takes for the same text.
//!
//! Deliberately quotes too often rather than too seldom: readers of YAML 1.1 and 1.2 differ in what they take for a
//! number, a date or a yes.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::tree::Style;

/// Words that some reader takes for something else than a text.
const WORDS: &[&str] =
    &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nil", "nan", "inf", "infinity"];

/// Writes a text: quoted as what stood there before, else plain where that is safe.
pub(super) fn scalar(text: &str, before: Style) -> String {
    match before {
        _ if text.chars().any(must_be_escaped) => double(text),
        Style::Single => single(text),
        Style::Double => double(text),
        Style::Plain | Style::Block | Style::Flow if is_safe(text) => text.to_owned(),
        _ if text.contains('\'') => double(text),
        _ => single(text),
    }
}

/// Writes a list in brackets.
pub(super) fn list(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| scalar(text, Style::Plain)).collect();
    format!("[{}]", items.join(", "))
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\t' => quoted.push_str("\\t"),
            char if must_be_escaped(char) => {
                let code = u32::from(char);
                let _ = if code > 0xffff {
                    write!(quoted, "\\U{code:08X}")
                } else {
                    write!(quoted, "\\u{code:04X}")
                };
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// Tells whether a character may not stand as itself: YAML 1.1 ends lines at some, and others nobody sees.
fn must_be_escaped(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}')
        || matches!(char, '\u{feff}' | '\u{fff9}'..='\u{ffff}')
        || u32::from(char) & 0xfffe == 0xfffe
}

/// Tells whether a text without quotes is that text to every reader, in brackets and braces, too.
fn is_safe(text: &str) -> bool {
    let is_word = |char: char| char.is_ascii_alphanumeric() || (!char.is_ascii() && char.is_alphanumeric());
    let is_inner = |char: char| is_word(char) || "_-./+@ ".contains(char);
    let starts_well =
        text.starts_with(|char: char| (is_word(char) && !char.is_numeric()) || "_/".contains(char));
    let is_known = text.parse::<Ipv4Addr>().is_ok() || is_uuid(text);
    (starts_well || is_known)
        && text.chars().all(is_inner)
        && !text.ends_with(' ')
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Tells whether a text is an id with hyphens, which no reader takes for a number; one without may be `123e4567`.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_plain_only_where_every_reader_takes_it_for_a_text() {
        let rows = [
            ("a name", "ehos_key", "ehos_key"),
            ("a name with spaces", "GOLD CentOS 7", "GOLD CentOS 7"),
            ("an id", "6f1c0a3e-8a51-4b39-9c41-3a2d1f0b7e55", "6f1c0a3e-8a51-4b39-9c41-3a2d1f0b7e55"),
            (
                "an id that begins with digits",
                "123e4567-e89b-12d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            ("an id without hyphens", "e3b0c44298fc1c149afbf4c8996fb924", "e3b0c44298fc1c149afbf4c8996fb924"),
            ("a number with an exponent", "123e4567", "'123e4567'"),
            ("an octal number", "0123456789", "'0123456789'"),
            ("a short exponent", "1e10", "'1e10'"),
            ("hexadecimal", "0x1f", "'0x1f'"),
            ("digits with hyphens: a date", "2026-11-24", "'2026-11-24'"),
            ("digits with colons: base 60", "190:20:30", "'190:20:30'"),
            ("an address", "192.0.2.10", "192.0.2.10"),
            ("a float that is no address", "192.0", "'192.0'"),
            ("an address of IPv6", "2001:db8::1", "'2001:db8::1'"),
            ("infinity", ".inf", "'.inf'"),
            ("a negative number", "-1", "'-1'"),
            ("yes", "Yes", "'Yes'"),
            ("the country code of Norway", "NO", "'NO'"),
            ("a letter that YAML 1.1 takes for yes", "y", "'y'"),
            ("a comma, which ends a value in brackets", "a,b", "'a,b'"),
            ("a bracket", "a]b", "'a]b'"),
            ("a comment", "a #b", "'a #b'"),
            ("a key", "a: b", "'a: b'"),
            ("an alias", "*a", "'*a'"),
            ("a merge", "<<", "'<<'"),
            ("a quote", "it's", "\"it's\""),
            ("both quotes", "it's \"it\" \\", "\"it's \\\"it\\\" \\\\\""),
            ("a trailing space", "a ", "'a '"),
            ("a tab", "a\tb", "\"a\\tb\""),
            ("letters of the world", "größe 東京", "größe 東京"),
            ("a digit of the world", "٣٤", "'٣٤'"),
            ("a line end of YAML 1.1", "a\u{2028}b", "\"a\\u2028b\""),
            ("a byte order mark", "\u{feff}a", "\"\\uFEFFa\""),
            ("a picture", "🦀", "'🦀'"),
            ("no character", "\u{1fffe}", "\"\\U0001FFFE\""),
            ("nothing", "", "''"),
        ];
        for (name, text, expected) in rows {
            assert_eq!(scalar(text, Style::Plain), expected, "{name}");
        }
    }

    #[test]
    fn quotes_stay_what_they_were() {
        let rows = [
            ("single", Style::Single, "a", "'a'"),
            ("double", Style::Double, "a", "\"a\""),
            ("single, a quote within", Style::Single, "it's", "'it''s'"),
            ("double, a quote within", Style::Double, "\"\\", "\"\\\"\\\\\""),
            ("single cannot escape", Style::Single, "a\u{2028}", "\"a\\u2028\""),
        ];
        for (name, style, text, expected) in rows {
            assert_eq!(scalar(text, style), expected, "{name}");
        }
        assert_eq!(list(&["a".to_owned(), "b, c".to_owned()]), "[a, 'b, c']");
    }
}
