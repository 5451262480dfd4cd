//! What every source file owes its reader: a head, a size, nothing unfinished, no path of one machine.
//! It reads lines, not syntax.

use super::Finding;

const LONG: usize = 300;
const TOO_LONG: usize = 500;
/// Split in two, so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("to", "do!("), concat!("#[ig", "nore"), concat!("FIX", "ME"), concat!("unimple", "mented!(")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
/// Users that exist on every test machine or in a document's examples.
const KNOWN_HOMES: [&str; 4] = ["ehos/", "alice/", "bob/", "you/"];

/// Whether [`check`] has rules for a file of this name.
pub(super) fn reads(file: &str) -> bool {
    ["rs", "md", "toml", "yaml", "yml", "sh"].iter().any(|end| super::is(file, end))
}

/// Checks one file; `file` is its path in the repository.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if super::is(file, "rs") {
        findings.extend(size(file, text));
        if !text.lines().any(|line| line.starts_with("//!")) {
            findings.push(Finding::error(
                file,
                1,
                "no module docs",
                "say in two `//!` sentences what it decides or does, and what it deliberately does not",
            ));
        }
    }
    for (at, line) in text.lines().enumerate() {
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            findings.push(Finding::error(file, at + 1, format!("`{mark}`"), "finish it or take it out"));
        }
        if names_a_machine(file, line) {
            findings.push(Finding::error(
                file,
                at + 1,
                "a path of one machine",
                "name it relative to the repository, or take it from the environment",
            ));
        }
    }
    findings
}

fn size(file: &str, text: &str) -> Option<Finding> {
    if file.starts_with("tests/") || file.contains("/tests/") || file.ends_with("/tests.rs") {
        return None;
    }
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    let what = format!("{lines} lines without its tests");
    let todo = "look for a second purpose in it and give that a file";
    if lines > TOO_LONG {
        Some(Finding::error(file, TOO_LONG, what, todo))
    } else {
        (lines > LONG).then(|| Finding::warning(file, LONG, what, todo))
    }
}

/// A path counts where it begins, not in the middle of `$d/home/` or of an address.
fn names_a_machine(file: &str, line: &str) -> bool {
    // The bed's machines have homes of their own; so have the servers that the templates describe.
    if file.starts_with("testbed/") || file.starts_with("share/") {
        return false;
    }
    MACHINE_PATHS.iter().any(|path| {
        line.match_indices(path).any(|(at, _)| {
            let begins = line[..at].chars().next_back().is_none_or(|c| " \t\"'`(=:[".contains(c));
            let rest = &line[at + path.len()..];
            begins && !KNOWN_HOMES.iter().any(|home| rest.starts_with(home))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(file: &str, text: &str) -> Vec<String> {
        check(file, text).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn lines_that_are_not_finished_or_not_portable_are_found() {
        let [todo, ignore, fixme, _] = UNFINISHED;
        let [work, root, home, _] = MACHINE_PATHS;
        let rows = [
            ("unfinished", format!("{todo})"), true),
            ("a test that never runs", format!("{ignore} = \"slow\"]"), true),
            ("a note to oneself", format!("// {fixme}"), true),
            ("a build folder", format!("let x = \"{work}main\";"), true),
            ("somebody's home", format!("see {home}jane/x"), true),
            ("root's home", format!("`{root}x`"), true),
            ("a known user of the bed", format!("\"{home}ehos/.condor\""), false),
            ("inside of another path", format!("$d{work}x https://h{root}x"), false),
        ];
        for (row, line, found) in rows {
            assert_eq!(!whats("x.rs", &format!("//! Docs.\n{line}\n")).is_empty(), found, "{row}: {line}");
        }
    }

    #[test]
    fn a_module_has_docs() {
        assert_eq!(whats("x.rs", "mod x;\n"), ["no module docs"]);
        assert!(whats("x.rs", "#!/bin/x\n//! Does x.\n").is_empty());
        assert!(whats("x.toml", "x = 1\n").is_empty());
    }

    #[test]
    fn size_counts_up_to_the_tests() {
        let code = |lines| "//! x\n".repeat(lines);
        let warning = |text: &str| check("x.rs", text).first().map(|finding| finding.warning);
        let rows = [
            ("short", code(300), None),
            ("long", code(301), Some(true)),
            ("too long", code(501), Some(false)),
            ("tests are free", code(300) + "#[cfg(test)]\n" + &code(400), None),
        ];
        for (row, text, want) in rows {
            assert_eq!(warning(&text), want, "{row}");
        }
        assert!(check("crates/x/tests/y.rs", &code(900)).is_empty());
    }
}
