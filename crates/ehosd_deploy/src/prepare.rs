//! Makes a cloud's account ready for a pool: security group, keypair, network; tells what it found and what it made.
//!
//! Deliberately asks nothing of an operator that the cloud can tell, and writes no file: [`edits`] says what to write.

pub mod key;
pub mod rules;

use std::path::PathBuf;

use ehos_cloud::Prepare;
use ehos_cloud::prepare::{Cidr, KeyPair, Network, SecurityGroup};
use ehos_config::{CloudSettings, Config, Edit};
use ehos_model::{CloudName, Failure};

use self::key::{KeyError, PublicKey};

/// The most rules or networks that one line lists.
const LISTED: usize = 8;

/// What the operator wants.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The public key to import; `None`: the user's own.
    pub ssh_key: Option<PathBuf>,
    /// Who else reaches HTCondor: `None` nobody outside the group, an empty list everybody.
    pub external: Option<Vec<Cidr>>,
    /// Takes away what is ours and not wanted any more. Not where an account is made ready by the way, without
    /// the operator having said who is to be let in.
    pub exact: bool,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

/// Why an account cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The cloud says no, or nothing.
    #[error("{what}: {failure}")]
    Cloud {
        /// What was asked for.
        what: String,
        /// Its answer.
        failure: Failure,
    },
    /// There is no network for nodes.
    #[error(
        "there is no network that nodes can be plugged into: one that is ours or shared, not external, and has a \
         subnet; create one in the cloud and run this once more"
    )]
    NoNetwork,
    /// There are several.
    #[error("there are several networks: write one of them as `network` below ehos: {0}")]
    SeveralNetworks(String),
    /// What the configuration names is not there, or not the only one.
    #[error("the cloud has {count} {what}s '{name}'; {hint}")]
    Configured {
        /// Of what.
        what: &'static str,
        /// Its name.
        name: String,
        /// None, or more than one.
        count: usize,
        /// What to do.
        hint: String,
    },
    /// There is no key to import.
    #[error(
        "there is no public key in ~/.ssh (id_ed25519.pub, id_ecdsa.pub, id_rsa.pub): make one with ssh-keygen, or say \
         which with --ssh-key FILE.pub"
    )]
    NoKey,
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is another key of that name.
    #[error(
        "the keypair '{name}' is there with another key ({there}); yours is {yours} ({})\n  to use the one in the cloud, \
         write `key: {name}` below ehos and leave --ssh-key out; to use yours, write another name there",
        path.display()
    )]
    OtherKey {
        /// The keypair.
        name: String,
        /// The fingerprint of the key in the cloud.
        there: String,
        /// The fingerprint of the key given.
        yours: String,
        /// Its file.
        path: PathBuf,
    },
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was there, as it should be.
    Found,
    /// It was made.
    Made,
    /// It was there and is now as it should be.
    Changed,
}

impl Done {
    /// Gives its word for the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Made => "made",
            Self::Changed => "changed",
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `network`, `security group` or `key`.
    pub what: &'static str,
    /// Its name in the cloud.
    pub name: String,
    /// What became of it.
    pub done: Done,
    /// What an operator should know beside; may be empty.
    pub note: String,
}

impl Step {
    /// Gives the cells of a table: cloud, what, name, result, note.
    #[must_use]
    pub fn cells(&self, cloud: &CloudName) -> [String; 5] {
        [
            cloud.to_string(),
            self.what.to_owned(),
            self.name.clone(),
            self.done.as_str().to_owned(),
            self.note.clone(),
        ]
    }
}

/// An account that is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What was found and made.
    pub steps: Vec<Step>,
    /// The network, where the configuration has none.
    pub network: Option<String>,
    /// The security group, where the configuration has none.
    pub security_group: Option<String>,
    /// The keypair, where the configuration has none.
    pub key: Option<String>,
}

/// Makes an account ready; doing it again changes nothing.
///
/// What can be told without making anything is told first, so that a wrong configuration leaves nothing behind.
///
/// # Errors
/// What was made until then stays, and is found by the next call.
pub async fn prepare(
    cloud: &dyn Prepare,
    settings: &CloudSettings,
    options: &Options,
) -> Result<Prepared, PrepareError> {
    let mut ready = Prepared::default();
    let networks = cloud.networks().await.map_err(|failure| during("the networks", failure))?;
    let (steps, chosen) = choose_networks(&networks, &settings.servers.networks)?;
    ready.steps.extend(steps);
    ready.network = chosen;
    let keys = cloud.keypairs().await.map_err(|failure| during("the keypairs", failure))?;
    let key = choose_key(&keys, settings, options)?;
    let groups = cloud.security_groups().await.map_err(|failure| during("the security groups", failure))?;
    let (steps, name) = fill_groups(cloud, &groups, settings, options).await?;
    ready.steps.extend(steps);
    ready.security_group = name;
    let name = key.name().to_owned();
    ready.steps.push(take_key(cloud, key).await?);
    ready.key = settings.servers.key.is_none().then_some(name);
    Ok(ready)
}

/// Says what to write into the configuration: once for all clouds where they agree and none has its own, else for each.
#[must_use]
pub fn edits(config: &Config, ready: &[(CloudName, Prepared)]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let values: [(&str, fn(&Prepared) -> Option<&String>); 3] = [
        ("network", |ready| ready.network.as_ref()),
        ("security_groups", |ready| ready.security_group.as_ref()),
        ("key", |ready| ready.key.as_ref()),
    ];
    for (key, value) in values {
        let found: Vec<_> =
            ready.iter().filter_map(|(cloud, ready)| Some((cloud, value(ready)?.as_str()))).collect();
        let Some((_, first)) = found.first() else { continue };
        let all = found.len() == config.clouds.len() && found.iter().all(|(_, value)| value == first);
        if all {
            edits.push(Edit::ehos(key, *first));
        } else {
            edits.extend(found.iter().map(|(cloud, value)| Edit::cloud_ehos(cloud.as_str(), key, *value)));
        }
    }
    edits
}

fn during(what: &str, failure: Failure) -> PrepareError {
    PrepareError::Cloud { what: what.to_owned(), failure }
}

/// Finds the networks that are configured, or the only one that can be meant; the name is given where none is configured.
fn choose_networks(
    all: &[Network],
    configured: &[String],
) -> Result<(Vec<Step>, Option<String>), PrepareError> {
    let step = |network: &Network, note: &str| Step {
        what: "network",
        name: called(&network.name, &network.id),
        done: Done::Found,
        note: note.to_owned(),
    };
    if configured.is_empty() {
        let network = only_network(all)?;
        let is_only = all.iter().filter(|one| one.name == network.name).count() == 1;
        let name = if is_only { called(&network.name, &network.id) } else { network.id.clone() };
        return Ok((vec![step(network, "the only one for nodes")], Some(name)));
    }
    let mut steps = Vec::new();
    for name in configured {
        let network = named("network", name, all, |one| (&*one.id, &*one.name))?;
        let Some(network) = network else {
            let there: Vec<_> = all.iter().filter(|one| one.is_usable()).map(|one| &*one.name).collect();
            let hint = format!("it has for nodes: {}", list(&there));
            return Err(PrepareError::Configured { what: "network", name: name.clone(), count: 0, hint });
        };
        let note = match network {
            _ if !network.up => "it is switched off",
            _ if network.subnets == 0 => "it has no subnet: servers get no address from it",
            _ if network.external => "it leads out of the cloud: nodes can be reached from everywhere",
            _ => "",
        };
        steps.push(step(network, note));
    }
    Ok((steps, None))
}

/// Finds the only network that nodes can be plugged into.
///
/// # Errors
/// Where there is none, or several.
pub fn only_network(all: &[Network]) -> Result<&Network, PrepareError> {
    let usable: Vec<_> = all.iter().filter(|network| network.is_usable()).collect();
    match &*usable {
        [one] => Ok(one),
        [] => Err(PrepareError::NoNetwork),
        several => {
            let names: Vec<_> = several.iter().map(|one| called(&one.name, &one.id)).collect();
            Err(PrepareError::SeveralNetworks(list(&names)))
        }
    }
}

/// A keypair that is there, or is to be imported.
enum Key {
    There(String, String),
    Import(String, PathBuf, PublicKey),
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Self::There(name, _) | Self::Import(name, ..) => name,
        }
    }
}

/// Decides which keypair servers get; makes nothing.
fn choose_key(all: &[KeyPair], settings: &CloudSettings, options: &Options) -> Result<Key, PrepareError> {
    let configured = settings.servers.key.clone();
    let trusted = configured.is_some();
    let name = configured.unwrap_or_else(|| format!("{}-key", settings.project_prefix));
    let there = all.iter().find(|pair| pair.name == name);
    let mine = match &options.ssh_key {
        Some(path) => Some((path.clone(), PublicKey::read(path)?)),
        // One that the operator has named, or that we have imported before, needs no file.
        None if there.is_some_and(|pair| trusted || pair.ours) => None,
        None => PublicKey::find(options.home.as_deref())?,
    };
    match (there, mine) {
        (Some(pair), None) if trusted || pair.ours => Ok(Key::There(name, fingerprint(pair))),
        (Some(pair), Some((_, key))) if pair.holds(&key.line) => Ok(Key::There(name, key.fingerprint)),
        (Some(pair), Some((path, key))) => {
            Err(PrepareError::OtherKey { name, there: fingerprint(pair), yours: key.fingerprint, path })
        }
        (None, Some((path, key))) => Ok(Key::Import(name, path, key)),
        (_, None) => Err(PrepareError::NoKey),
    }
}

fn fingerprint(pair: &KeyPair) -> String {
    PublicKey::parse(&pair.public_key)
        .map_or_else(|| "of a kind we do not know".to_owned(), |key| key.fingerprint)
}

async fn take_key(cloud: &dyn Prepare, key: Key) -> Result<Step, PrepareError> {
    let (name, done, note) = match key {
        Key::There(name, fingerprint) => (name, Done::Found, fingerprint),
        Key::Import(name, path, key) => {
            let imported = cloud.import_key(&name, &key.line).await;
            imported.map_err(|failure| during(&format!("the keypair '{name}'"), failure))?;
            (name, Done::Made, format!("{} of {}", key.fingerprint, path.display()))
        }
    };
    Ok(Step { what: "key", name, done, note })
}

/// Finds or makes the groups and fills them; the name is given where none is configured.
async fn fill_groups(
    cloud: &dyn Prepare,
    all: &[SecurityGroup],
    settings: &CloudSettings,
    options: &Options,
) -> Result<(Vec<Step>, Option<String>), PrepareError> {
    let configured = &settings.servers.security_groups;
    let mut names = configured.clone();
    if names.is_empty() {
        names.push(settings.project_prefix.clone());
    }
    let (mut groups, mut steps) = (Vec::new(), Vec::new());
    for name in &names {
        // Where none is configured several may have our name: the cloud says which one is meant.
        let found = match configured.is_empty() {
            true => None,
            false => named("security group", name, all, |one| (&*one.id, &*one.name))?,
        };
        let group = match found {
            Some(group) => group.clone(),
            None => make_group(cloud, name).await?,
        };
        let done = if all.iter().any(|one| one.id == group.id) { Done::Found } else { Done::Made };
        steps.push(Step { what: "security group", name: group.name.clone(), done, note: String::new() });
        groups.push(group);
    }
    // The rules go into a group of ours, if there is one.
    let at = groups.iter().position(|group| group.ours).unwrap_or_default();
    if let (Some(target), Some(step)) = (groups.get(at), steps.get_mut(at)) {
        let wanted = rules::wanted(&target.id, options.external.as_deref());
        let plan = rules::plan(&wanted, &groups, options.exact);
        carry_out(cloud, &groups, target, &plan).await?;
        if step.done == Done::Found && (!plan.add.is_empty() || !plan.remove.is_empty()) {
            step.done = Done::Changed;
        }
        step.note = note(&plan, wanted.len());
    }
    let chosen = groups.first().map(|group| {
        let twins = all.iter().filter(|one| one.name == group.name && one.id != group.id).count();
        if twins == 0 { group.name.clone() } else { group.id.clone() }
    });
    Ok((steps, chosen.filter(|_| configured.is_empty())))
}

async fn make_group(cloud: &dyn Prepare, name: &str) -> Result<SecurityGroup, PrepareError> {
    let is_id = name.len() >= 32 && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_id {
        let hint = "an id cannot be made: write a name, or leave security_groups out".to_owned();
        return Err(PrepareError::Configured {
            what: "security group",
            name: name.to_owned(),
            count: 0,
            hint,
        });
    }
    let made = cloud.make_security_group(name).await;
    made.map_err(|failure| during(&format!("the security group '{name}'"), failure))
}

/// Adds before it removes, so that nothing is shut out in between.
async fn carry_out(
    cloud: &dyn Prepare,
    groups: &[SecurityGroup],
    target: &SecurityGroup,
    plan: &rules::RulePlan,
) -> Result<(), PrepareError> {
    for rule in &plan.add {
        let added = cloud.add_rule(target, rule).await;
        added.map_err(|failure| during(&format!("the rule '{rule}' of '{}'", target.name), failure))?;
    }
    for (at, found) in &plan.remove {
        let Some(group) = groups.get(*at) else { continue };
        let removed = cloud.remove_rule(group, found).await;
        removed
            .map_err(|failure| during(&format!("the rule '{}' of '{}'", found.rule, group.name), failure))?;
    }
    Ok(())
}

fn note(plan: &rules::RulePlan, wanted: usize) -> String {
    let mut parts = Vec::new();
    match plan.add.len() {
        0 => parts.push("all rules are there".to_owned()),
        added if added == wanted => parts.push(format!("{added} rules added")),
        _ => parts.push(format!("added: {}", list(&plan.add))),
    }
    if !plan.remove.is_empty() {
        let removed: Vec<_> = plan.remove.iter().map(|(_, found)| &found.rule).collect();
        parts.push(format!("removed: {}", list(&removed)));
    }
    if !plan.others.is_empty() {
        parts.push(format!("lets in besides, and that stays: {}", list(&plan.others)));
    }
    parts.join("; ")
}

/// Finds what is meant by an id, or else by a name; `None` where there is nothing.
fn named<'a, T>(
    what: &'static str,
    wanted: &str,
    all: &'a [T],
    keys: impl Fn(&T) -> (&str, &str),
) -> Result<Option<&'a T>, PrepareError> {
    if let Some(one) = all.iter().find(|one| keys(one).0 == wanted) {
        return Ok(Some(one));
    }
    let mut named = all.iter().filter(|one| keys(one).1 == wanted);
    let count = named.clone().count();
    if count > 1 {
        let hint = "write the id of the one that is meant".to_owned();
        return Err(PrepareError::Configured { what, name: wanted.to_owned(), count, hint });
    }
    Ok(named.next())
}

/// Gives the name, or the id of what has none.
fn called(name: &str, id: &str) -> String {
    if name.is_empty() { id.to_owned() } else { name.to_owned() }
}

fn list<T: ToString>(all: &[T]) -> String {
    let more = if all.len() > LISTED { ", ..." } else { "" };
    let words: Vec<_> = all.iter().take(LISTED).map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { format!("{}{more}", words.join(", ")) }
}

#[cfg(test)]
mod tests;
