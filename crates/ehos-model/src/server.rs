//! Servers, as a cloud tells of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CloudName, FlavorName, ImageId, NodeId, ServerId, Timestamp};

/// What a server is for; kept in its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Runs jobs; the only role that the scaler touches.
    Execute,
    /// The pool's central manager.
    Master,
    /// The server an image is made from, or a probe of one.
    Build,
    /// A role of another version of EHOS.
    Other(String),
}

impl Role {
    /// Gives the word that stands in the metadata.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Execute => "execute",
            Self::Master => "master",
            Self::Build => "build",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for Role {
    fn from(word: &str) -> Self {
        match word {
            "execute" => Self::Execute,
            "master" => Self::Master,
            "build" => Self::Build,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The state of a server (*Nova `status` and `OS-EXT-STS:task_state`*).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServerStatus {
    /// *`BUILD`*.
    Building,
    /// *`ACTIVE`*.
    Active,
    /// *`SHUTOFF`*.
    Shutoff,
    /// *`ERROR`*.
    Error,
    /// Any status while *`task_state` `deleting`*, or *`DELETED`*, *`SOFT_DELETED`*.
    Deleting,
    /// Any other word, `SUSPENDED` for example; such a server is left alone.
    Other(String),
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Building => "BUILD",
            Self::Active => "ACTIVE",
            Self::Shutoff => "SHUTOFF",
            Self::Error => "ERROR",
            Self::Deleting => "deleting",
            Self::Other(word) => word,
        })
    }
}

/// A server that carries our pool's id in its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// *Nova `id`*.
    pub id: ServerId,
    /// Where it runs.
    pub cloud: CloudName,
    /// The node it was created for (*metadata `ehos:node`*).
    pub node: NodeId,
    /// What it is for (*metadata `ehos:role`*).
    pub role: Role,
    /// Its size (*metadata `ehos:flavor`*).
    pub flavor: FlavorName,
    /// What it was made from (*metadata `ehos:image`*); `None`: made by a version that did not say.
    #[serde(default)]
    pub image: Option<ImageId>,
    /// Fingerprint of the template of what it was told at boot (*metadata `ehos:template`*); `None`: likewise.
    #[serde(default)]
    pub template: Option<String>,
    /// What it does.
    pub status: ServerStatus,
    /// When the cloud accepted it (*Nova `created`*).
    pub created: Timestamp,
    /// Why it is in ERROR (*Nova `fault.message`*); often absent.
    pub fault: Option<String>,
}
