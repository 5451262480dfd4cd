//! What a node of a flavor has to offer to jobs, once it is in the pool.
//!
//! Deliberately not the flavor on paper where better is known: HTCondor shows a little less memory and disk than the
//! cloud sells, and a job that fits only on paper would be bought for without end.

use ehos_model::{Mebibytes, Resources, Slot};
use serde::{Deserialize, Serialize};

/// The rooms a node has: one partitionable slot, as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Size {
    /// What each slot has.
    pub(crate) slot: Resources,
    /// How many such slots.
    pub(crate) slots: u32,
}

impl Size {
    /// Takes a flavor at its word. Disk 0 is a server that boots from a volume: how much it has is not known here,
    /// so it is no limit.
    pub(crate) const fn on_paper(size: Resources) -> Self {
        let disk = if size.disk.0 == 0 { Mebibytes(u64::MAX) } else { size.disk };
        Self { slot: Resources { disk, ..size }, slots: 1 }
    }

    /// Measures a node by its slots; the smallest counts where they differ.
    pub(crate) fn of_slots(slots: &[Slot]) -> Option<Self> {
        let n = u32::try_from(slots.len()).ok()?;
        let slot = slots.iter().map(|slot| slot.total).reduce(smaller)?;
        Some(Self { slot, slots: n })
    }

    /// Takes what both have at least.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { slot: smaller(self.slot, other.slot), slots: self.slots.min(other.slots) }
    }

    /// Lists the rooms.
    pub(crate) fn rooms(self) -> impl Iterator<Item = Resources> {
        (0..self.slots).map(move |_| self.slot)
    }

    /// All rooms together.
    pub(crate) fn whole(self) -> Resources {
        self.slot.times(self.slots.into())
    }
}

fn smaller(a: Resources, b: Resources) -> Resources {
    Resources {
        cores: a.cores.min(b.cores),
        memory: a.memory.min(b.memory),
        disk: a.disk.min(b.disk),
        gpus: a.gpus.min(b.gpus),
    }
}
