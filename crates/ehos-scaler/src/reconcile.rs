//! Joins servers, slots and orders into nodes, by the node's id.
//!
//! Deliberately concludes nothing from what is unknown: a node of a cloud that does not answer stays a node, and a
//! pool that does not answer makes nobody lost.
//!
//! - A node is every server with role `execute` in a listing, in any state; every order that no listing has shown yet
//!   (for two minutes after it, by a listing begun later); every remembered or visible node of an unknown cloud.
//! - A startd of ours whose server is certainly gone is a stray, and so is a second server of a node.
//! - A startd on a server of another role, a probe of an image for example, is somebody else's matter as long as that
//!   server is listed: no node, no room, and nothing to remove.
//! - An accepted drain, resume or delete is believed for a moment, until the ads and listings can show it.

use std::collections::{BTreeMap, BTreeSet};

use ehos_model::{
    CloudName, FlavorName, NodeId, Observed, Policy, Role, Server, ServerStatus, Slot, Snapshot, Timestamp,
    elapsed,
};

use crate::Memory;
use crate::inventory::{Inventory, Node, Stray, UNKNOWN_FLAVOR};
use crate::memory::{ORDER_SHOWS, Order};
use crate::reconcile::phase::Evidence;

mod phase;
#[cfg(test)]
mod tests;

/// What carries one node id.
#[derive(Default)]
struct Parts<'a> {
    servers: Vec<&'a Server>,
    slots: Vec<&'a Slot>,
    order: Option<&'a Order>,
}

/// Finds out what there is.
#[must_use]
pub fn reconcile(snapshot: &Snapshot, memory: &Memory, policy: &Policy) -> Inventory {
    let mut inventory = Inventory::default();
    let mut parts: BTreeMap<&NodeId, Parts> = BTreeMap::new();
    let mut others: BTreeSet<&NodeId> = BTreeSet::new();
    for server in listed(snapshot) {
        if server.role == Role::Execute {
            parts.entry(&server.node).or_default().servers.push(server);
        } else {
            others.insert(&server.node);
        }
    }
    others.retain(|id| !parts.contains_key(id));
    for slot in snapshot.slots.seen().into_iter().flatten() {
        // What names no pool was bought by a template without `EhosPool`; its node id is word enough.
        let ours = slot.pool.as_ref().is_none_or(|pool| *pool == policy.pool);
        match slot.node.as_ref().filter(|_| ours) {
            Some(id) if others.contains(id) => {}
            Some(id) => parts.entry(id).or_default().slots.push(slot),
            None => inventory.strays.push(Stray::Foreign(slot.clone())),
        }
    }
    for (id, order) in &memory.orders {
        if !is_void(order, snapshot) {
            parts.entry(id).or_default().order = Some(order);
        }
    }
    for (id, node) in &memory.nodes {
        // A cloud that is no longer configured is told of by its slots alone; without any, its nodes are forgotten.
        if snapshot.clouds.get(&node.cloud).is_some_and(|view| view.servers.seen().is_none()) {
            parts.entry(id).or_default();
        }
    }
    inventory.nodes.reserve(parts.len());
    for (id, parts) in parts {
        join(id, parts, snapshot, memory, policy, &mut inventory);
    }
    inventory
}

/// All servers of the clouds that answered.
fn listed(snapshot: &Snapshot) -> impl Iterator<Item = &Server> {
    snapshot.clouds.values().filter_map(|view| view.servers.seen()).flatten()
}

/// When the servers of a cloud were asked for; `None` where that is unknown.
fn listed_at(snapshot: &Snapshot, cloud: &CloudName) -> Option<Timestamp> {
    match &snapshot.clouds.get(cloud)?.servers {
        Observed::Seen { at, .. } => Some(*at),
        Observed::Unknown { .. } => None,
    }
}

/// Tells whether an order would have shown by now, had it been carried out.
fn is_void(order: &Order, snapshot: &Snapshot) -> bool {
    listed_at(snapshot, &order.cloud).is_some_and(|listed| elapsed(order.at, listed) >= ORDER_SHOWS)
}

fn join(
    id: &NodeId,
    mut parts: Parts,
    snapshot: &Snapshot,
    memory: &Memory,
    policy: &Policy,
    inventory: &mut Inventory,
) {
    parts.slots.sort_by(|a, b| a.name.cmp(&b.name));
    parts.servers.sort_by(|a, b| {
        rank(&a.status).cmp(&rank(&b.status)).then(a.created.cmp(&b.created)).then(a.id.cmp(&b.id))
    });
    let remembered = memory.nodes.get(id);
    let server = parts.servers.first().copied();
    for second in parts.servers.iter().skip(1) {
        inventory.strays.push(duplicate(second, server, &parts.slots));
    }
    let cloud = server
        .map(|server| &server.cloud)
        .or_else(|| parts.order.map(|order| &order.cloud))
        .or_else(|| parts.slots.iter().find_map(|slot| slot.cloud.as_ref()))
        .or_else(|| remembered.map(|node| &node.cloud))
        .or_else(|| {
            snapshot.clouds.iter().find(|(_, view)| view.servers.seen().is_none()).map(|(name, _)| name)
        });
    let Some(cloud) = cloud.cloned() else {
        // It names no cloud, and every cloud was asked: its server is nowhere.
        strand(id, &parts.slots, inventory);
        return;
    };
    if server.is_none() && parts.order.is_none() && is_gone(&cloud, &parts.slots, snapshot, policy) {
        strand(id, &parts.slots, inventory);
        return;
    }
    let flavor = server
        .map(|server| &server.flavor)
        .or_else(|| parts.order.map(|order| &order.flavor))
        .or_else(|| parts.slots.iter().find_map(|slot| slot.flavor.as_ref()))
        .or_else(|| remembered.map(|node| &node.flavor))
        .cloned()
        .unwrap_or_else(|| FlavorName::new(UNKNOWN_FLAVOR));
    let phase = Evidence {
        server,
        slots: &parts.slots,
        order: parts.order,
        remembered,
        listed_at: listed_at(snapshot, &cloud),
        slots_known: snapshot.slots.seen().is_some(),
        blind_until: memory.blind_until,
        at: snapshot.at,
        policy,
    }
    .phase();
    inventory.nodes.push(Node {
        id: id.clone(),
        cloud,
        flavor,
        server: server.cloned(),
        slots: parts.slots.into_iter().cloned().collect(),
        phase,
    });
}

/// Orders the servers of one node: the first is taken for the node.
const fn rank(status: &ServerStatus) -> u8 {
    match status {
        ServerStatus::Active => 0,
        ServerStatus::Building => 1,
        ServerStatus::Other(_) => 2,
        ServerStatus::Shutoff => 3,
        ServerStatus::Error => 4,
        ServerStatus::Deleting => 5,
    }
}

/// A second server may go if it never came to work; with startds about, only if the first can be theirs.
fn duplicate(second: &Server, first: Option<&Server>, slots: &[&Slot]) -> Stray {
    let idle = matches!(second.status, ServerStatus::Building | ServerStatus::Error | ServerStatus::Shutoff);
    let theirs = first.is_some_and(|first| first.status == ServerStatus::Active);
    Stray::Duplicate { server: second.clone(), safe: idle && (slots.is_empty() || theirs) }
}

/// Ads that have no server; those that do not name our pool are room like any other, and never touched.
fn strand(id: &NodeId, slots: &[&Slot], inventory: &mut Inventory) {
    for (i, slot) in slots.iter().enumerate() {
        if slot.pool.is_none() {
            inventory.strays.push(Stray::Foreign((*slot).clone()));
        } else if slots.iter().take(i).all(|earlier| earlier.machine != slot.machine) {
            inventory.strays.push(Stray::Ad {
                machine: slot.machine.clone(),
                node: id.clone(),
                heard: slot.heard,
            });
        }
    }
}

/// How long after a startd came up a listing must have begun to prove that it has no server: clocks differ.
const CLOCKS_DIFFER: std::time::Duration = std::time::Duration::from_mins(1);

/// Tells whether startds without a server certainly have none any more.
fn is_gone(cloud: &CloudName, slots: &[&Slot], snapshot: &Snapshot, policy: &Policy) -> bool {
    let Some(listed) = listed_at(snapshot, cloud) else {
        return false;
    };
    slots.iter().all(|slot| {
        elapsed(slot.started, listed) > CLOCKS_DIFFER
            || elapsed(slot.heard, snapshot.at) >= policy.lost_timeout
    })
}
