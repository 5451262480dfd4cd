//! Builds a [`Config`] from single values, and judges how they go together.
//!
//! Deliberately goes on after an error: whoever corrects a file wants to know all that is wrong with it.

mod cloud;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ehos_model::{
    CloudName, CloudPolicy, FlavorName, NodeAllocation, NodeLimits, Policy, PolicyDraft, PoolId, Reserve,
};
use secrecy::SecretString;

use crate::document::{Document, View};
use crate::keys::Section;
use crate::load::Environment;
use crate::report::{Finding, Report};
use crate::source::At;
use crate::value::{self, Value};
use crate::{Authentication, CloudSettings, CondorSettings, Config, DaemonSettings, embedded};

/// Builds the configuration; `None` where something needed is wrong, which the report then says.
pub(crate) fn assemble(document: Document, environment: &Environment, report: &mut Report) -> Option<Config> {
    let assembly = Assembly { document: &document, report, before_master: environment.before_master };
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
    before_master: bool,
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
        self.joining(is_embedded);
        let master_cloud = self.master_cloud();
        let load = embedded::load(self.document, is_embedded, self.report);
        let clouds: Vec<CloudSettings> = clouds.into_iter().collect::<Option<_>>()?;
        let policy = self.policy(pool?, limits?, &clouds)?;
        let daemon = self.daemon_view();
        let listen = match daemon.get("listen") {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        };
        if let Some(Value::Address(_)) = daemon.set("listen") {
            let finding =
                Finding::warning(daemon.at("listen"), "`listen` is not acted on yet by this version");
            self.report.push(finding.label("the status page comes with a later one"));
        }
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
            (None, None) if self.before_master => prefix,
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

    /// Judges how nodes join the pool; an embedded pool lets all of them in.
    fn joining(&mut self, is_embedded: bool) {
        let view = self.document.view(Section::Condor, None);
        if is_embedded {
            return;
        }
        if view.word("authentication") == "password" {
            let finding =
                Finding::error(view.at("authentication"), "`authentication: password` is not there yet")
                    .label("not in this version")
                    .help("set it to idtokens, which HTCondor has had since 9.0");
            self.report.push(finding);
        }
        // Without either of them the pool has no name, which is told as such.
        let named = view.text("pool_id").is_some();
        if named && !self.before_master && view.text("host_ip").is_none() && !view.is_refused("host_ip") {
            let at = view.at("host_ip").or_else(|| view.section_at()).or_else(|| view.at("pool_id"));
            let finding = Finding::error(at, "`condor.host_ip` is not set, so no node can join the pool")
                .label("needed beside `pool_id`")
                .help("ehosd_deploy sets it; by hand, write the address at which nodes reach the master");
            self.report.push(finding);
        }
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
            pool_id: view.text("pool_id"),
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
