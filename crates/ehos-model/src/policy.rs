//! What the operator wants, once it has been found valid.

use std::num::NonZeroU32;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{CloudName, FlavorName, Mebibytes, PoolId};

/// How many nodes there may and must be: `min ≤ max`, and `spare` is only kept below `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub struct NodeLimits {
    min: u32,
    max: u32,
    spare: u32,
}

/// Limits that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeLimitsError {
    /// More nodes must be there than may be.
    #[error("nodes_min {min} is above nodes_max {max}")]
    MinAboveMax {
        /// `nodes_min`.
        min: u32,
        /// `nodes_max`.
        max: u32,
    },
    /// More idle nodes are wanted than may be there at all.
    #[error("nodes_spare {spare} is above nodes_max {max}")]
    SpareAboveMax {
        /// `nodes_spare`.
        spare: u32,
        /// `nodes_max`.
        max: u32,
    },
}

impl NodeLimits {
    /// Checks the three against each other.
    ///
    /// # Errors
    /// Where `min` or `spare` is above `max`.
    pub const fn new(min: u32, max: u32, spare: u32) -> Result<Self, NodeLimitsError> {
        if min > max {
            return Err(NodeLimitsError::MinAboveMax { min, max });
        }
        if spare > max {
            return Err(NodeLimitsError::SpareAboveMax { spare, max });
        }
        Ok(Self { min, max, spare })
    }

    /// Nodes that are always there.
    #[must_use]
    pub const fn min(&self) -> u32 {
        self.min
    }

    /// Nodes there are at most, whatever they do.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// Idle nodes kept in reserve.
    #[must_use]
    pub const fn spare(&self) -> u32 {
        self.spare
    }
}

impl TryFrom<(u32, u32, u32)> for NodeLimits {
    type Error = NodeLimitsError;

    fn try_from((min, max, spare): (u32, u32, u32)) -> Result<Self, Self::Error> {
        Self::new(min, max, spare)
    }
}

impl From<NodeLimits> for (u32, u32, u32) {
    fn from(limits: NodeLimits) -> Self {
        (limits.min, limits.max, limits.spare)
    }
}

/// Which cloud gets the next node (*`node_allocation`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAllocation {
    /// One after the other.
    #[default]
    RoundRobin,
    /// By the dice.
    Random,
    /// The first by priority until it is full.
    FillFirst,
    /// The lowest price of a core-hour.
    Cheapest,
    /// The flavor that leaves least unused.
    LeastWaste,
}

/// What is left to others in a shared project (*`min_cores`, `min_ram`, `min_instances`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// Cores.
    pub cores: u32,
    /// Memory.
    pub memory: Mebibytes,
    /// Servers.
    pub instances: u32,
}

/// What the operator wants of one cloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudPolicy {
    /// Which cloud.
    pub name: CloudName,
    /// Its own ceiling.
    pub nodes_max: Option<u32>,
    /// Rank for fill-first, lower first; the configuration's order decides ties.
    pub priority: i32,
    /// Price of a core-hour for cheapest, in the operator's currency; a cloud without one comes last.
    pub price: Option<f64>,
    /// The flavors nodes may have, in the order of preference.
    pub flavors: Vec<FlavorName>,
    /// First part of the names of its servers (*`project_prefix`*).
    pub prefix: String,
    /// What is left to others.
    pub reserve: Reserve,
    /// Servers that may be in building at one time.
    pub max_creating: NonZeroU32,
}

/// All that guides the planner, not yet validated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyDraft {
    /// The pool we serve.
    pub pool: PoolId,
    /// How many nodes.
    pub limits: NodeLimits,
    /// Which cloud next.
    pub allocation: NodeAllocation,
    /// The clouds, in the configuration's order.
    pub clouds: Vec<CloudPolicy>,
    /// The longest time between two ticks (*`sleep`*).
    pub sleep: Duration,
    /// A node that has been idle for less is not drained.
    pub idle_grace: Duration,
    /// From the create call to the startd in the pool; then the node has failed.
    pub boot_timeout: Duration,
    /// Not heard of for that long: lost.
    pub lost_timeout: Duration,
    /// How long a draining node's jobs may go on; `None`: as long as they take.
    pub drain_timeout: Option<Duration>,
}

/// A policy that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No cloud to buy from.
    #[error("no cloud is configured")]
    NoClouds,
    /// Two clouds of one name.
    #[error("cloud {0} is configured twice")]
    DuplicateCloud(CloudName),
    /// A cloud without flavors.
    #[error("cloud {0} has no flavor to make nodes of")]
    NoFlavors(CloudName),
    /// A time that must not be zero is.
    #[error("{0} must be longer than zero")]
    ZeroDuration(&'static str),
}

/// What the operator wants, validated. Reads like a [`PolicyDraft`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PolicyDraft", into = "PolicyDraft")]
pub struct Policy(PolicyDraft);

impl Policy {
    /// Gives what is wanted of one cloud.
    #[must_use]
    pub fn cloud(&self, name: &CloudName) -> Option<&CloudPolicy> {
        self.clouds.iter().find(|cloud| cloud.name == *name)
    }
}

impl TryFrom<PolicyDraft> for Policy {
    type Error = PolicyError;

    fn try_from(draft: PolicyDraft) -> Result<Self, PolicyError> {
        if draft.clouds.is_empty() {
            return Err(PolicyError::NoClouds);
        }
        for (i, cloud) in draft.clouds.iter().enumerate() {
            if draft.clouds.iter().take(i).any(|other| other.name == cloud.name) {
                return Err(PolicyError::DuplicateCloud(cloud.name.clone()));
            }
            if cloud.flavors.is_empty() {
                return Err(PolicyError::NoFlavors(cloud.name.clone()));
            }
        }
        for (time, key) in [
            (draft.sleep, "sleep"),
            (draft.boot_timeout, "boot_timeout"),
            (draft.lost_timeout, "lost_timeout"),
            (draft.drain_timeout.unwrap_or(Duration::MAX), "drain_timeout"),
        ] {
            if time.is_zero() {
                return Err(PolicyError::ZeroDuration(key));
            }
        }
        Ok(Self(draft))
    }
}

impl From<Policy> for PolicyDraft {
    fn from(policy: Policy) -> Self {
        policy.0
    }
}

impl Deref for Policy {
    type Target = PolicyDraft;

    fn deref(&self) -> &PolicyDraft {
        &self.0
    }
}
