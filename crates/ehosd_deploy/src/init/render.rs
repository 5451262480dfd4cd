//! Writes the text of a first configuration, each choice with its reason above it.
//!
//! Deliberately no more keys than somebody needs who begins: the rest is in the reference.

use std::fmt::Write as _;

use secrecy::ExposeSecret as _;

use super::Offered;
use super::choose::Choice;
use super::login::Login;

/// Takes one choice out of all.
type Get = fn(&Offered) -> &Choice;

/// The widest comment.
const WIDTH: usize = 100;

/// The most nodes to begin with.
const NODES: u64 = 6;

const HEAD: &str = "\
# The configuration of an EHOS pool, begun by `ehosd_deploy --init` with what the clouds offered.
# Change what suits you better. `None` means: not set. A key behind `#` without a blank is switched off.
# All keys: docs/configuration.md. There are secrets in it, or there will be: keep its mode 0600.

clouds:
";

/// Writes the file.
pub(super) fn yaml(clouds: &[(Login, Offered)]) -> String {
    let mut text = HEAD.to_owned();
    let first = clouds.first().map(|(_, offered)| offered);
    let keys: [(&str, Get); 3] =
        [("flavors", |one| &one.flavors), ("image", |one| &one.image), ("network", |one| &one.network)];
    let common = |get: Get| {
        clouds.iter().all(|(_, offered)| first.is_some_and(|first| get(first).values == get(offered).values))
    };
    for (login, offered) in clouds {
        let _ = writeln!(text, "  {}:", login.name);
        comment(&mut text, "    ", &format!("The login, as in {}.", login.origin));
        for (key, value) in &login.lines {
            let _ = writeln!(text, "    {key}: {}", quoted(value.expose_secret()));
        }
        comment(
            &mut text,
            "    ",
            "The image of the nodes: ehos_build_images makes it and writes its id here.",
        );
        text.push_str("    image: None\n");
        let own: Vec<_> = keys.iter().filter(|(_, get)| !common(*get)).collect();
        if !own.is_empty() {
            comment(&mut text, "    ", "What this cloud has otherwise than the others.");
            text.push_str("    ehos:\n");
        }
        for (key, get) in own {
            choice(&mut text, "      ", key, get(offered));
        }
    }
    text.push_str("\n# How servers are made.\nehos:\n");
    comment(&mut text, "  ", "First part of server names.");
    text.push_str("  project_prefix: ehos\n");
    for (key, get) in keys.iter().filter(|(_, get)| common(*get)) {
        if let Some(first) = first {
            choice(&mut text, "  ", key, get(first));
        }
    }
    comment(
        &mut text,
        "  ",
        "Keypair and security group: ehosd_deploy --prepare makes them and writes them here.",
    );
    text.push_str("  key: None\n  security_groups: None\n");
    daemon(&mut text, clouds.iter().map(|(_, offered)| offered.room).fold(0, u64::saturating_add));
    text.push_str("\n# The pool: ehosd_deploy writes both.\ncondor:\n  host_ip: None\n  password: None\n");
    text
}

fn daemon(text: &mut String, room: u64) {
    text.push_str("\n# When servers are bought and given back.\nehos_daemon:\n");
    let nodes = room.clamp(1, NODES);
    let why = match room {
        u64::MAX => format!("chosen because the quotas have no limit: {nodes} are enough to begin with"),
        room if room > NODES => {
            format!(
                "chosen because the quotas have room for {room} of the smallest nodes: {nodes} are enough to begin with"
            )
        }
        room => format!("chosen because the quotas have room for {room} of the smallest nodes"),
    };
    comment(text, "  ", &why);
    let _ = writeln!(text, "  nodes_max: {nodes}");
    comment(text, "  ", "Nodes that are always there, and idle ones in reserve; at most nodes_max.");
    let _ = writeln!(text, "  #nodes_min: 2\n  #nodes_spare: 2");
}

fn choice(text: &mut String, indent: &str, key: &str, choice: &Choice) {
    let words: Vec<_> = choice.values.iter().map(|value| quoted(value)).collect();
    let (what, value) = match &*words {
        [] => ("not chosen", "None".to_owned()),
        [one] => ("chosen", one.clone()),
        several => ("chosen", format!("[{}]", several.join(", "))),
    };
    comment(text, indent, &format!("{what} because {}", choice.why));
    let _ = writeln!(text, "{indent}{key}: {value}");
}

fn comment(text: &mut String, indent: &str, words: &str) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + word.len() + 3 > WIDTH {
            let _ = writeln!(text, "{indent}#{line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{indent}#{line}");
}

/// Writes a text so that YAML reads the same: bare where it is plain, else in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c) || c == ':')
        && !text.ends_with(':')
        && !["true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"]
            .contains(&&*text.to_lowercase());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_needs_it() {
        for (text, expected) in [
            ("m1.small", "m1.small"),
            ("https://c.test:5000/v3", "https://c.test:5000/v3"),
            ("my project", "\"my project\""),
            ("yes", "\"yes\""),
            ("0123", "\"0123\""),
            ("p: #\"\\", "\"p: #\\\"\\\\\""),
            ("a:", "\"a:\""),
            ("", "\"\""),
            ("tab\tbell\u{7}", "\"tab\\tbell\\u0007\""),
        ] {
            assert_eq!(quoted(text), expected, "{text:?}");
        }
    }
}
