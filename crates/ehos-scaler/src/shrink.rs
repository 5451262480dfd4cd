//! Phase 5, shrink: deletes what was seen drained, and drains what the packer proves unneeded.
//!
//! Deliberately never deletes an idle node: it is drained first, and its startd refuses if a job came in between.
//! A node is unneeded if the waiting jobs leave it untouched, for longer than its grace, and neither `nodes_min` nor
//! `nodes_spare` wants it. Above a lowered `nodes_max`, idle nodes go without grace. Where jobs wait only because nodes
//! that cannot run them hold the last places, one such node at a time makes room, `nodes_min` and `nodes_spare` or not.
//! Nodes that differ from what would be made now go without grace, too, a few at a time: on a busy pool a moment between
//! two jobs is all the time there is, and a job that comes first is safe.

use std::collections::BTreeMap;

use ehos_model::{CloudName, ServerStatus, Timestamp, elapsed};

use crate::Deletable;
use crate::budget::{Budget, Place, count};
use crate::cover::{Cover, staying};
use crate::drift::{Drift, Replacing};
use crate::headroom::Census;
use crate::inventory::{Node, Phase};
use crate::look::{Look, later};
use crate::step::{Action, Step};
use crate::words::span;

/// What decides whether a node that differs from what would be made now is exchanged.
pub(crate) struct Exchange<'x, 'a> {
    pub(crate) drift: &'x Drift<'a>,
    pub(crate) replacing: Replacing<'a>,
    pub(crate) budget: &'x Budget,
}

/// Adds the steps, and returns when the next idle node will have waited out its grace.
pub(crate) fn shrink(
    look: &Look,
    cover: &Cover,
    resumed: &[usize],
    census: &mut Census,
    mut exchange: Exchange,
    steps: &mut Vec<Step>,
) -> Option<Timestamp> {
    if !look.slots_known() {
        return None;
    }
    for (i, node) in look.inventory.nodes.iter().enumerate() {
        if matches!(node.phase, Phase::Drained { .. })
            && !resumed.contains(&i)
            && look.may_touch(node)
            && let Some(deletable) = Deletable::from_node(node)
        {
            steps.push(Step {
                action: Action::Delete(deletable),
                reason: "it is drained and not needed".to_owned(),
            });
        }
    }
    let mut excess = Excess::new(look);
    let mut wanted = cover.wanted.as_ref().filter(|place| !is_coming(look, place));
    let mut next = None;
    for Candidate { node, drifts, touched, since } in candidates(look, cover, exchange.drift) {
        let idle = elapsed(since, look.at());
        let grace = look.policy.idle_grace;
        let makes_room = !touched && wanted.is_some_and(|place| place.is_held_in(&node.cloud));
        let spare = !touched
            && census.live > u64::from(look.policy.limits.min())
            && census.reserve > u64::from(look.policy.limits.spare());
        let reason = if let Some(reason) = excess.of(node) {
            reason
        } else if node.server.as_ref().is_some_and(|server| server.status == ServerStatus::Error) {
            "its server is in ERROR although it is in the pool".to_owned()
        } else if spare && idle >= grace {
            format!("idle for {}, idle_grace is {}, and no waiting job needs it", span(idle), span(grace))
        } else if makes_room && idle >= grace {
            wanted = None;
            "jobs wait that it cannot run, and it holds the place of a node that could".to_owned()
        } else if let Some(reason) = exchange.reason(node, drifts && !touched, look) {
            wanted = wanted.filter(|place| !place.is_held_in(&node.cloud));
            reason
        } else {
            if (spare || makes_room) && next.is_none() {
                next = Some(later(since, grace));
            }
            continue;
        };
        excess.drop(&node.cloud);
        if drifts {
            exchange.replacing.count(&node.cloud);
        }
        census.live -= 1;
        census.reserve = census.reserve.saturating_sub(u64::from(!touched));
        steps.extend(node.machines().map(|machine| Step {
            action: Action::Drain { node: node.id.clone(), machine: machine.clone() },
            reason: reason.clone(),
        }));
    }
    next
}

/// Tells whether a node that is on its way out will leave a place of this kind.
fn is_coming(look: &Look, place: &Place) -> bool {
    look.inventory.nodes.iter().any(|node| node.phase.is_leaving() && place.is_held_in(&node.cloud))
}

impl Exchange<'_, '_> {
    /// Says why a node is exchanged, if it may be now: there must be something to take its place.
    fn reason(&self, node: &Node, differs: bool, look: &Look) -> Option<String> {
        let may = differs && self.replacing.allows(&node.cloud) && self.budget.replaces(look, node);
        may.then(|| self.drift.reason(node))?.map(|reason| reason.to_string())
    }
}

/// An idle node that may be drained.
struct Candidate<'a> {
    node: &'a Node,
    drifts: bool,
    touched: bool,
    since: Timestamp,
}

/// Lists idle nodes that may be drained: those that no job needs first, of these the ones that differ from what would be
/// made now, and of these the longest idle.
fn candidates<'a>(look: &Look<'a>, cover: &Cover, drift: &Drift) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<_> = look
        .inventory
        .nodes
        .iter()
        .zip(&cover.touched)
        .enumerate()
        .filter(|(_, (node, _))| look.may_touch(node))
        .filter_map(|(i, (node, touched))| match node.phase {
            Phase::Idle { since } => Some(Candidate { node, drifts: drift.of(i), touched: *touched, since }),
            _ => None,
        })
        .collect();
    // The sort is stable: equal ones stay in the order of their ids.
    candidates.sort_by_key(|candidate| (candidate.touched, !candidate.drifts, candidate.since));
    candidates
}

/// How many nodes there are above the ceilings, leaving ones not counted.
struct Excess<'a> {
    max: u32,
    total: u64,
    clouds: BTreeMap<&'a CloudName, (u32, u64)>,
}

impl<'a> Excess<'a> {
    fn new(look: &Look<'a>) -> Self {
        let max = look.policy.limits.max();
        let over = |cloud, max: u32| count(staying(look, cloud)).saturating_sub(max.into());
        let clouds = look
            .policy
            .clouds
            .iter()
            .filter_map(|cloud| {
                Some((&cloud.name, (cloud.nodes_max?, over(Some(&cloud.name), cloud.nodes_max?))))
            })
            .collect();
        Self { max, total: over(None, max), clouds }
    }

    /// Says why a node must go, if it must.
    fn of(&self, node: &Node) -> Option<String> {
        if self.total > 0 {
            return Some(format!("it is idle, and there are more nodes than nodes_max {}", self.max));
        }
        let (max, over) = self.clouds.get(&node.cloud)?;
        (*over > 0).then(|| format!("it is idle, and {} has more nodes than its nodes_max {max}", node.cloud))
    }

    fn drop(&mut self, cloud: &CloudName) {
        self.total = self.total.saturating_sub(1);
        if let Some((_, over)) = self.clouds.get_mut(cloud) {
            *over = over.saturating_sub(1);
        }
    }
}
