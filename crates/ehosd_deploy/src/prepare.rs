//! Makes a cloud's account ready for a pool: security group, keypair, network; tells what it found and what it made.
//!
//! Deliberately asks nothing of an operator that the cloud can tell, and writes no file: [`edits`] says what to write.

mod groups;
pub mod key;
mod keypair;
mod networks;
pub mod rules;

use std::path::PathBuf;

use ehos_cloud::Prepare;
use ehos_cloud::prepare::Cidr;
use ehos_config::{CloudSettings, Config, Edit};
use ehos_model::{CloudName, Failure};

use self::groups::fill_groups;
use self::key::KeyError;
use self::keypair::{choose_key, take_key};
use self::networks::choose_networks;
pub use self::networks::only_network;

/// Takes one result out of all.
type Get = fn(&Prepared) -> Option<&String>;

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
    let values: [(&str, Get); 3] = [
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
