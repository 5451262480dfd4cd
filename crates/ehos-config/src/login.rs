//! Completes how to log in to a cloud: from a password file, `clouds.yaml` and the environment.
//!
//! Deliberately fills only what the files leave open: what stands in `ehos.yaml` wins.

use std::path::{Path, PathBuf};

use crate::document::{Document, Setting, Slot};
use crate::keys::{self, Kind, Section};
use crate::load::{Environment, open};
use crate::report::{Finding, Report};
use crate::source::At;
use crate::tree::{Content, Node};
use crate::value::{self, Value};

/// Key, and the environment variables that may hold it.
const VARIABLES: &[(&str, &[&str])] = &[
    ("auth_url", &["OS_AUTH_URL"]),
    ("username", &["OS_USERNAME"]),
    ("password", &["OS_PASSWORD"]),
    ("project_name", &["OS_PROJECT_NAME", "OS_TENANT_NAME"]),
    ("project_domain_name", &["OS_PROJECT_DOMAIN_NAME"]),
    ("project_domain_id", &["OS_PROJECT_DOMAIN_ID"]),
    ("user_domain_name", &["OS_USER_DOMAIN_NAME"]),
    ("user_domain_id", &["OS_USER_DOMAIN_ID"]),
    ("region_name", &["OS_REGION_NAME"]),
    ("application_credential_id", &["OS_APPLICATION_CREDENTIAL_ID"]),
    ("application_credential_secret", &["OS_APPLICATION_CREDENTIAL_SECRET"]),
    ("interface", &["OS_INTERFACE"]),
    ("cacert", &["OS_CACERT"]),
];

/// Keys that stand under `auth` in `clouds.yaml`.
const AUTH: &[&str] = &[
    "auth_url",
    "username",
    "password",
    "project_name",
    "project_domain_name",
    "project_domain_id",
    "user_domain_name",
    "user_domain_id",
    "application_credential_id",
    "application_credential_secret",
];

/// Completes the login of every OpenStack cloud; gives the files that were read for it.
pub(crate) fn complete(
    document: &mut Document,
    environment: &Environment,
    report: &mut Report,
) -> Vec<PathBuf> {
    let clouds: Vec<String> = document.clouds.iter().map(|(name, _)| name.clone()).collect();
    let mut files = Vec::new();
    for cloud in clouds {
        let view = document.view(Section::Cloud, Some(&cloud));
        if view.word("backend") != "openstack" {
            continue;
        }
        let (from_env, wanted) = (view.yes("from_env"), view.text("cloud"));
        let mut login = Login { document, cloud: &cloud, report };
        files.extend(login.password_file());
        if let Some(wanted) = wanted {
            files.extend(login.clouds_yaml(&wanted, environment));
        }
        if from_env {
            login.environment(environment);
        }
    }
    files
}

struct Login<'a> {
    document: &'a mut Document,
    cloud: &'a str,
    report: &'a mut Report,
}

impl Login<'_> {
    fn slot(&self, key: &'static str) -> Slot {
        Slot { section: Section::Cloud, cloud: Some(self.cloud.to_owned()), key }
    }

    fn at(&self, key: &'static str) -> Option<At> {
        self.document.view(Section::Cloud, Some(self.cloud)).at(key)
    }

    fn is_set(&self, key: &'static str) -> bool {
        self.document.values.contains_key(&self.slot(key))
    }

    /// Sets a key that is open; `Err` where the text is not what the key expects.
    fn fill(&mut self, key: &'static str, text: &str, folder: &Path) -> Result<(), String> {
        let twin = match key {
            "project_domain_name" => "project_domain_id",
            "project_domain_id" => "project_domain_name",
            "user_domain_name" => "user_domain_id",
            "user_domain_id" => "user_domain_name",
            other => other,
        };
        let Some(known) = keys::find(Section::Cloud, key) else { return Ok(()) };
        if self.is_set(key) || self.is_set(twin) || value::is_unset(text) {
            return Ok(());
        }
        let value = value::read(known.kind, text, folder).map_err(|_| known.kind.expects())?;
        if let Value::Secret(secret) = &value {
            self.report.secrets.push(secret.clone());
        }
        self.document.values.insert(self.slot(key), Setting { value, at: None });
        Ok(())
    }

    fn password_file(&mut self) -> Option<PathBuf> {
        let path = self.document.view(Section::Cloud, Some(self.cloud)).path("password_file")?;
        let at = self.at("password_file");
        if self.is_set("password") {
            let finding = Finding::error(at, "`password` and `password_file` are both set")
                .other(self.at("password"), "the other one")
                .help("keep one of the two");
            self.report.push(finding);
            return None;
        }
        match open(&path) {
            Ok((bytes, is_open)) => {
                if is_open {
                    let title = format!("everybody on this machine can read {}", path.display());
                    self.report.push(
                        Finding::warning(at.clone(), title).help(format!("chmod 600 {}", path.display())),
                    );
                }
                let text = String::from_utf8(bytes).unwrap_or_default();
                let first = text.trim_end_matches(['\n', '\r']);
                if first.is_empty() || self.fill("password", first, Path::new("")).is_err() {
                    let finding = Finding::error(at, "the password file holds no password")
                        .label("it must hold the password in one line and nothing else");
                    self.report.push(finding);
                }
            }
            Err(error) => {
                self.report.push(Finding::error(at, format!("the password file cannot be read: {error}")));
            }
        }
        Some(path)
    }

    fn environment(&mut self, environment: &Environment) {
        for (key, names) in VARIABLES {
            let found = names.iter().find_map(|name| Some((name, environment.variables.get(*name)?)));
            if let Some((name, text)) = found
                && let Err(expected) = self.fill(key, text, Path::new(""))
            {
                let title = format!("the environment's `{name}` is not {expected}");
                self.report.push(Finding::error(self.at("from_env"), title).label("asked for here"));
            }
        }
    }

    fn clouds_yaml(&mut self, wanted: &str, environment: &Environment) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut roots = Vec::new();
        for name in ["secure.yaml", "clouds.yaml"] {
            let Some(path) = environment.openstack_files(name).into_iter().find(|path| path.is_file()) else {
                continue;
            };
            roots
                .extend(crate::load::read(&path, self.report).map(|(root, file)| (root, file, path.clone())));
            files.push(path);
        }
        for (root, file, _) in &roots {
            hide(root, *file, self.report);
        }
        let found: Vec<(&Node, &Path)> = roots
            .iter()
            .filter_map(|(root, _, path)| Some((root.get("clouds")?.get(wanted)?, path.parent()?)))
            .collect();
        if found.is_empty() {
            self.no_such_cloud(wanted, &roots, environment);
        }
        for (node, folder) in found {
            self.take(node, folder);
        }
        files
    }

    fn no_such_cloud(&mut self, wanted: &str, roots: &[(Node, usize, PathBuf)], environment: &Environment) {
        let at = self.at("cloud");
        let finding = if roots.is_empty() {
            let places = environment.openstack_files("clouds.yaml");
            let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
            Finding::error(at, "there is no clouds.yaml").help(format!("looked for: {}", places.join(", ")))
        } else {
            let clouds = roots.iter().filter_map(|(root, ..)| root.get("clouds"));
            let names: Vec<&str> = clouds.flat_map(Node::keys).collect();
            let finding = Finding::error(at, format!("clouds.yaml has no cloud `{wanted}`"));
            match value::nearest(wanted, names.iter().copied()) {
                Some(name) => finding.help(format!("did you mean `{name}`?")),
                None => finding.help(format!("it has: {}", names.join(", "))),
            }
        };
        self.report.push(finding);
    }

    fn take(&mut self, node: &Node, folder: &Path) {
        let verify = node.get("verify").and_then(Node::scalar);
        let insecure =
            verify.filter(|text| ["false", "no", "off"].iter().any(|no| text.eq_ignore_ascii_case(no)));
        let interface = node.get("interface").and_then(Node::scalar).map(|text| text.trim_end_matches("URL"));
        let own = |key: &str| node.get(key).and_then(Node::scalar);
        let mut values: Vec<(&'static str, Option<&str>)> = vec![
            ("region_name", own("region_name")),
            ("interface", interface),
            ("cacert", own("cacert")),
            ("insecure", insecure.map(|_| "yes")),
        ];
        let auth = node.get("auth");
        values.extend(
            AUTH.iter().map(|key| (*key, auth.and_then(|auth| auth.get(key)).and_then(Node::scalar))),
        );
        for (key, text) in values {
            if let Some(text) = text
                && let Err(expected) = self.fill(key, text, folder)
            {
                let title = format!("`{key}` of this cloud of clouds.yaml is not {expected}");
                self.report.push(Finding::error(self.at("cloud"), title));
            }
        }
    }
}

/// Masks every value that looks like a secret, wherever it stands.
fn hide(node: &Node, file: usize, report: &mut Report) {
    match &node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter().for_each(|item| hide(item, file, report)),
        Content::Map(entries) => {
            for entry in entries {
                let key = keys::find(Section::Cloud, &entry.key);
                if key.is_none_or(|key| key.kind == Kind::Secret) && entry.value.scalar().is_some() {
                    report.hide(&At { file, range: entry.value.range.clone() });
                }
                hide(&entry.value, file, report);
            }
        }
    }
}
