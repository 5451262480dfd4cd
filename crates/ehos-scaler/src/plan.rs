//! Plans one tick: what to do, why, and what waits for what.
//!
//! Deliberately a row of phases that each see what the ones before them decided; none looks at the clock or changes
//! what it is given. While the demand is unknown only the first is run: neither buying nor draining is safe then.

#[cfg(test)]
mod tests;

use ehos_model::{Policy, Snapshot, Timestamp};

use crate::Memory;
use crate::budget::{Budget, count};
use crate::choice::Chooser;
use crate::cover::{Cover, cover};
use crate::dice::Names;
use crate::drift::{Drift, Replacing};
use crate::expire::expire;
use crate::grow::grow;
use crate::headroom::{Census, Market, headroom, resume};
use crate::inventory::Inventory;
use crate::look::Look;
use crate::note::{Note, notes};
use crate::shrink::{Exchange, shrink};
use crate::step::Step;
use crate::unmet::Unmet;
use crate::wake::wake_at;

/// What to do, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps; they may be carried out in any order and at the same time.
    pub steps: Vec<Step>,
    /// Jobs that neither have room nor get a node now, largest shapes first.
    pub unmet: Vec<Unmet>,
    /// What an operator should know, and do something about.
    pub notes: Vec<Note>,
    /// When time alone will change the plan; always after the look it was made from.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    /// Tells whether it makes anything that costs.
    #[must_use]
    pub fn buys(&self) -> bool {
        self.steps.iter().any(|step| step.action.buys())
    }
}

/// Decides what to do. The same input gives the same plan.
#[must_use]
pub fn plan(inventory: &Inventory, snapshot: &Snapshot, memory: &Memory, policy: &Policy) -> Plan {
    let look = Look { inventory, snapshot, memory, policy };
    let mut steps = Vec::new();
    expire(&look, &mut steps);
    let notes = notes(&look);
    let Some(demand) = snapshot.demand.seen() else {
        return Plan { steps, unmet: Vec::new(), notes, wake_at: wake_at(&look, &[], None) };
    };
    let drift = Drift::new(&look);
    let mut covered = cover(&look, &drift, demand);
    let mut resumed = resume_needed(&look, &covered, &mut steps);
    let mut budget = Budget::new(&look);
    let mut chooser = Chooser::new(look);
    let mut names = Names::new(snapshot.at, snapshot.seed);
    let before = steps.len();
    let left = std::mem::take(&mut covered.left);
    let mut unmet = grow(&look, left, &mut budget, &mut chooser, &mut names, &mut steps);
    let taken = count(steps.len() - before) + count(resumed.len());
    let mut census = Census::new(&look, &covered, taken);
    covered.wanted = unmet.iter().find_map(|unmet| budget.place_for(&unmet.demand.request));
    let before = steps.len();
    let mut market = Market { budget: &mut budget, chooser: &mut chooser, names: &mut names };
    resumed.extend(headroom(&look, &covered, &drift, &mut census, &mut market, &mut steps));
    let replacing = Replacing::new(&look, &covered, &drift, census.live, &steps[before..]);
    let exchange = Exchange { drift: &drift, replacing, budget: &budget };
    let grace = shrink(&look, &covered, &resumed, &mut census, exchange, &mut steps);
    unmet.append(&mut covered.unmatched);
    let wake_at = wake_at(&look, &unmet, grace);
    Plan { steps, unmet, notes, wake_at }
}

/// Cancels the drain of nodes that the waiting jobs would touch, which is quicker and cheaper than buying.
fn resume_needed(look: &Look, covered: &Cover, steps: &mut Vec<Step>) -> Vec<usize> {
    let needed: Vec<usize> = covered.resumable.iter().copied().filter(|i| covered.touched[*i]).collect();
    for &i in &needed {
        steps.extend(resume(&look.inventory.nodes[i], "jobs wait that it has room for"));
    }
    needed
}
