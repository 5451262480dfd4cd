//! Phase 1, expire: gives back what has failed, what was never a node, and ads without a server.
//!
//! Deliberately independent of the queue, and silent while the pool is unknown: a server that looks dead to its cloud
//! may be running a job.

use crate::Deletable;
use crate::inventory::{Phase, Stray};
use crate::look::Look;
use crate::step::{Action, Step};
use crate::words::{count, span};

pub(crate) fn expire(look: &Look, steps: &mut Vec<Step>) {
    if !look.slots_known() {
        return;
    }
    for node in look.inventory.nodes.iter().filter(|node| look.may_touch(node)) {
        match &node.phase {
            Phase::Failed { why } => {
                if let Some(deletable) = Deletable::from_node(node) {
                    steps.push(Step { action: Action::Delete(deletable), reason: why.to_string() });
                }
            }
            Phase::Draining { since, claims } => {
                let limit = look.policy.drain_timeout;
                if let (Some(deletable), Some(limit)) = (Deletable::overdue(node, limit, look.at()), limit) {
                    let time = span(ehos_model::elapsed(*since, look.at()));
                    let killed = match claims {
                        0 => "its startd does not confirm that it is drained".to_owned(),
                        n => format!("this kills what runs on it ({})", count((*n).into(), "claim")),
                    };
                    let reason =
                        format!("draining for {time}, drain_timeout allows {}; {killed}", span(limit));
                    steps.push(Step { action: Action::Delete(deletable), reason });
                }
            }
            _ => {}
        }
    }
    for stray in &look.inventory.strays {
        match stray {
            Stray::Duplicate { server, safe } => {
                if let Some(deletable) = Deletable::duplicate(server, *safe) {
                    let reason = format!("a second server of its node, in state {}", server.status);
                    steps.push(Step { action: Action::Delete(deletable), reason });
                }
            }
            Stray::Ad { machine, node, .. } => steps.push(Step {
                action: Action::Release { machine: machine.clone() },
                reason: format!("the server of node {node} is gone"),
            }),
            Stray::Foreign(_) => {}
        }
    }
}
