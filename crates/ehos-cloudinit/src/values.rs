//! Says which values may stand in user-data.
//!
//! Deliberately refuses rather than escapes: a value is put into YAML, into HTCondor's configuration and into a
//! ClassAd string inside it, and what is harmless in all three needs no escaping in any.

use std::net::IpAddr;

use crate::TemplateError;

/// Refuses a value that could mean something else where it is put.
pub(crate) fn expect(
    tag: &'static str,
    value: &str,
    allowed: fn(&str) -> bool,
    expected: &'static str,
) -> Result<(), TemplateError> {
    if allowed(value) {
        return Ok(());
    }
    Err(TemplateError::Value { tag, value: Some(value.to_owned()), expected })
}

pub(crate) const NAME: &str =
    "letters, digits, spaces and ._-+/@:()= with a letter or digit first, at most 255";

/// A label of a domain name (RFC 1123), in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(crate) fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| is_label(&label.to_ascii_lowercase()))
}

pub(crate) fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_domain(text)
}

/// HTCondor's default trust domain is the collector's address with its port.
pub(crate) fn is_trust_domain(text: &str) -> bool {
    is_host(text)
        || text.rsplit_once(':').is_some_and(|(host, port)| {
            is_host(host.trim_start_matches('[').trim_end_matches(']')) && port.parse::<u16>().is_ok()
        })
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Old templates put it into a shell's command line without quotes.
pub(crate) fn is_password(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-+=/@:,".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.ends_with(':') && text.chars().all(inner)
}

/// A name that means itself in plain YAML, in HTCondor's configuration and in a ClassAd string: no quote,
/// backslash, `$` or `#`, no line end, and no colon that YAML would take for a key's.
pub(crate) fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || " ._-+/@:()=".contains(c);
    text.len() <= 255
        && text.starts_with(char::is_alphanumeric)
        && text.chars().all(inner)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_is_refused() {
        type Row = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let long = "x".repeat(64);
        let rows: [Row; 7] = [
            (
                is_label,
                &["n", "ehos-execute-1a", "1a"],
                &["", "-a", "a-", "A", "a.b", "a_b", "a\n", "a b", "a: b", "\u{e6}"],
            ),
            (
                is_host,
                &["192.0.2.1", "2001:db8::1", "cm.example.org", "CM"],
                &["", "a b", "a\nb", "a:1", ".a", "a..b", "$(X)"],
            ),
            (is_domain, &["bed.test", "UiB.no"], &["", "*", "a b", "a,b", "a\n", "a$b", "-a"]),
            (
                is_trust_domain,
                &["bed.test", "192.0.2.1:9618", "[2001:db8::1]:9618", "cm:9618"],
                &["", "a b:1", "a:b", "a:1\n", "a: 1"],
            ),
            (
                is_password,
                &["a", "Zm9v+/9=", "a.b:c"],
                &["", "a b", "-a", "a:", "a'", "a$b", "a#", "a;b", "a\n"],
            ),
            (is_token, &["eyJ.x_-y.Z"], &["", "a b", "a\n", "a=", "a:b", "\""]),
            (
                is_name,
                &["bergen", "m1.large", "Troms\u{f8} 2", "c5:large (old)", "16core/64=GB"],
                &[
                    "",
                    " a",
                    "a ",
                    "a\nb",
                    "a\r",
                    "a\"b",
                    "a'b",
                    "a\\b",
                    "a$b",
                    "$(a)",
                    "a#b",
                    "a: b",
                    "a:",
                    "-a",
                    "@a",
                    "a\u{0}",
                    "a\u{2028}b",
                    "{a",
                    "[a",
                    "&a",
                    "*a",
                    "a, b",
                    "a\tb",
                ],
            ),
        ];
        for (allowed, yes, no) in rows {
            for text in yes {
                assert!(allowed(text), "{text:?}");
            }
            for text in no {
                assert!(!allowed(text), "{text:?}");
            }
        }
        assert!(!is_label(&long) && is_label(&long[1..]));
    }
}
