//! What goes from tick to tick: orders under way, when a node was last busy, what failed lately.
//!
//! Deliberately a cache: the cloud is the register. Losing the memory makes decisions slower (an idle node waits out
//! its grace once more, a failing flavor is tried once more) and never wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use ehos_model::{
    Autocluster, CloudName, Failure, FailureKind, FlavorName, ImageId, NodeId, Resources, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::Plan;
use crate::backoff::{self, Backoff};
use crate::size::Size;
use crate::step::{Action, Outcome};

mod observed;
mod trial;

pub(crate) use trial::{MadeOf, Trial};

/// How long an order may be missing from a cloud's listings before it is taken for never carried out.
pub(crate) const ORDER_SHOWS: Duration = Duration::from_mins(2);

/// How long an accepted drain or resume may take to show in the ads.
pub(crate) const DRAIN_SHOWS: Duration = Duration::from_mins(1);

/// How long an accepted delete may take to show in a listing before it is repeated.
pub(crate) const DELETE_SHOWS: Duration = Duration::from_mins(2);

/// How long a server that was up must be in ERROR, without an ad, before its node is given up: ads come late.
pub(crate) const ERROR_SHOWS: Duration = Duration::from_mins(1);

/// How long jobs must wait beside an idle node with room for them before their requirements are to blame.
///
/// HTCondor matches once a minute (`NEGOTIATOR_INTERVAL`), so this is five chances missed.
pub(crate) const MATCH_PATIENCE: Duration = Duration::from_mins(5);

/// How long a shape that is not matched is left alone before it is tried anew.
pub(crate) const MATCH_AGAIN: Duration = Duration::from_hours(24);

/// What is remembered from tick to tick; serialises to JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    pub(crate) nodes: BTreeMap<NodeId, NodeMemory>,
    pub(crate) orders: BTreeMap<NodeId, Order>,
    pub(crate) clouds: BTreeMap<CloudName, CloudMemory>,
    /// The cloud that got the last order, for round-robin.
    pub(crate) last_cloud: Option<CloudName>,
    /// The last look at which the slots were unknown: silence is only counted from here on.
    pub(crate) blind_until: Option<Timestamp>,
    pub(crate) shapes: BTreeMap<Autocluster, ShapeMemory>,
}

/// A create that was made or is about to be, and that no listing has shown yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) cloud: CloudName,
    pub(crate) flavor: FlavorName,
    /// When it was last touched: intended, accepted or failed ambiguously.
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeMemory {
    pub(crate) cloud: CloudName,
    pub(crate) flavor: FlavorName,
    pub(crate) ordered: Timestamp,
    /// Whether its server was still being built when last seen.
    pub(crate) booting: bool,
    /// When the collector last heard of it; `None`: it never joined.
    pub(crate) heard: Option<Timestamp>,
    pub(crate) idle: Option<IdleMemory>,
    pub(crate) draining: Option<Timestamp>,
    pub(crate) drain_asked: Option<Timestamp>,
    pub(crate) resume_asked: Option<Timestamp>,
    pub(crate) delete_asked: Option<Timestamp>,
    /// Since when its server has been seen in ERROR.
    pub(crate) error_seen: Option<Timestamp>,
    /// Whether its failure has been counted against its flavor.
    pub(crate) blamed: bool,
}

/// Since when a node has been idle, with what shows that it was not busy in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdleMemory {
    pub(crate) since: Timestamp,
    pub(crate) job_starts: u64,
    pub(crate) started: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CloudMemory {
    /// When its servers were last listed; `None`: it may have servers nobody knows of.
    pub(crate) listed: Option<Timestamp>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) flavors: BTreeMap<FlavorName, FlavorMemory>,
    /// The configured image when the cloud last told; `None`: it has none.
    pub(crate) configured: Option<ImageId>,
    pub(crate) images: BTreeMap<ImageId, Trial>,
    /// By their fingerprints.
    pub(crate) templates: BTreeMap<String, Trial>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FlavorMemory {
    /// What the cloud says it has.
    pub(crate) paper: Option<Resources>,
    /// What its nodes turned out to have in the pool.
    pub(crate) real: Option<Size>,
    pub(crate) backoff: Option<Backoff>,
}

/// How a job shape waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShapeMemory {
    /// Since when jobs of it have been waiting without a gap.
    pub(crate) since: Timestamp,
    /// How many waited at the last look.
    pub(crate) idle: u64,
    /// Since when it is known that HTCondor does not match them, and an idle node that had room.
    pub(crate) unmatched: Option<(Timestamp, String)>,
}

impl Memory {
    /// Writes down what is about to be bought and resumed. To be kept on disk before the plan is carried out.
    #[must_use]
    pub fn intending(mut self, plan: &Plan, at: Timestamp) -> Self {
        for step in &plan.steps {
            match &step.action {
                Action::Create { node, cloud, flavor, .. } => {
                    let order = Order { cloud: cloud.clone(), flavor: flavor.clone(), at };
                    self.orders.insert(node.clone(), order);
                    self.last_cloud = Some(cloud.clone());
                }
                // An ad that still reads drained must not be believed after a kill: jobs may run there already.
                Action::Resume { node, .. } => self.mark(node, |node| node.resume_asked = Some(at)),
                Action::Drain { .. } | Action::Delete(_) | Action::Release { .. } => {}
            }
        }
        self
    }

    /// Adds how the steps went.
    #[must_use]
    pub fn after(mut self, outcomes: &[Outcome]) -> Self {
        for Outcome { step, at, result } in outcomes {
            let at = *at;
            match (&step.action, result) {
                (Action::Create { node, cloud, flavor, .. }, result) => {
                    self.ordered(node, cloud, flavor, at, result.as_ref().err());
                }
                (Action::Drain { node, .. }, Ok(())) => self.mark(node, |node| {
                    (node.drain_asked, node.resume_asked) = (Some(at), None);
                }),
                // A job came first: the node is not idle.
                (Action::Drain { node, .. }, Err(failure)) if failure.kind == FailureKind::Conflict => {
                    self.mark(node, |node| node.idle = None);
                }
                (Action::Resume { node, .. }, Ok(())) => self.mark(node, |node| {
                    (node.resume_asked, node.drain_asked) = (Some(at), None);
                }),
                (Action::Delete(deletable), result)
                    if result.as_ref().map_or_else(|f| f.kind == FailureKind::NotFound, |()| true) =>
                {
                    self.mark(deletable.node(), |node| node.delete_asked = Some(at));
                }
                (
                    Action::Drain { .. } | Action::Resume { .. } | Action::Delete(_) | Action::Release { .. },
                    _,
                ) => {}
            }
        }
        self
    }

    fn mark(&mut self, node: &NodeId, change: impl FnOnce(&mut NodeMemory)) {
        if let Some(node) = self.nodes.get_mut(node) {
            change(node);
        }
    }

    fn ordered(
        &mut self,
        node: &NodeId,
        cloud: &CloudName,
        flavor: &FlavorName,
        at: Timestamp,
        failure: Option<&Failure>,
    ) {
        let seller = self.clouds.entry(cloud.clone()).or_default();
        let Some(failure) = failure else {
            seller.backoff = None;
            self.orders.insert(node.clone(), Order { cloud: cloud.clone(), flavor: flavor.clone(), at });
            return;
        };
        if failure.is_ambiguous() {
            self.orders.insert(node.clone(), Order { cloud: cloud.clone(), flavor: flavor.clone(), at });
        } else {
            self.orders.remove(node);
        }
        let why = failure.message.as_str();
        match failure.kind {
            FailureKind::Auth => Backoff::fail(&mut seller.backoff, backoff::CLOUD, at, why, None, None),
            FailureKind::Transient { retry_after } => {
                Backoff::fail(&mut seller.backoff, backoff::CLOUD, at, why, retry_after, None);
            }
            FailureKind::Quota
            | FailureKind::NoValidHost
            | FailureKind::NotFound
            | FailureKind::Conflict
            | FailureKind::Rejected => {
                let flavor = seller.flavors.entry(flavor.clone()).or_default();
                Backoff::fail(&mut flavor.backoff, backoff::FLAVOR, at, why, None, None);
            }
        }
    }
}
