//! Phase 4, headroom: keeps `nodes_min` nodes, and `nodes_spare` that the waiting jobs leave untouched.
//!
//! Deliberately below every ceiling, and resumes before it buys; but not a node that differs from what would be made
//! now, which would only be drained again.

use crate::budget::{Budget, count};
use crate::choice::Chooser;
use crate::cover::{Cover, is_booting};
use crate::dice::Names;
use crate::drift::Drift;
use crate::grow::create;
use crate::inventory::{Node, Phase};
use crate::look::Look;
use crate::step::{Action, Step};

/// How many nodes there will be once the steps so far have taken effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    /// On their way or in service.
    pub(crate) live: u64,
    /// Of these, idle or booting, and not needed by a waiting job.
    pub(crate) reserve: u64,
}

impl Census {
    /// Counts what is there; resumed and bought nodes are all taken by jobs.
    pub(crate) fn new(look: &Look, cover: &Cover, taken: u64) -> Self {
        let nodes = || look.inventory.nodes.iter().zip(&cover.touched);
        let spare = |(node, touched): &(&Node, &bool)| {
            !**touched && (is_booting(node) || matches!(node.phase, Phase::Idle { .. }))
        };
        Self {
            live: count(nodes().filter(|(node, _)| node.phase.is_live()).count()) + taken,
            reserve: count(nodes().filter(spare).count()),
        }
    }
}

/// What nodes are bought with.
pub(crate) struct Market<'m, 'a> {
    pub(crate) budget: &'m mut Budget,
    pub(crate) chooser: &'m mut Chooser<'a>,
    pub(crate) names: &'m mut Names,
}

/// Resumes and buys what is missing, but nothing back that is to leave the place that is `wanted`. Returns the nodes resumed, by index.
pub(crate) fn headroom(
    look: &Look,
    cover: &Cover,
    drift: &Drift,
    census: &mut Census,
    market: &mut Market,
    steps: &mut Vec<Step>,
) -> Vec<usize> {
    let limits = look.policy.limits;
    let (min, spare) = (u64::from(limits.min()), u64::from(limits.spare()));
    let mut resumed = Vec::new();
    let candidates = cover.resumable.iter().filter(|i| !cover.touched[**i]);
    for &i in candidates {
        let node = &look.inventory.nodes[i];
        // It goes to make room for a node that waiting jobs can use.
        if cover.wanted.as_ref().is_some_and(|place| place.is_held_in(&node.cloud)) {
            continue;
        }
        // It goes to make room for one that is up to date, unless none can come.
        if drift.of(i) && market.budget.sells(&node.cloud) {
            continue;
        }
        let empty = node.claims() == 0;
        if census.live < min || (empty && census.reserve < spare) {
            let reason = reason(look, census);
            census.live += 1;
            census.reserve += u64::from(empty);
            steps.extend(resume(node, &reason));
            resumed.push(i);
        }
    }
    while census.live < min || census.reserve < spare {
        let Some((purse, offer)) = market.chooser.for_reserve(market.budget) else { break };
        let Ok(placement) = market.budget.buy(purse, offer) else { break };
        let reason = reason(look, census);
        steps.push(create(look, market.names, placement.into_parts(), reason));
        census.live += 1;
        census.reserve += 1;
    }
    resumed
}

fn reason(look: &Look, census: &Census) -> String {
    let limits = look.policy.limits;
    if census.live < u64::from(limits.min()) {
        format!("nodes_min is {} and there are {}", limits.min(), census.live)
    } else {
        format!(
            "nodes_spare is {} and {} stand idle or boot for no waiting job",
            limits.spare(),
            census.reserve
        )
    }
}

/// Makes the steps that let a node take jobs again, one for each of its machines.
pub(crate) fn resume<'a>(node: &'a Node, reason: &'a str) -> impl Iterator<Item = Step> + 'a {
    node.machines().map(move |machine| Step {
        action: Action::Resume { node: node.id.clone(), machine: machine.clone() },
        reason: reason.to_owned(),
    })
}
