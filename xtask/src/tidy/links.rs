//! Checks that relative links between the documents lead somewhere.
//! Links to other sites are not followed: a test must not need a network.

use std::path::{Component, Path, PathBuf};

use super::Finding;

/// Checks the links of one Markdown file; `exists` answers for a path in the repository.
pub(super) fn check(file: &str, text: &str, exists: &dyn Fn(&Path) -> bool) -> Vec<Finding> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !exists(&plain(&folder.join(path))) {
                let what = format!("the link to {target} leads nowhere");
                findings.push(Finding::error(file, at + 1, what, "correct or remove it"));
            }
        }
    }
    findings
}

/// What stands in the round brackets of `[text](target)` and `[text](target "title")`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// Resolves `..` without asking the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let rows = [
            ("beside it", "see [a](b.md)", 0),
            ("with an anchor", "[a](b.md#part) [b](#here)", 0),
            ("up and down", "[a](../docs/./b.md)", 0),
            ("elsewhere", "[a](https://x.test/y) <mailto:x@y>", 0),
            ("nowhere", "[a](c.md)", 1),
            ("two of them", "[a](c.md \"title\") and [d](../d)", 2),
            ("in code", "```\n[a](c.md)\n```", 0),
        ];
        for (row, text, want) in rows {
            let found = check("docs/x.md", text, &|path| path == Path::new("docs/b.md"));
            assert_eq!(found.len(), want, "{row}: {found:?}");
        }
    }
}
