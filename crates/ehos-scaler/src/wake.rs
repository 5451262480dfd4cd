//! Finds the moment at which time alone changes the plan.
//!
//! Deliberately never in the past: what is due was done now, or waits for something that only a look can show.

use ehos_model::Timestamp;

use crate::inventory::Phase;
use crate::look::{Look, later};
use crate::memory::ORDER_SHOWS;
use crate::unmet::{Blocker, Unmet};

/// Gives the earliest deadline after now; `grace` is the one that the shrinking phase found.
pub(crate) fn wake_at(look: &Look, unmet: &[Unmet], grace: Option<Timestamp>) -> Option<Timestamp> {
    let at = look.at();
    let nodes = look.inventory.nodes.iter().filter_map(|node| match &node.phase {
        Phase::Building { since } | Phase::Joining { since } => {
            let blind = look.memory.blind_until.map(|blind| later(blind, look.policy.lost_timeout));
            let deadline = later(*since, look.policy.boot_timeout);
            Some(blind.unwrap_or(deadline).max(deadline))
        }
        Phase::Lost { until, .. } => *until,
        Phase::Draining { since, .. } => Some(later(*since, look.policy.drain_timeout?)),
        _ => None,
    });
    let orders = look.memory.orders.values().map(|order| later(order.at, ORDER_SHOWS));
    let cool = unmet.iter().filter_map(|unmet| match unmet.blocker {
        Blocker::CoolDown { until, .. } => Some(until),
        _ => None,
    });
    nodes.chain(orders).chain(cool).chain(grace).filter(|due| *due > at).min()
}
