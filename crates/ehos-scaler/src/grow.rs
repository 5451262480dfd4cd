//! Phase 3, grow: packs the jobs without room onto nodes that do not exist yet, and buys those.
//!
//! Deliberately opens node after node: the largest shape that still waits leads, its node is filled with whatever
//! else fits, and what nothing can be bought for is reported. That is first-fit decreasing over new nodes, so the
//! next look, which sees them as booting, packs the same jobs onto them and buys nothing twice.

use std::collections::BTreeMap;

use ehos_model::{CloudName, Resources};

use crate::budget::Budget;
use crate::choice::Chooser;
use crate::dice::Names;
use crate::look::Look;
use crate::memory::CloudMemory;
use crate::step::{Action, Step};
use crate::unmet::{Blocker, Unmet, Waiting};
use crate::words::{count, verb_s};

/// Buys nodes for the waiting jobs, which come largest first. Returns what is left waiting, and why.
pub(crate) fn grow(
    look: &Look,
    mut shapes: Vec<Waiting>,
    budget: &mut Budget,
    chooser: &mut Chooser,
    names: &mut Names,
    steps: &mut Vec<Step>,
) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    let mut slots = None;
    let mut lead = 0;
    while lead < shapes.len() {
        if shapes[lead].jobs == 0 {
            lead += 1;
            continue;
        }
        let bought = chooser.for_jobs(budget, &shapes, lead).and_then(|(purse, offer)| {
            let basket = chooser.basket(&budget.purses[purse].offers[offer], &shapes);
            let placement = budget.buy(purse, offer).ok()?;
            Some((placement, basket))
        });
        let Some((placement, basket)) = bought else {
            let demand = Waiting { jobs: std::mem::take(&mut shapes[lead].jobs), ..shapes[lead].clone() };
            let slots = slots.get_or_insert_with(|| slot_sizes(look));
            let blocker = blocker(look, budget, &demand.request, slots);
            unmet.push(Unmet { demand, blocker });
            continue;
        };
        let reason = reason(&shapes[lead]);
        for (shape, n) in basket.taken {
            shapes[shape].jobs -= n;
        }
        steps.push(create(look, names, placement.into_parts(), reason));
    }
    unmet
}

/// Makes the step that orders a node.
pub(crate) fn create(
    look: &Look,
    names: &mut Names,
    (cloud, flavor): (CloudName, ehos_model::FlavorName),
    reason: String,
) -> Step {
    let prefix = look.policy.cloud(&cloud).map_or("ehos", |cloud| cloud.prefix.as_str());
    let node = names.draw(prefix, |id| look.knows(id));
    let image = look.memory.clouds.get(&cloud).and_then(CloudMemory::instead).cloned();
    Step { action: Action::Create { node, cloud, flavor, image }, reason }
}

fn reason(lead: &Waiting) -> String {
    let n = lead.jobs;
    format!("{} of {} wait{} and no node has room", count(n, "job"), lead.request, verb_s(n))
}

/// Lists the different sizes of the pool's slots, each with one that has it.
fn slot_sizes<'a>(look: &Look<'a>) -> BTreeMap<Resources, &'a str> {
    let slots = look.snapshot.slots.seen().into_iter().flatten();
    slots.map(|slot| (slot.total, slot.name.as_str())).collect()
}

/// Finds the most telling reason why nothing is bought for such a job.
fn blocker(look: &Look, budget: &Budget, request: &Resources, slots: &BTreeMap<Resources, &str>) -> Blocker {
    let mut blockers: Vec<Blocker> = Vec::new();
    for (p, purse) in budget.purses.iter().enumerate() {
        for (o, offer) in purse.offers.iter().enumerate() {
            if request.fits_in(&offer.size.slot) {
                blockers.extend(budget.blocker(p, o));
            }
        }
    }
    if let Some(best) = blockers.into_iter().min_by_key(telling) {
        return best;
    }
    let silent = budget.closed().find(|blocker| match blocker {
        Blocker::CloudUnknown { cloud } => might_fit(look, cloud, request),
        _ => false,
    });
    silent.cloned().unwrap_or_else(|| {
        let slot = slots.iter().find(|(total, _)| request.fits_in(total));
        Blocker::NoFlavorFits { waits_for: slot.map(|(_, name)| (*name).to_owned()) }
    })
}

/// Orders blockers: first what passes soonest, last what is furthest from the operator's hands.
fn telling(blocker: &Blocker) -> (u8, Option<ehos_model::Timestamp>) {
    match blocker {
        Blocker::Creating { .. } => (0, None),
        Blocker::CoolDown { until, .. } => (1, Some(*until)),
        Blocker::Quota { .. } => (2, None),
        Blocker::NodeLimit { .. } => (3, None),
        Blocker::NoImage { .. } => (4, None),
        Blocker::CloudUnknown { .. } => (5, None),
        Blocker::NoFlavorFits { .. } | Blocker::Unmatchable { .. } | Blocker::OnlyOn { .. } => (6, None),
    }
}

/// Tells whether a cloud that does not answer may have a flavor for such a job, by what it sold when it did.
fn might_fit(look: &Look, cloud: &CloudName, request: &Resources) -> bool {
    let Some(policy) = look.policy.cloud(cloud) else { return false };
    policy
        .flavors
        .iter()
        .any(|flavor| look.size(cloud, flavor).is_none_or(|size| request.fits_in(&size.slot)))
}
