//! The values of a configuration, once they have been found valid.
//!
//! Deliberately plain data: what is done with them is for the programs.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ehos_model::{CloudAccess, CloudName, Policy, Resources, ServerSettings};
use secrecy::SecretString;

use crate::document::Document;

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What guides the planner; holds the pool's id, too.
    pub policy: Policy,
    /// The clouds, in the files' order; all embedded, or none.
    pub clouds: Vec<CloudSettings>,
    /// The pool.
    pub condor: CondorSettings,
    /// The daemon itself.
    pub daemon: DaemonSettings,
    /// Jobs that the daemon submits to its embedded pool by itself.
    pub load: Vec<LoadItem>,
    /// The values key by key, for [`crate::changes`].
    pub(crate) document: Document,
}

impl Config {
    /// Gives the settings of one cloud.
    #[must_use]
    pub fn cloud(&self, name: &CloudName) -> Option<&CloudSettings> {
        self.clouds.iter().find(|cloud| cloud.name == *name)
    }

    /// Tells whether the pool has no name yet: neither one of its own nor a master's. Only
    /// [`crate::load_before_master`] lets that pass, and `policy.pool` is no more than the prefix then.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        !self.is_embedded() && self.condor.host_ip.is_none() && self.condor.pool_id.is_none()
    }

    /// Tells whether pool and clouds are the ones inside ehosd.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.clouds.iter().any(|cloud| matches!(cloud.backend, Backend::Embedded(_)))
    }
}

/// One cloud: one project in one region.
#[derive(Clone, Debug)]
pub struct CloudSettings {
    /// The operator's name for it.
    pub name: CloudName,
    /// What it is.
    pub backend: Backend,
    /// How its servers are made; the `ehos` section with this cloud's own `ehos` laid over it.
    pub servers: ServerSettings,
    /// The operator's own template of what a node is told at boot (*`userdata_file`*); relative to the file it is named in.
    pub userdata_file: Option<PathBuf>,
    /// The operator's own pieces of user-data beside the template (*`userdata_parts`*); relative to the file they are
    /// named in.
    pub userdata_parts: Vec<PathBuf>,
    /// What images are built from, name or id (*`ehos.image`*).
    pub base_image: Option<String>,
    /// First part of server names; lower case letters, digits and hyphens (*`project_prefix`*).
    pub project_prefix: String,
}

/// What a cloud is (*`backend`*).
#[derive(Clone, Debug)]
pub enum Backend {
    /// A real one.
    OpenStack(CloudAccess),
    /// One inside ehosd, to try things.
    Embedded(EmbeddedSettings),
}

/// How an embedded cloud behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedSettings {
    /// What it sells.
    pub flavors: Vec<EmbeddedFlavor>,
    /// From the create call to a server that is up.
    pub boot_time: RangeInclusive<Duration>,
    /// From a server that is up to its startd in the pool.
    pub join_time: RangeInclusive<Duration>,
    /// Servers it allows; `None`: without limit.
    pub quota_instances: Option<u64>,
    /// Cores it allows; `None`: without limit.
    pub quota_cores: Option<u64>,
    /// GiB of memory it allows; `None`: without limit.
    pub quota_memory: Option<u64>,
    /// The share of creates that end in ERROR, 0 to 1.
    pub failure_rate: f64,
}

/// A flavor of an embedded cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedFlavor {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: Resources,
}

/// Equal jobs that the daemon submits to its embedded pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadItem {
    /// How many.
    pub jobs: u32,
    /// How long each of them sleeps, in seconds.
    pub seconds: RangeInclusive<u32>,
    /// What each of them asks for.
    pub request: Resources,
    /// How long after the start they are submitted.
    pub at: Duration,
}

/// How nodes are let into the pool (*`authentication`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// A token for each node.
    #[default]
    IdTokens,
    /// The pool password, as before HTCondor 9.
    Password,
}

/// The pool.
#[derive(Clone, Debug)]
pub struct CondorSettings {
    /// The master, as the nodes reach it; `None` until it is known.
    pub host_ip: Option<String>,
    /// The pool's name as it stands in the configuration; `None`: it follows from the prefix and the master.
    pub pool_id: Option<String>,
    /// The pool password or signing key.
    pub password: Option<SecretString>,
    /// How nodes are let in.
    pub authentication: Authentication,
    /// How long the token of a node is good for.
    pub token_lifetime: Duration,
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSettings {
    /// Where it keeps its memory.
    pub state_dir: PathBuf,
    /// Where the status page is; `None`: off.
    pub listen: Option<SocketAddr>,
    /// Where the master goes; the only cloud, if there is one.
    pub master_cloud: Option<CloudName>,
}
