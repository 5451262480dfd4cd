//! All that a plan is made from, with the few questions that every phase asks of it.
//!
//! Deliberately read-only: what a phase decides goes into steps, never in here.

use std::time::Duration;

use ehos_model::{CloudName, Flavor, FlavorName, NodeId, Policy, Resources, Snapshot, Timestamp};

use crate::Memory;
use crate::inventory::{Inventory, Node, Stray};
use crate::size::Size;

#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) memory: &'a Memory,
    pub(crate) policy: &'a Policy,
}

impl<'a> Look<'a> {
    pub(crate) const fn at(&self) -> Timestamp {
        self.snapshot.at
    }

    pub(crate) const fn slots_known(&self) -> bool {
        self.snapshot.slots.seen().is_some()
    }

    /// Tells whether the servers of a cloud are known, so that something may be done to them.
    pub(crate) fn cloud_known(&self, cloud: &CloudName) -> bool {
        self.snapshot.clouds.get(cloud).is_some_and(|view| view.servers.seen().is_some())
    }

    /// Lists what a cloud sells now: what is configured and exists, in the configuration's order.
    pub(crate) fn flavors(&self, cloud: &CloudName) -> impl Iterator<Item = &'a Flavor> + use<'a> {
        let snapshot = self.snapshot;
        snapshot
            .clouds
            .get(cloud)
            .and_then(|view| view.offer.seen())
            .into_iter()
            .flat_map(|offer| &offer.flavors)
    }

    /// What a node of a flavor offers to jobs: as measured, else as sold; `None` where nobody ever told.
    pub(crate) fn size(&self, cloud: &CloudName, flavor: &FlavorName) -> Option<Size> {
        let remembered = self.memory.clouds.get(cloud).and_then(|cloud| cloud.flavors.get(flavor));
        let paper = || self.flavors(cloud).find(|sold| sold.name == *flavor).map(|sold| sold.size);
        remembered
            .and_then(|flavor| flavor.real)
            .or_else(|| paper().or_else(|| remembered?.paper).map(Size::on_paper))
    }

    /// Counts what exists in a cloud and counts against its ceiling.
    pub(crate) fn existing_in(&self, cloud: &CloudName) -> usize {
        let nodes = self.inventory.nodes.iter().filter(|node| node.cloud == *cloud).count();
        let seconds = self
            .inventory
            .strays
            .iter()
            .filter(|stray| matches!(stray, Stray::Duplicate { server, .. } if server.cloud == *cloud))
            .count();
        nodes + seconds
    }

    /// Lists the room that jobs find on a node's slots, whether or not it drains.
    pub(crate) fn free(node: &Node) -> impl Iterator<Item = Resources> + '_ {
        // A slot that drains or has drained may show nothing free although nothing runs on it.
        node.slots.iter().map(|slot| if slot.draining && slot.claims == 0 { slot.total } else { slot.free })
    }

    /// Lists the whole room of a node that is not in the pool yet.
    pub(crate) fn expected(&self, node: &Node) -> impl Iterator<Item = Resources> + use<> {
        self.size(&node.cloud, &node.flavor).into_iter().flat_map(Size::rooms)
    }

    /// Tells whether a node id is in use.
    pub(crate) fn knows(&self, id: &NodeId) -> bool {
        self.inventory.node(id).is_some()
            || self.memory.orders.contains_key(id)
            || self.memory.nodes.contains_key(id)
    }

    /// Tells whether anything may be done to a node.
    pub(crate) fn may_touch(&self, node: &Node) -> bool {
        node.server.is_some() && self.slots_known() && self.cloud_known(&node.cloud)
    }
}

/// Adds a duration; the end of time is far enough.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
