//! Tells in the log what was seen, what was decided and why, so that a person can follow.
//!
//! Deliberately says nothing twice that has not changed.

use std::collections::{BTreeMap, BTreeSet};

use ehos_model::{CloudView, FailureKind, Snapshot};
use ehos_scaler::{Inventory, Outcome, Plan};

use crate::logging::DECISION;

/// What has been said already.
#[derive(Debug, Default)]
pub(crate) struct Report {
    unmet: BTreeSet<String>,
}

impl Report {
    /// Says what was decided, and what waits for what.
    pub(crate) fn decided(&mut self, plan: &Plan) {
        for step in &plan.steps {
            log::info!(target: DECISION, "{step}");
        }
        let unmet: BTreeSet<String> = plan.unmet.iter().map(ToString::to_string).collect();
        for line in unmet.difference(&self.unmet) {
            log::warn!("{line}");
        }
        if unmet.is_empty() && !self.unmet.is_empty() {
            log::info!(target: DECISION, "every waiting job has its node, or one that is coming");
        }
        self.unmet = unmet;
    }
}

/// Says what was seen.
pub(crate) fn seen(snapshot: &Snapshot, inventory: &Inventory) {
    log::info!("seen: {}", summary(snapshot, inventory));
}

/// Says how the steps went.
pub(crate) fn done(outcomes: &[Outcome]) {
    for outcome in outcomes {
        let action = &outcome.step.action;
        match &outcome.result {
            Ok(()) => log::info!("accepted: {action}"),
            // A job came first, as it should.
            Err(failure) if failure.kind == FailureKind::Conflict && !action.buys() => {
                log::info!(target: DECISION, "not now: {action}: {failure}");
            }
            Err(failure) => log::warn!("{action} failed: {failure}"),
        }
    }
}

/// What was seen, in a line.
fn summary(snapshot: &Snapshot, inventory: &Inventory) -> String {
    let jobs = match snapshot.demand.seen() {
        None => "the queue is unknown".to_owned(),
        Some(demand) => {
            let idle: u64 = demand.iter().map(|group| group.idle).sum();
            match demand.len() {
                0 => "no job waits".to_owned(),
                1 => format!("{} of one shape wait{}", jobs(idle), if idle == 1 { "s" } else { "" }),
                shapes => format!("{} of {shapes} shapes wait", jobs(idle)),
            }
        }
    };
    let slots = if snapshot.slots.seen().is_some() { "" } else { "; the slots are unknown" };
    let clouds: Vec<String> =
        snapshot.clouds.iter().map(|(name, view)| format!("{name}: {}", describe(view))).collect();
    format!("{jobs}; {}{slots}; {}", census(inventory), clouds.join("; "))
}

/// Counts nodes by what they do: `4 nodes: 2 busy, 1 idle, 1 building`.
pub(crate) fn census(inventory: &Inventory) -> String {
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &inventory.nodes {
        *phases.entry(node.phase.word()).or_default() += 1;
    }
    let list: Vec<String> = phases.iter().map(|(word, n)| format!("{n} {word}")).collect();
    match inventory.nodes.len() {
        0 => "no node".to_owned(),
        1 => format!("1 node: {}", list.join(", ")),
        n => format!("{n} nodes: {}", list.join(", ")),
    }
}

fn describe(view: &CloudView) -> String {
    match (view.servers.seen(), view.offer.seen()) {
        (Some(servers), Some(offer)) => {
            let quota = &offer.quota;
            let left = |left: u64| if left == u64::MAX { "no limit".to_owned() } else { left.to_string() };
            format!(
                "{} server{}, left {} servers, {} cores, {} MiB",
                servers.len(),
                if servers.len() == 1 { "" } else { "s" },
                left(quota.instances.left()),
                left(quota.cores.left()),
                left(quota.memory.left())
            )
        }
        _ => "unknown".to_owned(),
    }
}

pub(crate) fn jobs(n: u64) -> String {
    if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
}

/// Names all that could not be seen, with the reason.
pub(crate) fn unknown(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let pool = [("the queue", snapshot.demand.unknown()), ("the slots", snapshot.slots.unknown())];
    let pool = pool.into_iter().map(|(what, why)| (what.to_owned(), why));
    let clouds = snapshot.clouds.iter().flat_map(|(name, view)| {
        [
            (format!("the servers of {name}"), view.servers.unknown()),
            (format!("the offer of {name}"), view.offer.unknown()),
        ]
    });
    pool.chain(clouds).filter_map(|(what, why)| why.map(|why| format!("{what}: {why}")))
}

/// What `--dry-run` prints: what was seen, what would be done, what waits for what.
pub(crate) fn outlook(snapshot: &Snapshot, inventory: &Inventory, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("seen     {}", summary(snapshot, inventory))];
    lines.extend(unknown(snapshot).map(|what| format!("unknown  {what}")));
    lines.extend(plan.steps.iter().map(|step| format!("would    {step}")));
    lines.extend(plan.unmet.iter().map(|unmet| format!("waiting  {unmet}")));
    if plan.steps.is_empty() {
        lines.push("would    do nothing".to_owned());
    }
    lines
}
