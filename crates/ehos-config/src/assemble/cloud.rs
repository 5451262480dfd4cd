//! Builds the settings of one cloud: how to log in, how servers are made.
//!
//! Deliberately connects to nothing: that a name is set does not mean that the cloud knows it.

use std::time::Duration;

use ehos_model::{CloudAccess, CloudName, Domain, FloatingIp, Interface, Login, Mebibytes, ServerSettings};

use super::{Assembly, dns_safe};
use crate::document::View;
use crate::keys::Section;
use crate::report::Finding;
use crate::source::At;
use crate::{Backend, CloudSettings, embedded, value};

/// The longest first part of a server's name: time and random part must fit into the 63 letters of a host name.
const PREFIX_MAX: usize = 30;

impl Assembly<'_> {
    pub(super) fn cloud(&mut self, name: &str, at: &At) -> Option<CloudSettings> {
        let view = self.document.view(Section::Cloud, Some(name));
        let ehos = self.document.view(Section::Ehos, Some(name));
        let backend = match view.word("backend") {
            "embedded" => Some(Backend::Embedded(embedded::cloud(self.document, name, self.report))),
            _ => self.access(name, at).map(Backend::OpenStack),
        };
        if let (Some(Backend::OpenStack(_)), Some(at)) =
            (&backend, self.document.view(Section::CloudEmbedded, Some(name)).section_at())
        {
            let finding = Finding::warning(Some(at), "`embedded` has no effect on a real cloud");
            self.report.push(finding.label("only for `backend: embedded`"));
        }
        let flavors = self.flavors(name, at, backend.as_ref());
        let project_prefix = self.prefix(name);
        let floating_ip = match ehos.text("floating_ip").as_deref() {
            None => FloatingIp::None,
            Some("auto" | "Auto" | "AUTO") => FloatingIp::Auto,
            Some(pool) => FloatingIp::Pool(pool.to_owned()),
        };
        let scratch_size = ehos.size("scratch_size").filter(|size| *size > Mebibytes(0));
        let later =
            [("scratch_size", scratch_size.is_some()), ("floating_ip", floating_ip != FloatingIp::None)];
        for (key, is_set) in later {
            if is_set && !self.is_told(ehos.at(key).as_ref()) {
                let title = format!("`{key}` is not acted on yet by this version");
                self.report.push(Finding::warning(ehos.at(key), title).label("nodes are made without it"));
            }
        }
        let servers = ServerSettings {
            image: view.text("image"),
            flavors,
            networks: ehos.texts("network"),
            key: ehos.text("key"),
            security_groups: ehos.texts("security_groups"),
            floating_ip,
            scratch_size,
        };
        Some(CloudSettings {
            name: CloudName::from(name),
            backend: backend?,
            servers,
            userdata_file: ehos.path("userdata_file"),
            userdata_parts: ehos.texts("userdata_parts").into_iter().map(Into::into).collect(),
            base_image: ehos.text("image"),
            project_prefix: project_prefix?,
        })
    }

    /// Tells whether a place has been reported: what stands in the common `ehos` is so once for all clouds.
    fn is_told(&self, at: Option<&At>) -> bool {
        at.is_some() && self.report.findings.iter().any(|finding| finding.at.as_ref() == at)
    }

    fn access(&mut self, name: &str, at: &At) -> Option<CloudAccess> {
        let view = self.document.view(Section::Cloud, Some(name));
        let by_application = view.set("application_credential_id").is_some();
        let needed: &[&'static str] = if by_application {
            &["auth_url", "application_credential_secret"]
        } else {
            &["auth_url", "username", "password", "project_name"]
        };
        let missing: Vec<&'static str> =
            needed.iter().copied().filter(|key| view.set(key).is_none()).collect();
        if !missing.is_empty() {
            self.missing(name, at, &missing);
            return None;
        }
        for (a, b) in [("project_domain_name", "project_domain_id"), ("user_domain_name", "user_domain_id")] {
            if view.set(a).is_some() && view.set(b).is_some() {
                let finding = Finding::error(view.at(b), format!("`{a}` and `{b}` are both set"))
                    .other(view.at(a), "the other one")
                    .help("keep one of the two");
                self.report.push(finding);
            }
        }
        let login = if by_application {
            Login::ApplicationCredential {
                id: view.text("application_credential_id")?,
                secret: view.secret("application_credential_secret")?,
            }
        } else {
            Login::Password {
                username: view.text("username")?,
                password: view.secret("password")?,
                project_name: view.text("project_name")?,
                project_domain: domain(view, "project_domain_id", "project_domain_name"),
                user_domain: domain(view, "user_domain_id", "user_domain_name"),
            }
        };
        Some(CloudAccess {
            auth_url: view.text("auth_url")?,
            login,
            region: view.text("region_name"),
            interface: match view.word("interface") {
                "internal" => Interface::Internal,
                "admin" => Interface::Admin,
                _ => Interface::Public,
            },
            cacert: view.path("cacert"),
            insecure: view.yes("insecure"),
            timeout: view.duration("timeout").unwrap_or(Duration::from_secs(30)),
        })
    }

    /// Says what a cloud lacks: at each place where nothing or a placeholder stands, else at its name.
    fn missing(&mut self, name: &str, at: &At, keys: &[&'static str]) {
        let view = self.document.view(Section::Cloud, Some(name));
        let mut absent = Vec::new();
        for key in keys {
            if view.is_refused(key) {
                continue;
            }
            let Some((text, place)) = view.unset(key) else {
                absent.push(format!("`{key}`"));
                continue;
            };
            let label = if value::is_placeholder(text) { "this is still a placeholder" } else { "not set" };
            self.report.push(
                Finding::error(Some(place.clone()), format!("the cloud `{name}` needs `{key}`")).label(label),
            );
        }
        if absent.is_empty() {
            return;
        }
        let finding = Finding::error(
            Some(at.clone()),
            format!("the cloud `{name}` lacks {}", absent.join(", ")),
        )
        .label("missing below this")
        .help("they are in your keystone file; or write `from_env: yes`, or `cloud: NAME` of a clouds.yaml");
        // A later file that misspells a cloud adds one that has next to nothing.
        let others =
            self.document.clouds.iter().map(|(other, _)| other.as_str()).filter(|other| *other != name);
        let near = value::nearest(name, others).filter(|_| absent.contains(&"`auth_url`".to_owned()));
        self.report.push(match near {
            Some(near) => finding.help(format!("did you mean the cloud `{near}`?")),
            None => finding,
        });
    }

    fn flavors(&mut self, name: &str, at: &At, backend: Option<&Backend>) -> Vec<String> {
        let ehos = self.document.view(Section::Ehos, Some(name));
        let flavors = ehos.texts("flavors");
        let Some(Backend::Embedded(embedded)) = backend else {
            if flavors.is_empty() && !ehos.is_refused("flavors") {
                let at = ehos.at("flavors").unwrap_or_else(|| at.clone());
                if !self.is_told(Some(&at)) {
                    let finding = Finding::error(
                        Some(at),
                        format!("the cloud `{name}` has no flavor to make nodes of"),
                    )
                    .label("not set")
                    .help("write `flavor: NAME` or `flavors: [NAME, NAME]` below `ehos`");
                    self.report.push(finding);
                }
            }
            return flavors;
        };
        let sold: Vec<&str> = embedded.flavors.iter().map(|flavor| flavor.name.as_str()).collect();
        for flavor in &flavors {
            if !sold.contains(&flavor.as_str()) {
                let finding = Finding::error(
                    ehos.at("flavors"),
                    format!("the cloud `{name}` does not sell `{flavor}`"),
                );
                self.report.push(match value::nearest(flavor, sold.iter().copied()) {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help(format!("it sells {}", sold.join(", "))),
                });
            }
        }
        if flavors.is_empty() { sold.into_iter().map(ToOwned::to_owned).collect() } else { flavors }
    }

    /// Makes a prefix fit for host names: `EHOS_V1` becomes `ehos-v1`.
    fn prefix(&mut self, cloud: &str) -> Option<String> {
        let ehos = self.document.view(Section::Ehos, Some(cloud));
        let raw = ehos.text("project_prefix")?;
        let at = ehos.at("project_prefix");
        let prefix = dns_safe(&raw);
        let starts_well = prefix.starts_with(|char: char| char.is_ascii_lowercase());
        let is_safe = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !starts_well || !is_safe || prefix.len() > PREFIX_MAX {
            if !self.is_told(at.as_ref()) {
                let finding = Finding::error(at, format!("server names cannot begin with `{raw}`")).label(
                    format!("expected at most {PREFIX_MAX} letters, digits and hyphens, a letter first"),
                );
                self.report.push(finding);
            }
            return None;
        }
        if prefix != raw && !self.is_told(at.as_ref()) {
            let finding =
                Finding::warning(at, format!("names of servers begin with `{prefix}`, not `{raw}`"))
                    .label("a host name has lower case letters, digits and hyphens");
            self.report.push(finding);
        }
        Some(prefix)
    }
}

fn domain(view: View<'_>, id: &'static str, name: &'static str) -> Domain {
    match view.text(id) {
        Some(id) => Domain::Id(id),
        None => Domain::Name(view.text(name).unwrap_or_else(|| "Default".to_owned())),
    }
}
