//! Recognises jobs that ask for one node by its id, as the test job of a probe does: no new node can be that one.
//!
//! Deliberately evaluates no ClassAd: only a plain `EhosNode == "…"` that must hold whatever else does is recognised,
//! and jobs with anything more intricate are taken for jobs that any node may serve.

/// What a node's startd says of itself (*startd ad `EhosNode`*).
const NODE: &str = "EhosNode";

/// Gives the node's id, if the requirements cannot be met without it.
pub(crate) fn tied_to(requirements: &str) -> Option<&str> {
    // Most jobs do not speak of it at all.
    let speaks = |word: &[u8]| word.eq_ignore_ascii_case(NODE.as_bytes());
    requirements.as_bytes().windows(NODE.len()).any(speaks).then(|| clause(requirements))?
}

fn clause(requirements: &str) -> Option<&str> {
    let text = peeled(requirements);
    let mut conjuncts = conjuncts(text)?;
    if conjuncts.len() > 1 {
        return conjuncts.into_iter().find_map(clause);
    }
    let only = conjuncts.pop()?.trim_start();
    let only = strip_word(only, "TARGET.").unwrap_or(only);
    let rest = strip_word(only, NODE)?.trim_start();
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix("=?="))?.trim();
    let id = value.strip_prefix('"')?.strip_suffix('"')?;
    (!id.contains(['"', '\\'])).then_some(id)
}

/// ClassAd names are the same in capitals and small letters.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// Takes away brackets around the whole.
fn peeled(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    match inner.filter(|inner| split(inner, "&&").is_some()) {
        Some(inner) => peeled(inner),
        None => text,
    }
}

/// Splits what must hold all together; `None` where it is not a plain "and".
fn conjuncts(text: &str) -> Option<Vec<&str>> {
    (split(text, "||")?.len() == 1 && split(text, "?")?.len() == split(text, "=?=")?.len())
        .then(|| split(text, "&&"))?
}

/// Splits at a word outside of brackets and strings; `None` where brackets or quotes are not in pairs.
fn split<'a>(text: &'a str, at: &str) -> Option<Vec<&'a str>> {
    let (mut parts, mut begun, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_u32, false, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ if depth == 0 && i >= begun && text[i..].starts_with(at) => {
                parts.push(&text[begun..i]);
                begun = i + at.len();
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    (depth == 0 && !quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_that_must_be_it_is_recognised() {
        let rest = r#"(TARGET.Arch == "X86_64") && (TARGET.Disk >= RequestDisk) && ((TARGET.A == MY.A) || (TARGET.B))"#;
        for (requirements, node, row) in [
            (r#"EhosNode == "n1""#, Some("n1"), "alone"),
            (&format!(r#"(EhosNode == "n1") && {rest}"#), Some("n1"), "as condor_submit completes it"),
            (
                &format!(r#"((TARGET.ehosnode =?= "n1")) && {rest}"#),
                Some("n1"),
                "any spelling, more brackets",
            ),
            (&format!(r#"((Foo && (EhosNode=="n1"))) && {rest}"#), Some("n1"), "deeper"),
            (rest, None, "any node"),
            (r#"(EhosNode == "n1") || (Foo)"#, None, "another will do"),
            (r#"((EhosNode == "n1") || (Foo)) && (Bar)"#, None, "another will do, deeper"),
            (r#"Foo ? EhosNode == "n1" : Bar"#, None, "a choice"),
            (r#"!(EhosNode == "n1")"#, None, "any but that"),
            (r#"EhosNode != "n1""#, None, "any but that, shorter"),
            ("EhosNode =!= undefined", None, "any of ours"),
            (r#"EhosNode == "n1" && Foo || Bar"#, None, "or binds less than and"),
            (r#"EhosNode == strcat("n", "1")"#, None, "not plain"),
            (r#"Foo == "EhosNode == \"n1\"""#, None, "words in a string"),
            (r#"(EhosNode == "n1""#, None, "a bracket is missing"),
            ("", None, "nothing"),
        ] {
            assert_eq!(tied_to(requirements), node, "{row}: {requirements}");
        }
    }
}
