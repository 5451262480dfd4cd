//! Jobs that wait, and what each of them waits for.
//!
//! Deliberately one blocker a shape: the one an operator can do most about.

use std::fmt;

use ehos_model::{Autocluster, CloudName, NodeId, Resources, Timestamp};

use crate::words::{count, verb_s};

/// Waiting jobs of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The shape's name.
    pub autocluster: Autocluster,
    /// What one job asks for.
    pub request: Resources,
    /// How many jobs.
    pub jobs: u64,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", count(self.jobs, "job"), self.request)
    }
}

/// Why no node is bought for a job that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A flavor would fit, but the cloud's quota, less what is left to others, has no room for one.
    Quota {
        /// Which cloud.
        cloud: CloudName,
    },
    /// As many nodes exist as may.
    NodeLimit {
        /// The cloud whose own ceiling it is; `None` is the pool's `nodes_max`.
        cloud: Option<CloudName>,
        /// The ceiling.
        max: u32,
    },
    /// As many servers are being built as may be at one time; the next ones follow.
    Creating {
        /// Which cloud.
        cloud: CloudName,
        /// `max_creating`.
        max: u32,
    },
    /// No flavor is large enough for one such job.
    NoFlavorFits {
        /// A slot of the pool that is large enough and not free, where there is one.
        waits_for: Option<String>,
    },
    /// Every cloud and flavor that would fit has failed lately.
    CoolDown {
        /// When the first of them is tried again.
        until: Timestamp,
        /// How it failed.
        why: String,
    },
    /// A cloud that might help does not answer.
    CloudUnknown {
        /// Which cloud.
        cloud: CloudName,
    },
    /// The cloud has no image to boot nodes from.
    NoImage {
        /// Which cloud.
        cloud: CloudName,
    },
    /// There is room enough, and HTCondor does not use it for these jobs: their requirements are not met.
    Unmatchable {
        /// An idle node that would have had room.
        room: String,
    },
    /// They ask for one node by its id, which no new node can be.
    OnlyOn {
        /// Which node.
        node: NodeId,
    },
}

impl Blocker {
    /// Gives its one-word name, for metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Quota { .. } => "quota",
            Self::NodeLimit { .. } => "node-limit",
            Self::Creating { .. } => "creating",
            Self::NoFlavorFits { .. } => "no-flavor-fits",
            Self::CoolDown { .. } => "cool-down",
            Self::CloudUnknown { .. } => "cloud-unknown",
            Self::NoImage { .. } => "no-image",
            Self::Unmatchable { .. } => "unmatchable",
            Self::OnlyOn { .. } => "only-on",
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quota { cloud } => {
                write!(f, "the quota of {cloud}, less what is left to others, is used up")
            }
            Self::NodeLimit { cloud: None, max } => write!(f, "nodes_max {max} is reached"),
            Self::NodeLimit { cloud: Some(cloud), max } => write!(f, "nodes_max {max} of {cloud} is reached"),
            Self::Creating { cloud, max } => {
                write!(
                    f,
                    "{} are being built in {cloud}, max_creating allows no more at one time",
                    count((*max).into(), "server")
                )
            }
            Self::NoFlavorFits { waits_for: None } => write!(f, "no flavor is large enough for one"),
            Self::NoFlavorFits { waits_for: Some(slot) } => {
                write!(f, "no flavor is large enough for one; only {slot} is, when it is free")
            }
            Self::CoolDown { until, why } => {
                write!(f, "what failed is not tried again before {}: {why}", until.strftime("%H:%M:%S UTC"))
            }
            Self::CloudUnknown { cloud } => write!(f, "{cloud} does not answer"),
            Self::NoImage { cloud } => write!(f, "{cloud} has no image to boot nodes from"),
            Self::OnlyOn { node } => write!(f, "they ask for node {node} alone, which no new node can be"),
            Self::Unmatchable { room } => write!(
                f,
                "HTCondor does not match them although {room} has room: their requirements are not met \
                 (condor_q -better-analyze tells more)"
            ),
        }
    }
}

/// Waiting jobs that neither have room nor get a node now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Which jobs.
    pub demand: Waiting,
    /// What they wait for.
    pub blocker: Blocker,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wait{}: {}", self.demand, verb_s(self.demand.jobs), self.blocker)
    }
}
