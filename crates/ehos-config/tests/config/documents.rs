//! The reference and the example say what the table of keys says. `EHOS_UPDATE=1` writes them anew.

use std::path::{Path, PathBuf};

use ehos_config::{Environment, Severity, load_with};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn is_current(file: &str, expected: &str) {
    let path = root().join(file);
    if std::env::var_os("EHOS_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{file} is not current: run EHOS_UPDATE=1 cargo test -p ehos-config");
}

#[test]
fn the_reference_is_current() {
    is_current("docs/configuration.md", &ehos_config::reference_markdown());
}

#[test]
fn the_example_is_current_and_loads() {
    let example = ehos_config::example_yaml();
    is_current("etc/ehos.yaml.example", &example);
    let loaded = load_with(&[root().join("etc/ehos.yaml.example")], &Environment::default()).unwrap();
    let warnings: Vec<&str> = loaded.warnings.iter().map(|warning| warning.title.as_str()).collect();
    assert_eq!(warnings, ["everybody on this machine can read this secret"], "the example itself is public");
    assert!(loaded.warnings.iter().all(|warning| warning.severity == Severity::Warning));
}

#[test]
fn the_example_loads_with_all_switched_on_that_goes_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ehos.yaml");
    let alone =
        ["password_file", "project_domain_id", "user_domain_id", "application_", "cloud:", "embedded:"];
    let line = |line: &str| match line.trim_start().strip_prefix('#') {
        Some(key) if !key.starts_with(' ') && !alone.iter().any(|name| key.starts_with(name)) => {
            line.replacen('#', "", 1)
        }
        _ => line.to_owned(),
    };
    let text: Vec<String> = ehos_config::example_yaml().lines().map(line).collect();
    std::fs::write(&path, text.join("\n")).unwrap();
    let loaded =
        load_with(&[path], &Environment::default()).map_err(|problems| problems.render(false)).unwrap();
    assert_eq!(loaded.config.clouds[0].servers.flavors, ["m1.xlarge"], "the cloud's own `ehos` wins");
    assert_eq!(loaded.config.policy.clouds[0].nodes_max, Some(40));
}
