//! Holds the crate table of ARCHITECTURE.md against what the crates depend on.
//! Dev-dependencies are free: a test may use any crate.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Finding;

const MAP: &str = "ARCHITECTURE.md";

/// What a crate may use, by the last column of its row.
enum Allowed {
    Any,
    Only(Vec<String>),
}

/// Compares `map`, the text of ARCHITECTURE.md, with `cargo metadata`.
pub(super) fn check(map: &str, metadata: &Value, root: &Path) -> Vec<Finding> {
    let table = table(map);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut findings = Vec::new();
    for package in list(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let file = manifest.strip_prefix(root).unwrap_or(manifest).to_string_lossy().into_owned();
        // The whole-system tests are no part of the product.
        if name == "ehos-tests" {
            continue;
        }
        let Some(allowed) = table.get(name) else {
            findings.push(Finding::error(MAP, 1, format!("no row for crate {name}"), "add it to the table"));
            continue;
        };
        let Allowed::Only(allowed) = allowed else { continue };
        let text = std::fs::read_to_string(manifest).unwrap_or_default();
        for dependency in list(&package["dependencies"]) {
            let used = dependency["name"].as_str().unwrap_or_default();
            let ours = dependency["path"].is_string();
            if ours && dependency["kind"] != "dev" && !allowed.iter().any(|name| name == used) {
                let line = text.lines().position(|line| line.starts_with(used)).map_or(1, |at| at + 1);
                let todo = "turn the arrow round or move the code (ARCHITECTURE.md, the crate table)";
                findings.push(Finding::error(&file, line, format!("{name} may not use {used}"), todo));
            }
        }
    }
    findings
}

/// The rows `| `crate` | … | model, scaler |` of the table.
fn table(map: &str) -> BTreeMap<String, Allowed> {
    map.lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
            let allowed = match *cells.last()? {
                "all" | "as needed" | "what it needs" | "what they need" => Allowed::Any,
                "–" => Allowed::Only(Vec::new()),
                names => Allowed::Only(names.split(", ").map(|name| format!("ehos-{name}")).collect()),
            };
            Some((cells.first()?.trim_end_matches('`').to_owned(), allowed))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MAP: &str = "\
| crate | in one sentence | may use |
|---|---|---|
| `ehos-model` | Words. | – |
| `ehos-sim` | A world. | model, scaler |
| `ehosd` | The daemon. | all |
";

    fn said(name: &str, used: &str, kind: &Value, path: &Value) -> Vec<String> {
        let package = json!({"name": name, "manifest_path": "/r/crates/x/Cargo.toml",
            "dependencies": [{"name": used, "kind": kind, "path": path}]});
        let findings = check(MAP, &json!({"packages": [package]}), Path::new("/r"));
        findings.iter().map(|finding| format!("{} {}", finding.file, finding.what)).collect()
    }

    #[test]
    fn arrows_follow_the_table() {
        let path = json!("/r/y");
        let rows = [
            ("in the table", "ehos-sim", "ehos-scaler", Value::Null, path.clone(), None),
            ("not in the table", "ehos-sim", "ehos-cloud", Value::Null, path.clone(), Some("may not use")),
            ("nothing is allowed", "ehos-model", "ehos-sim", Value::Null, path.clone(), Some("may not use")),
            (
                "build scripts count",
                "ehos-model",
                "ehos-sim",
                json!("build"),
                path.clone(),
                Some("may not use"),
            ),
            ("tests do not", "ehos-model", "ehos-sim", json!("dev"), path.clone(), None),
            ("nor do others' crates", "ehos-model", "serde", Value::Null, Value::Null, None),
            ("all means all", "ehosd", "ehos-sim", Value::Null, path.clone(), None),
            ("a crate without a row", "ehos-new", "ehos-model", Value::Null, path, Some("no row for crate")),
        ];
        for (row, name, used, kind, path, want) in rows {
            let said = said(name, used, &kind, &path);
            match want {
                None => assert!(said.is_empty(), "{row}: {said:?}"),
                Some(words) => assert!(said.len() == 1 && said[0].contains(words), "{row}: {said:?}"),
            }
        }
    }
}
