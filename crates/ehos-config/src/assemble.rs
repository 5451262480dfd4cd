//! Builds a [`Config`] from single values, and judges how they go together.
//!
//! Deliberately goes on after an error: whoever corrects a file wants to know all that is wrong with it.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ehos_model::{
    CloudAccess, CloudName, CloudPolicy, Domain, FlavorName, FloatingIp, Interface, Login, Mebibytes,
    NodeAllocation, NodeLimits, Policy, PolicyDraft, PoolId, Reserve, ServerSettings,
};
use secrecy::SecretString;

use crate::document::{Document, View};
use crate::keys::Section;
use crate::load::Environment;
use crate::report::{Finding, Report};
use crate::source::At;
use crate::value::{self, Value};
use crate::{Authentication, Backend, CloudSettings, CondorSettings, Config, DaemonSettings, embedded};

/// The longest first part of a server's name: time and random part must fit into the 63 letters of a host name.
const PREFIX_MAX: usize = 30;

/// Builds the configuration; `None` where something needed is wrong, which the report then says.
pub(crate) fn assemble(document: Document, environment: &Environment, report: &mut Report) -> Option<Config> {
    let assembly = Assembly { document: &document, report };
    let parts = assembly.parts(environment)?;
    let Parts { policy, clouds, condor, daemon, load } = parts;
    Some(Config { policy, clouds, condor, daemon, load, document })
}

struct Parts {
    policy: Policy,
    clouds: Vec<CloudSettings>,
    condor: CondorSettings,
    daemon: DaemonSettings,
    load: Vec<crate::LoadItem>,
}

struct Assembly<'a> {
    document: &'a Document,
    report: &'a mut Report,
}

impl<'a> Assembly<'a> {
    fn daemon_view(&self) -> View<'a> {
        self.document.view(Section::Daemon, None)
    }

    fn parts(mut self, environment: &Environment) -> Option<Parts> {
        let names = &self.document.clouds;
        if names.is_empty() && self.document.view(Section::Top, None).is_refused("clouds") {
            return None;
        }
        if names.is_empty() {
            let start = (!self.report.sources.is_empty()).then_some(At { file: 0, range: 0..0 });
            let finding = Finding::error(start, "no cloud is configured")
                .label("`clouds` is missing in this file")
                .help("write `clouds:`, below it a name of your choice, and below that how to log in; see etc/ehos.yaml.example");
            self.report.push(finding);
            return None;
        }
        let is_embedded = self.backend()?;
        let clouds: Vec<Option<CloudSettings>> =
            names.iter().map(|(name, at)| self.cloud(name, at)).collect();
        let limits = self.limits();
        let pool = self.pool(is_embedded);
        let master_cloud = self.master_cloud();
        let load = embedded::load(self.document, is_embedded, self.report);
        let clouds: Vec<CloudSettings> = clouds.into_iter().collect::<Option<_>>()?;
        let policy = self.policy(pool?, limits?, &clouds)?;
        let daemon = self.daemon_view();
        let listen = match daemon.get("listen") {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        };
        let state_dir = match daemon.set("state_dir") {
            None if is_embedded => embedded::state_dir(environment),
            _ => daemon.path("state_dir").unwrap_or_else(|| PathBuf::from("/var/lib/ehos")),
        };
        let daemon = DaemonSettings { state_dir, listen, master_cloud };
        Some(Parts { policy, clouds, condor: self.condor(), daemon, load })
    }

    /// Tells whether the clouds are embedded; they all are or none is, since an embedded one brings its own pool.
    fn backend(&mut self) -> Option<bool> {
        let is_embedded =
            |name: &str| self.document.view(Section::Cloud, Some(name)).word("backend") == "embedded";
        let (inside, outside): (Vec<_>, Vec<_>) =
            self.document.clouds.iter().partition(|(name, _)| is_embedded(name));
        if let (Some((embedded, at)), Some((real, other))) = (inside.first(), outside.first()) {
            let finding =
                Finding::error(Some(at.clone()), "embedded and real clouds cannot be in one configuration")
                    .label(format!("`{embedded}` is embedded and brings a pool of its own"))
                    .other(Some(other.clone()), format!("`{real}` is real"))
                    .help("use a file of its own for the embedded ones, as etc/demo.yaml");
            self.report.push(finding);
            return None;
        }
        Some(!inside.is_empty())
    }

    fn cloud(&mut self, name: &str, at: &At) -> Option<CloudSettings> {
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
        self.report.push(finding);
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

    fn limits(&mut self) -> Option<NodeLimits> {
        let view = self.daemon_view();
        if ["nodes_min", "nodes_max", "nodes_spare"].iter().any(|key| view.is_refused(key)) {
            return None;
        }
        let max = view.count("nodes_max")?;
        let or_less = |key: &'static str| {
            let count = view.count(key)?;
            Some(if view.set(key).is_some() { count } else { count.min(max) })
        };
        let limits = NodeLimits::new(or_less("nodes_min")?, max, or_less("nodes_spare")?);
        limits
            .map_err(|error| {
                let key = match error {
                    ehos_model::NodeLimitsError::MinAboveMax { .. } => "nodes_min",
                    ehos_model::NodeLimitsError::SpareAboveMax { .. } => "nodes_spare",
                };
                let finding = Finding::error(view.at(key), error.to_string()).label("too large");
                self.report.push(match view.at("nodes_max") {
                    Some(at) => finding.other(Some(at), "the ceiling"),
                    None => finding.help(format!("nodes_max is {max} unless set")),
                });
            })
            .ok()
    }

    fn pool(&mut self, is_embedded: bool) -> Option<PoolId> {
        let view = self.document.view(Section::Condor, None);
        let prefix =
            self.document.view(Section::Ehos, None).text("project_prefix").map(|raw| dns_safe(&raw))?;
        let pool = match (view.text("pool_id"), view.text("host_ip")) {
            (Some(pool), _) => pool,
            (None, Some(host)) => format!("{prefix}@{host}"),
            (None, None) if is_embedded => format!("{prefix}@embedded"),
            (None, None) if view.is_refused("host_ip") || view.is_refused("pool_id") => return None,
            (None, None) => {
                self.no_pool(view);
                return None;
            }
        };
        if pool.len() > 200 {
            self.report.push(Finding::error(view.at("pool_id"), "the pool's name is longer than 200 bytes"));
            return None;
        }
        Some(PoolId::from(pool))
    }

    /// Says that the pool has no name: where its key stands unset, else at its section, else at the end of the file.
    fn no_pool(&mut self, view: View<'_>) {
        let end = self.report.sources.first().map(|source| source.text.trim_end().len());
        let end = end.map(|end| At { file: 0, range: end.saturating_sub(1)..end });
        let at = view.at("host_ip").or_else(|| view.at("pool_id")).or_else(|| view.section_at()).or(end);
        let finding = Finding::error(at, "`condor.host_ip` is not set, so the pool has no name")
            .label("needed to mark what EHOS makes: what does not carry the name is never touched")
            .help(
                "ehosd_deploy sets it; by hand, write the address at which nodes reach the master, \
                 or a name of your choice as `condor.pool_id`",
            );
        self.report.push(finding);
    }

    fn master_cloud(&mut self) -> Option<CloudName> {
        let names: Vec<&str> = self.document.clouds.iter().map(|(name, _)| name.as_str()).collect();
        let Some(wanted) = self.daemon_view().text("master_cloud") else {
            return if let [only] = names.as_slice() { Some(CloudName::from(*only)) } else { None };
        };
        if names.contains(&wanted.as_str()) {
            return Some(CloudName::from(wanted));
        }
        let at = self.daemon_view().at("master_cloud");
        let finding =
            Finding::error(at, format!("there is no cloud `{wanted}`")).label("expected one of `clouds`");
        self.report.push(match value::nearest(&wanted, names.iter().copied()) {
            Some(name) => finding.help(format!("did you mean `{name}`?")),
            None => finding.help(format!("there is {}", names.join(", "))),
        });
        None
    }

    fn policy(&mut self, pool: PoolId, limits: NodeLimits, clouds: &[CloudSettings]) -> Option<Policy> {
        let view = self.daemon_view();
        let reserve = Reserve {
            cores: view.count("min_cores")?,
            memory: view.size("min_ram")?,
            instances: view.count("min_instances")?,
        };
        let max_creating = NonZeroU32::new(view.count("max_creating")?)?;
        let policy = |cloud: &CloudSettings| {
            let own = self.document.view(Section::Cloud, Some(cloud.name.as_str()));
            CloudPolicy {
                name: cloud.name.clone(),
                nodes_max: own.count("nodes_max"),
                priority: own.signed("priority"),
                price: own.number("price"),
                flavors: cloud
                    .servers
                    .flavors
                    .iter()
                    .map(|flavor| FlavorName::from(flavor.as_str()))
                    .collect(),
                prefix: cloud.project_prefix.clone(),
                reserve,
                max_creating,
            }
        };
        let draft = PolicyDraft {
            pool,
            limits,
            allocation: match view.word("node_allocation") {
                "random" => NodeAllocation::Random,
                "fill-first" => NodeAllocation::FillFirst,
                "cheapest" => NodeAllocation::Cheapest,
                "least-waste" => NodeAllocation::LeastWaste,
                _ => NodeAllocation::RoundRobin,
            },
            clouds: clouds.iter().map(policy).collect(),
            sleep: view.duration("sleep")?,
            idle_grace: view.duration("idle_grace")?,
            boot_timeout: view.duration("boot_timeout")?,
            lost_timeout: view.duration("lost_timeout")?,
            drain_timeout: view.duration("drain_timeout"),
        };
        // All that it refuses has been judged above, where the place is known; this is the net below.
        Policy::try_from(draft)
            .map_err(|error| {
                if !self.report.has_errors() {
                    self.report.push(Finding::error(None, error.to_string()));
                }
            })
            .ok()
    }

    fn condor(&self) -> CondorSettings {
        let view = self.document.view(Section::Condor, None);
        let password: Option<SecretString> = view.secret("password");
        CondorSettings {
            host_ip: view.text("host_ip"),
            password,
            authentication: match view.word("authentication") {
                "password" => Authentication::Password,
                _ => Authentication::IdTokens,
            },
            token_lifetime: view.duration("token_lifetime").unwrap_or(Duration::from_hours(7 * 24)),
        }
    }
}

fn dns_safe(prefix: &str) -> String {
    prefix.to_ascii_lowercase().replace(['_', '.', ' '], "-").trim_matches('-').to_owned()
}

fn domain(view: View<'_>, id: &'static str, name: &'static str) -> Domain {
    match view.text(id) {
        Some(id) => Domain::Id(id),
        None => Domain::Name(view.text(name).unwrap_or_else(|| "Default".to_owned())),
    }
}
