//! Slots of the pool, spelt as in the startd ads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CloudName, FlavorName, Machine, NodeId, PoolId, Resources, Timestamp};

/// What kind of slot an ad describes (*startd ad `SlotType`*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SlotKind {
    /// Owns a machine's resources and hands out pieces.
    Partitionable,
    /// A fixed share.
    Static,
    /// A piece cut from a partitionable slot; its parent lists it.
    Dynamic,
}

/// *Startd ad `State`*; words unknown to this version are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of HTCondor's manual")]
pub enum SlotState {
    Owner,
    Unclaimed,
    Matched,
    Claimed,
    Preempting,
    Backfill,
    Drained,
    Other(String),
}

/// *Startd ad `Activity`*; words unknown to this version are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of HTCondor's manual")]
pub enum Activity {
    Idle,
    Busy,
    Suspended,
    Vacating,
    Killing,
    Benchmarking,
    Retiring,
    Other(String),
}

macro_rules! words {
    ($name:ident: $($word:ident)+) => {
        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $(stringify!($word) => Self::$word,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(Self::$word => stringify!($word),)+
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words!(SlotState: Owner Unclaimed Matched Claimed Preempting Backfill Drained);
words!(Activity: Idle Busy Suspended Vacating Killing Benchmarking Retiring);

/// One partitionable or static slot, with what its dynamic children tell about it.
///
/// A fully used partitionable slot reads Unclaimed/Idle with no free cores, so `busy` counts the claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// *Startd ad `Name`*, `slot1@host` for example.
    pub name: String,
    /// *Startd ad `Machine`*.
    pub machine: Machine,
    /// *Startd ad `EhosPool`*; where it is another's, the startd is not ours, whatever else it says.
    pub pool: Option<PoolId>,
    /// *Startd ad `EhosNode`*; `None` where no EHOS bought it.
    pub node: Option<NodeId>,
    /// *Startd ad `EhosCloud`*.
    pub cloud: Option<CloudName>,
    /// *Startd ad `EhosFlavor`*.
    pub flavor: Option<FlavorName>,
    /// *Startd ad `SlotType`*.
    pub kind: SlotKind,
    /// *Startd ad `State`*.
    pub state: SlotState,
    /// *Startd ad `Activity`*.
    pub activity: Activity,
    /// All that the slot owns (*`TotalSlotCpus`, `TotalSlotMemory`, `TotalSlotDisk`, `TotalSlotGPUs`*).
    pub total: Resources,
    /// What is still free (*`Cpus`, `Memory`, `Disk`, `GPUs`*); nothing for a claimed static slot.
    pub free: Resources,
    /// Claims that live on it: *`NumDynamicSlots`* of a partitionable slot, 1 for a claimed static one.
    pub claims: u32,
    /// *Startd ad `Draining`*.
    pub draining: bool,
    /// Jobs started on it since its startd came up (*`JobStarts`*); tells short jobs between two looks.
    pub job_starts: u64,
    /// When the collector last heard of it (*`LastHeardFrom`*).
    pub heard: Timestamp,
    /// When its startd came up (*`DaemonStartTime`*); tells a new life of an old name.
    pub started: Timestamp,
    /// When it entered its state (*`EnteredCurrentState`*).
    pub state_since: Timestamp,
}

impl Slot {
    /// Tells whether no claim lives on it now; it may be claimed a moment later.
    #[must_use]
    pub fn is_unclaimed(&self) -> bool {
        self.claims == 0
            && !matches!(self.state, SlotState::Claimed | SlotState::Matched | SlotState::Preempting)
    }

    /// Tells whether the startd has confirmed that it takes no jobs and runs none.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining
            && self.claims == 0
            && self.state == SlotState::Drained
            && self.activity == Activity::Idle
    }
}
