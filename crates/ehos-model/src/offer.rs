//! What a cloud can sell us now.

use serde::{Deserialize, Serialize};

use crate::{CloudName, FlavorName, ImageId, Mebibytes, Resources};

/// A flavor of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// Its name.
    pub name: FlavorName,
    /// What a server of it has (*Nova `vcpus`, `ram`, `disk`; extra specs for GPUs*).
    pub size: Resources,
}

/// How much of one thing a project may have, and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// The most it may have; `None` is without limit (*-1 at Nova*).
    pub max: Option<u64>,
    /// What it has now, other people's servers included.
    pub used: u64,
}

impl Allowance {
    /// Gives what is left; `u64::MAX` where there is no limit, 0 where the quota is overdrawn.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.max.map_or(u64::MAX, |max| max.saturating_sub(self.used))
    }
}

/// A project's quota and its use (*Nova `GET /limits`, `absolute`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Servers.
    pub instances: Allowance,
    /// Cores.
    pub cores: Allowance,
    /// Memory in MiB.
    pub memory: Allowance,
}

impl Quota {
    /// Memory left.
    #[must_use]
    pub fn memory_left(&self) -> Mebibytes {
        Mebibytes(self.memory.left())
    }
}

/// All that is needed to order servers from a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudOffer {
    /// Which cloud.
    pub cloud: CloudName,
    /// The configured flavors that the cloud has, in the order of the configuration.
    pub flavors: Vec<Flavor>,
    /// The image that nodes boot from, by id; `None` where none is configured or it is gone.
    pub image: Option<ImageId>,
    /// What is left to spend.
    pub quota: Quota,
}
