//! What there is: nodes, each in one phase, and what belongs to no node.
//!
//! Deliberately only the words; `reconcile` finds out which of them is true.

use std::fmt;
use std::time::Duration;

use ehos_model::{CloudName, FlavorName, Machine, NodeId, Server, Slot, Timestamp};

use crate::words::span;

/// What a flavor is called of which nothing tells.
pub(crate) const UNKNOWN_FLAVOR: &str = "unknown";

/// A server and its startd, joined by the node's id, or what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The id that EHOS gave it before its server was created.
    pub id: NodeId,
    /// Where it runs.
    pub cloud: CloudName,
    /// Its size.
    pub flavor: FlavorName,
    /// Its server as the cloud's listing shows it now; `None` where it is ordered and not listed yet, and where
    /// the cloud is unknown.
    pub server: Option<Server>,
    /// Its slots, ordered by name; more than one where its startd has static slots.
    pub slots: Vec<Slot>,
    /// What it does.
    pub phase: Phase,
}

impl Node {
    /// Lists the machines of its slots; one, unless something is odd.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(i, slot)| self.slots.iter().take(*i).all(|earlier| earlier.machine != slot.machine))
            .map(|(_, slot)| &slot.machine)
    }

    /// Counts the claims on all of its slots.
    pub fn claims(&self) -> u32 {
        self.slots.iter().map(|slot| slot.claims).fold(0, u32::saturating_add)
    }
}

/// What a node does, as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Ordered; its server is being built, or no listing has shown it yet.
    Building {
        /// When it was ordered.
        since: Timestamp,
    },
    /// Its server is up and its startd has not been seen in the pool.
    Joining {
        /// When it was ordered.
        since: Timestamp,
    },
    /// In the pool; none of its slots is claimed.
    Idle {
        /// Since when no job has run on it, as far as is known.
        since: Timestamp,
    },
    /// In the pool; at least one of its slots is claimed.
    Busy {
        /// How many claims live on it.
        claims: u32,
    },
    /// Takes no more jobs, and may still run some.
    Draining {
        /// Since when.
        since: Timestamp,
        /// How many claims still live on it.
        claims: u32,
    },
    /// Takes no more jobs and runs none: its startd has confirmed it.
    Drained {
        /// Since when, as far as is known.
        since: Timestamp,
    },
    /// Its server is being deleted.
    Deleting,
    /// Was in the pool and is not heard of, or nothing can be concluded of it: counts, and is no room.
    Lost {
        /// When it was last heard of.
        since: Timestamp,
        /// When it will be given up; `None` as long as that cannot be concluded (its cloud is unknown, or its
        /// server is in a state that is left alone).
        until: Option<Timestamp>,
    },
    /// Will not become or be a node again; its server is to be deleted.
    Failed {
        /// Why.
        why: Cause,
    },
}

impl Phase {
    /// Gives its one-word name, for tables and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Building { .. } => "building",
            Self::Joining { .. } => "joining",
            Self::Idle { .. } => "idle",
            Self::Busy { .. } => "busy",
            Self::Draining { .. } => "draining",
            Self::Drained { .. } => "drained",
            Self::Deleting => "deleting",
            Self::Lost { .. } => "lost",
            Self::Failed { .. } => "failed",
        }
    }

    /// Tells whether it is on its way or in service, which is what `nodes_min` counts.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Building { .. } | Self::Joining { .. } | Self::Idle { .. } | Self::Busy { .. })
    }

    /// Tells whether it is on its way out, so that it need not be sent there.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self, Self::Draining { .. } | Self::Drained { .. } | Self::Deleting | Self::Failed { .. })
    }
}

/// Why a node has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its server is in ERROR.
    Error {
        /// The cloud's own words, where it has any.
        fault: Option<String>,
    },
    /// Its startd did not come into the pool in time.
    NeverJoined {
        /// How long after the order that was concluded.
        after: Duration,
    },
    /// Its server has shut itself down.
    Ended,
    /// It was in the pool and has not been heard of for too long.
    Lost {
        /// For how long.
        silent: Duration,
    },
}

impl Cause {
    /// Tells whether the node never came to work, which speaks against its cloud, flavor or image.
    #[must_use]
    pub const fn is_boot_failure(&self) -> bool {
        matches!(self, Self::Error { .. } | Self::NeverJoined { .. })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { fault: Some(fault) } => write!(f, "its server is in ERROR: {fault}"),
            Self::Error { fault: None } => write!(f, "its server is in ERROR, the cloud does not say why"),
            Self::NeverJoined { after } => write!(f, "not in the pool {} after it was ordered", span(*after)),
            Self::Ended => write!(f, "its server has shut down"),
            Self::Lost { silent } => write!(f, "not heard of for {}", span(*silent)),
        }
    }
}

/// Something that is no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// Ads of a startd of ours whose server is gone: jobs must not be matched to it any more.
    Ad {
        /// The machine that the ads name.
        machine: Machine,
        /// The node it was.
        node: NodeId,
        /// When the collector last heard of it.
        heard: Timestamp,
    },
    /// A second server of a node.
    Duplicate {
        /// The server.
        server: Server,
        /// Whether it certainly runs nothing, so that it may be deleted.
        safe: bool,
    },
    /// A slot that is not ours: room for jobs, and never touched.
    Foreign(Slot),
}

/// All that there is, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The nodes, ordered by id.
    pub nodes: Vec<Node>,
    /// What belongs to no node.
    pub strays: Vec<Stray>,
}

impl Inventory {
    /// Finds a node by its id.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        let index = self.nodes.binary_search_by(|node| node.id.cmp(id)).ok()?;
        self.nodes.get(index)
    }

    /// Counts all that exists and costs: nodes in any phase, and second servers of nodes.
    #[must_use]
    pub fn existing(&self) -> usize {
        self.nodes.len() + self.strays.iter().filter(|stray| matches!(stray, Stray::Duplicate { .. })).count()
    }
}
