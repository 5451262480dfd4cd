//! Phase 2, cover: packs the waiting jobs onto room that is there or on its way.
//!
//! Deliberately decides nothing about removal; it only finds out which nodes the waiting jobs would touch. Room is
//! tried in this order, so that what is left untouched is what can best be spared:
//! 1. slots that are not ours, and fragments of busy nodes;
//! 2. idle nodes, the longest idle last, and after them those that differ from what would be made now;
//! 3. nodes still booting, whole;
//! 4. nodes that drain and can be resumed without going above a ceiling, those that differ last.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ehos_model::{CloudName, Demand, NodeId, Resources, SlotState};

use crate::Deletable;
use crate::budget::Place;
use crate::drift::Drift;
use crate::inventory::{Node, Phase, Stray};
use crate::look::Look;
use crate::packer::{Packer, decreasing};
use crate::tied::tied_to;
use crate::unmet::{Blocker, Unmet, Waiting};

/// What the room that is there comes to.
pub(crate) struct Cover {
    /// Which nodes the waiting jobs would touch, by index into the inventory.
    pub(crate) touched: Vec<bool>,
    /// Jobs without room, largest first.
    pub(crate) left: Vec<Waiting>,
    /// Jobs that HTCondor does not match, whatever room there is.
    pub(crate) unmatched: Vec<Unmet>,
    /// The place that a node must leave so that one for waiting jobs can come; known once `grow` has bought.
    pub(crate) wanted: Option<Place>,
    /// Nodes that may be resumed, by index, best first.
    pub(crate) resumable: Vec<usize>,
}

pub(crate) fn cover(look: &Look, drift: &Drift, demand: &[Demand]) -> Cover {
    let mut touched = vec![false; look.inventory.nodes.len()];
    let (tied, free): (Vec<_>, Vec<_>) = demand.iter().partition(|group| tied_node(group).is_some());
    let (mut unmatched, mut left) = split_unmatched(look, decreasing(free));
    unmatched.extend(tied.into_iter().filter_map(|group| keep_for(look, group, &mut touched)));
    let resumable = resumable(look, drift);
    let (rooms, owners) = rooms(look, drift, &resumable);
    let mut packer = Packer::new(&rooms);
    for shape in &mut left {
        shape.jobs = packer.place(&shape.request, shape.jobs, |room| {
            if let Some(node) = owners[room] {
                touched[node] = true;
            }
        });
    }
    left.retain(|shape| shape.jobs > 0);
    Cover { touched, left, unmatched, wanted: None, resumable }
}

/// Finds the one node that jobs ask for.
fn tied_node(group: &Demand) -> Option<&str> {
    group.requirements.as_deref().and_then(tied_to)
}

/// Keeps the node for jobs that ask for it alone, where it is ours; they have room on no other.
fn keep_for(look: &Look, group: &Demand, touched: &mut [bool]) -> Option<Unmet> {
    let node = NodeId::new(tied_node(group).filter(|_| group.idle > 0)?);
    if let Ok(i) = look.inventory.nodes.binary_search_by(|other| other.id.cmp(&node)) {
        touched[i] = true;
    }
    let demand = Waiting { autocluster: group.autocluster, request: group.request, jobs: group.idle };
    Some(Unmet { demand, blocker: Blocker::OnlyOn { node } })
}

/// Sets aside the jobs that were not matched although there was room for them.
fn split_unmatched(look: &Look, shapes: Vec<Waiting>) -> (Vec<Unmet>, Vec<Waiting>) {
    let mut unmatched = Vec::new();
    let mut rest = Vec::with_capacity(shapes.len());
    for demand in shapes {
        let known = look.memory.shapes.get(&demand.autocluster).and_then(|shape| shape.unmatched.as_ref());
        match known {
            Some((_, room)) => {
                unmatched.push(Unmet { demand, blocker: Blocker::Unmatchable { room: room.clone() } });
            }
            None => rest.push(demand),
        }
    }
    (unmatched, rest)
}

/// Lists all room in the order in which it is tried, and the node that each belongs to.
fn rooms(look: &Look, drift: &Drift, resumable: &[usize]) -> (Vec<Resources>, Vec<Option<usize>>) {
    let nodes = || look.inventory.nodes.iter().enumerate();
    let mut rooms: Vec<(Option<usize>, Resources)> = Vec::new();
    for stray in &look.inventory.strays {
        if let Stray::Foreign(slot) = stray
            && slot.state == SlotState::Unclaimed
            && !slot.draining
        {
            rooms.push((None, slot.free));
        }
    }
    for (i, node) in nodes().filter(|(_, node)| matches!(node.phase, Phase::Busy { .. })) {
        rooms.extend(Look::free(node).map(|free| (Some(i), free)));
    }
    let mut idle: Vec<_> = nodes()
        .filter_map(|(i, node)| match node.phase {
            Phase::Idle { since } => Some((drift.of(i), Reverse(since), i, node)),
            _ => None,
        })
        .collect();
    idle.sort_by_key(|(drifts, since, i, _)| (*drifts, *since, *i));
    for (_, _, i, node) in idle {
        rooms.extend(Look::free(node).map(|free| (Some(i), free)));
    }
    for (i, node) in nodes().filter(|(_, node)| is_booting(node)) {
        rooms.extend(look.expected(node).map(|whole| (Some(i), whole)));
    }
    for &i in resumable {
        rooms.extend(Look::free(&look.inventory.nodes[i]).map(|free| (Some(i), free)));
    }
    // Full rooms only make the walk longer.
    rooms.retain(|(_, room)| *room != Resources::default());
    rooms.into_iter().map(|(node, room)| (room, node)).unzip()
}

pub(crate) const fn is_booting(node: &Node) -> bool {
    matches!(node.phase, Phase::Building { .. } | Phase::Joining { .. })
}

/// Lists the nodes whose drain may be cancelled: draining ones before drained ones, as many as the ceilings allow.
fn resumable(look: &Look, drift: &Drift) -> Vec<usize> {
    let mut room =
        usize::try_from(look.policy.limits.max()).unwrap_or(usize::MAX).saturating_sub(staying(look, None));
    let mut rooms: BTreeMap<&CloudName, usize> = BTreeMap::new();
    for cloud in &look.policy.clouds {
        let max = cloud.nodes_max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        rooms.insert(&cloud.name, max.saturating_sub(staying(look, Some(&cloud.name))));
    }
    let mut candidates: Vec<(bool, bool, usize)> = Vec::new();
    for (i, node) in look.inventory.nodes.iter().enumerate() {
        if matches!(node.phase, Phase::Draining { .. } | Phase::Drained { .. })
            && look.may_touch(node)
            && Deletable::overdue(node, look.policy.drain_timeout, look.at()).is_none()
            && node.server.as_ref().is_some_and(|server| server.status == ehos_model::ServerStatus::Active)
        {
            candidates.push((drift.of(i), matches!(node.phase, Phase::Drained { .. }), i));
        }
    }
    candidates.sort_unstable();
    let mut resumable = Vec::new();
    for (_, _, i) in candidates {
        let of_cloud = rooms.entry(&look.inventory.nodes[i].cloud).or_insert(0);
        if room > 0 && *of_cloud > 0 {
            room -= 1;
            *of_cloud -= 1;
            resumable.push(i);
        }
    }
    resumable
}

/// Counts what exists and is not on its way out.
pub(crate) fn staying(look: &Look, cloud: Option<&CloudName>) -> usize {
    let here = |node: &&Node| cloud.is_none_or(|cloud| node.cloud == *cloud);
    look.inventory.nodes.iter().filter(here).filter(|node| !node.phase.is_leaving()).count()
}
