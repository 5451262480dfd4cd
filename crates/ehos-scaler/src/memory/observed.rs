//! What a look adds to the memory: who was idle, who came to work, what flavors really have, what is not matched.
//!
//! Deliberately learns nothing from what is unknown, and nothing that a later look could not show again.

use std::collections::{BTreeMap, BTreeSet};

use ehos_model::{
    Autocluster, CloudName, Demand, FlavorName, NodeId, Resources, ServerStatus, Snapshot, Timestamp,
};

use super::{IdleMemory, MATCH_AGAIN, MATCH_PATIENCE, Memory, NodeMemory, ShapeMemory};
use crate::backoff::{self, Backoff};
use crate::inventory::{Inventory, Node, Phase};
use crate::size::Size;

impl Memory {
    /// Adds what a look has shown.
    #[must_use]
    pub fn observed(mut self, snapshot: &Snapshot, inventory: &Inventory) -> Self {
        for (name, view) in &snapshot.clouds {
            let cloud = self.clouds.entry(name.clone()).or_default();
            if view.servers.seen().is_some() {
                cloud.listed = Some(snapshot.at);
            }
            for flavor in view.offer.seen().into_iter().flat_map(|offer| &offer.flavors) {
                cloud.flavors.entry(flavor.name.clone()).or_default().paper = Some(flavor.size);
            }
        }
        let seeing = snapshot.slots.seen().is_some();
        if !seeing {
            self.blind_until = Some(snapshot.at);
        }
        self.learn_sizes(inventory);
        self.learn_trials(snapshot, inventory);
        let before = std::mem::take(&mut self.nodes);
        // Both are in the order of the ids, so they are walked side by side.
        let mut before = before.into_iter().peekable();
        let mut nodes = Vec::with_capacity(inventory.nodes.len());
        for node in &inventory.nodes {
            while before.next_if(|(id, _)| *id < node.id).is_some() {}
            let old = before.next_if(|(id, _)| *id == node.id).map(|(_, old)| old);
            nodes.push((node.id.clone(), self.look_at(node, old, seeing, snapshot.at)));
        }
        self.nodes = nodes.into_iter().collect();
        self.close_trials(snapshot, inventory);
        self.orders.retain(|id, _| inventory.node(id).is_some_and(|node| node.server.is_none()));
        match snapshot.demand.seen() {
            Some(demand) if seeing => self.look_at_shapes(demand, inventory, snapshot.at),
            // Where we cannot see, HTCondor may have been unable to match, too.
            _ => self.shapes.values_mut().for_each(|shape| shape.since = snapshot.at),
        }
        self
    }

    /// Learns what flavors really have: HTCondor shows less memory and disk than the cloud sells.
    fn learn_sizes(&mut self, inventory: &Inventory) {
        let mut sizes: BTreeMap<(&CloudName, &FlavorName), Size> = BTreeMap::new();
        for node in &inventory.nodes {
            if matches!(node.phase, Phase::Idle { .. } | Phase::Busy { .. })
                && let Some(size) = Size::of_slots(&node.slots)
            {
                sizes
                    .entry((&node.cloud, &node.flavor))
                    .and_modify(|smallest| *smallest = smallest.and(size))
                    .or_insert(size);
            }
        }
        for ((cloud, flavor), size) in sizes {
            let cloud = self.clouds.entry(cloud.clone()).or_default();
            cloud.flavors.entry(flavor.clone()).or_default().real = Some(size);
        }
    }

    fn look_at(&mut self, node: &Node, old: Option<NodeMemory>, seeing: bool, at: Timestamp) -> NodeMemory {
        let ordered = node
            .server
            .as_ref()
            .map(|server| server.created)
            .or_else(|| self.orders.get(&node.id).map(|order| order.at))
            .or_else(|| old.as_ref().map(|old| old.ordered))
            .unwrap_or(at);
        let heard = node.slots.iter().map(|slot| slot.heard).max();
        let fresh = NodeMemory {
            cloud: node.cloud.clone(),
            flavor: node.flavor.clone(),
            ordered,
            booting: matches!(node.phase, Phase::Building { .. }),
            heard: None,
            idle: None,
            draining: None,
            drain_asked: None,
            resume_asked: None,
            delete_asked: None,
            error_seen: None,
            blamed: false,
        };
        let mut new = match old {
            Some(old) => NodeMemory {
                cloud: fresh.cloud,
                flavor: fresh.flavor,
                ordered,
                booting: fresh.booting,
                ..old
            },
            None => fresh,
        };
        if new.heard.is_none() && heard.is_some() {
            self.came_to_work(node);
        }
        new.heard = new.heard.max(heard);
        let in_error = node.server.as_ref().is_some_and(|server| server.status == ServerStatus::Error);
        new.error_seen = in_error.then(|| new.error_seen.unwrap_or(at));
        if let Phase::Failed { why } = &node.phase
            && why.is_boot_failure()
            && new.heard.is_none()
            && !new.blamed
        {
            new.blamed = true;
            let suspect = self.try_in_vain(node, why);
            let cloud = self.clouds.entry(node.cloud.clone()).or_default();
            let flavor = cloud.flavors.entry(node.flavor.clone()).or_default();
            Backoff::fail(
                &mut flavor.backoff,
                backoff::FLAVOR,
                at,
                &format!("node {}: {why}", node.id),
                None,
                suspect,
            );
        }
        if seeing {
            new.idle = match node.phase {
                Phase::Idle { since } => Some(IdleMemory {
                    since,
                    job_starts: node.slots.iter().map(|slot| slot.job_starts).sum(),
                    started: node.slots.iter().map(|slot| slot.started).max().unwrap_or(at),
                }),
                _ => None,
            };
            new.draining = match node.phase {
                Phase::Draining { since, .. } | Phase::Drained { since } => Some(since),
                _ => None,
            };
        }
        new
    }

    /// A node of this kind has joined: what was held against the kind is over.
    fn came_to_work(&mut self, node: &Node) {
        if let Some(flavor) =
            self.clouds.get_mut(&node.cloud).and_then(|cloud| cloud.flavors.get_mut(&node.flavor))
        {
            flavor.backoff = None;
        }
    }

    fn look_at_shapes(&mut self, demand: &[Demand], inventory: &Inventory, at: Timestamp) {
        let idle_rooms = proven_idle(inventory);
        let waiting: BTreeSet<Autocluster> =
            demand.iter().filter(|group| group.idle > 0).map(|group| group.autocluster).collect();
        self.shapes.retain(|shape, _| waiting.contains(shape));
        for group in demand.iter().filter(|group| group.idle > 0) {
            let shape = self.shapes.entry(group.autocluster).or_insert(ShapeMemory {
                since: at,
                idle: group.idle,
                unmatched: None,
            });
            let progress = group.idle < shape.idle;
            let again =
                shape.unmatched.as_ref().is_some_and(|(t, _)| ehos_model::elapsed(*t, at) >= MATCH_AGAIN);
            shape.idle = group.idle;
            if progress || again {
                (shape.since, shape.unmatched) = (at, None);
            } else if shape.unmatched.is_none() {
                let room = idle_rooms
                    .iter()
                    .find(|(room, (proven, _))| shape.since <= *proven && group.request.fits_in(room));
                shape.unmatched = room.map(|(_, (_, node))| (at, node.to_string()));
            }
        }
    }
}

/// Lists the rooms of nodes that were heard of after they had been idle for a match's patience, each with the moment
/// since when that is proven. An ad alone proves nothing: its node may be dead.
fn proven_idle(inventory: &Inventory) -> BTreeMap<Resources, (Timestamp, &NodeId)> {
    let mut rooms: BTreeMap<Resources, (Timestamp, &NodeId)> = BTreeMap::new();
    for node in &inventory.nodes {
        let Phase::Idle { since } = node.phase else { continue };
        for slot in &node.slots {
            let proven = slot.heard.checked_sub(MATCH_PATIENCE).unwrap_or(Timestamp::MIN);
            if since <= proven {
                let best = rooms.entry(slot.free).or_insert((proven, &node.id));
                *best = (*best).max((proven, &node.id));
            }
        }
    }
    rooms
}
