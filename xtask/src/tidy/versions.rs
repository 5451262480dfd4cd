//! Finds crates that are linked in two versions without an explanation.
//! The explanations are the `skip` entries of deny.toml, so that `cargo deny` and this agree.

use std::collections::BTreeMap;

use super::Finding;

/// Compares `lock`, the text of Cargo.lock, with `deny`, that of deny.toml.
pub(super) fn check(lock: &str, deny: &str) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    let lines: Vec<&str> = lock.lines().collect();
    for (at, pair) in lines.windows(2).enumerate() {
        if let (Some(name), Some(version)) = (value(pair[0], "name"), value(pair[1], "version")) {
            crates.entry(name).or_default().push((version, at + 1));
        }
    }
    let skipped: Vec<(&str, &str)> = deny.lines().filter_map(skip).collect();
    let explained = |name: &str, version: &str| {
        skipped.iter().any(|(skip, of)| {
            *skip == name
                && version.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let mut findings = Vec::new();
    for (name, versions) in crates {
        let open: Vec<_> = versions.iter().filter(|(version, _)| !explained(name, version)).collect();
        if let [_, .., (_, line)] = open[..] {
            let all: Vec<_> = versions.iter().map(|(version, _)| *version).collect();
            let what = format!("{name} in versions {}", all.join(" and "));
            let todo = "agree on one (`cargo tree -d`), or explain the older under `skip` in deny.toml";
            findings.push(Finding::error("Cargo.lock", *line, what, todo));
        }
    }
    findings
}

/// A line `{ crate = "name@2", reason = "…" }`: the crate and the beginning of its version.
fn skip(line: &str) -> Option<(&str, &str)> {
    line.trim().strip_prefix("{ crate = \"")?.split('"').next()?.split_once('@')
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n\
                        \n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\n";

    #[test]
    fn two_versions_need_a_reason() {
        let rows = [
            ("nobody explains", "", 1),
            ("the older is explained", "{ crate = \"a@1.0.0\", reason = \"…\" },", 0),
            ("its whole line is", "    { crate = \"a@1\", reason = \"…\" },", 0),
            ("a number is no prefix", "{ crate = \"a@1.0.00\", reason = \"…\" },", 1),
            ("another is explained", "{ crate = \"b@1.0.0\", reason = \"…\" },", 1),
        ];
        for (row, deny, want) in rows {
            let found = check(LOCK, deny);
            assert_eq!(found.len(), want, "{row}: {found:?}");
        }
        assert_eq!(check(LOCK, "")[0].line, 6);
    }
}
