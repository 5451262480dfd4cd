//! Carries out the steps of a plan, at the same time where they do not depend on each other.
//!
//! Deliberately chooses nothing: a step that fails becomes an outcome, and the next plan deals with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ehos_cloud::{Cloud, ServerOrder};
use ehos_cloudinit::{NodeFacts, Recipe, Secret};
use ehos_condor::Pool;
use ehos_model::{CloudName, Failure, FailureKind, Machine, PoolId, Role, Snapshot, Timestamp};
use ehos_scaler::{Action, Outcome, Plan, Step};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Steps that one cloud, or the pool, is asked to do at one time.
const AT_ONCE: usize = 20;

/// The longest that a step may take; every call in it has a shorter limit of its own.
const STEP: Duration = Duration::from_mins(5);

/// The longest that the startd of a node takes between two reports to the collector; changes it reports at once.
pub(crate) const UPDATE_INTERVAL: Duration = Duration::from_mins(1);

/// How many reports in a row must be missing before a node is lost: a machine that is loaded reports late.
const MISSED: u32 = 5;

/// What steps are carried out with.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) pool: Arc<dyn Pool>,
    pub(crate) clouds: BTreeMap<CloudName, Arc<dyn Cloud>>,
    pub(crate) recipes: Arc<BTreeMap<CloudName, Recipe>>,
    pub(crate) join: Arc<Join>,
}

/// What every node needs to know of the pool it joins.
#[derive(Debug)]
pub(crate) struct Join {
    /// The pool's id.
    pub(crate) pool: PoolId,
    /// Where the master is, as the nodes reach it.
    pub(crate) master: String,
    /// How long a node's token is good for.
    pub(crate) token_lifetime: Duration,
    /// How often its startd reports.
    pub(crate) update_interval: Duration,
}

/// Makes nodes report often enough that one at work is never taken for lost (*`lost_timeout`*).
pub(crate) fn update_interval(lost_timeout: Duration) -> Duration {
    (lost_timeout / MISSED).clamp(Duration::from_secs(1), UPDATE_INTERVAL)
}

impl Hands {
    /// Lists the clouds of both whose nodes were told something else before.
    pub(crate) fn other_templates(&self, before: &Self) -> Vec<CloudName> {
        let other = |(cloud, recipe): &(&CloudName, &Recipe)| {
            before.recipes.get(*cloud).is_some_and(|before| before.fingerprint() != recipe.fingerprint())
        };
        self.recipes.iter().filter(other).map(|(cloud, _)| cloud.clone()).collect()
    }

    fn cloud(&self, name: &CloudName) -> Result<&Arc<dyn Cloud>, Failure> {
        self.clouds.get(name).ok_or_else(|| Failure::rejected(format!("cloud {name} is not configured")))
    }
}

/// Carries out all steps and tells how each went, in the order of the plan; `ended` is called after each.
pub(crate) async fn execute(
    plan: &Plan,
    snapshot: &Snapshot,
    hands: &Hands,
    ended: impl Fn(),
) -> Vec<Outcome> {
    let mut limits: BTreeMap<Option<CloudName>, Arc<Semaphore>> = BTreeMap::new();
    let mut running = JoinSet::new();
    for (index, step) in plan.steps.iter().cloned().enumerate() {
        let limit = limits
            .entry(cloud_of(&step.action).cloned())
            .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
        let (limit, hands, gpus) = (Arc::clone(limit), hands.clone(), gpus(&step.action, snapshot));
        running.spawn(async move {
            let _place = limit.acquire_owned().await;
            let work = carry_out(&step, gpus, &hands);
            let result = tokio::time::timeout(STEP, work)
                .await
                .unwrap_or_else(|_| Err(Failure::transient(format!("gave up after {} s", STEP.as_secs()))));
            (index, Outcome { step, at: Timestamp::now(), result })
        });
    }
    let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(plan.steps.len());
    while let Some(step) = running.join_next().await {
        ended();
        match step {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => log::error!("a step ended early, which is a fault in ehosd: {error}"),
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The cloud whose limit a step counts against; `None` is the pool.
fn cloud_of(action: &Action) -> Option<&CloudName> {
    match action {
        Action::Create { cloud, .. } => Some(cloud),
        Action::Delete(deletable) => Some(deletable.cloud()),
        Action::Drain { .. } | Action::Resume { .. } | Action::Release { .. } => None,
    }
}

/// How many GPUs a node to be created has.
fn gpus(action: &Action, snapshot: &Snapshot) -> u32 {
    let Action::Create { cloud, flavor, .. } = action else { return 0 };
    let offer = snapshot.clouds.get(cloud).and_then(|view| view.offer.seen());
    let flavors = offer.into_iter().flat_map(|offer| &offer.flavors);
    flavors
        .filter(|offered| offered.name == *flavor)
        .map(|offered| offered.size.gpus)
        .next()
        .unwrap_or_default()
}

async fn carry_out(step: &Step, gpus: u32, hands: &Hands) -> Result<(), Failure> {
    match &step.action {
        Action::Create { node, cloud, flavor, image } => {
            let order = ServerOrder {
                image: image.clone(),
                template: hands.recipes.get(cloud).map(|recipe| recipe.fingerprint().to_owned()),
                ..ServerOrder::new(node.clone(), Role::Execute, flavor.clone())
            };
            create(order, cloud, gpus, hands).await
        }
        Action::Drain { machine, .. } => hands.pool.drain(machine, &step.reason).await,
        Action::Resume { machine, .. } => hands.pool.resume(machine).await,
        Action::Release { machine } => hands.pool.forget(machine).await,
        Action::Delete(deletable) => {
            let cloud = hands.cloud(deletable.cloud())?;
            match cloud.delete(deletable.server()).await {
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                other => other?,
            }
            match deletable.machine() {
                Some(machine) => forget(machine, hands).await,
                None => Ok(()),
            }
        }
    }
}

/// Removes the ads of a machine that is going; they would expire by themselves, so a failure is only said.
async fn forget(machine: &Machine, hands: &Hands) -> Result<(), Failure> {
    if let Err(failure) = hands.pool.forget(machine).await {
        log::warn!("the ads of {machine} stay until they expire: {failure}");
    }
    Ok(())
}

/// Adds what the node is told at boot, and orders it.
async fn create(order: ServerOrder, cloud: &CloudName, gpus: u32, hands: &Hands) -> Result<(), Failure> {
    let seller = hands.cloud(cloud)?;
    let recipe = hands
        .recipes
        .get(cloud)
        .ok_or_else(|| Failure::rejected(format!("no template for the nodes of {cloud}")))?;
    let (domains, token) =
        tokio::try_join!(hands.pool.domains(), hands.pool.join_token(&order.node, hands.join.token_lifetime))
            .map_err(|failure| failure.context("the node cannot be let into the pool"))?;
    let facts = NodeFacts {
        pool: &hands.join.pool,
        node: &order.node,
        cloud,
        flavor: &order.flavor,
        gpus,
        host_ip: &hands.join.master,
        uid_domain: &domains.uid,
        trust_domain: &domains.trust,
        secret: Secret::Token(&token),
        update_interval: hands.join.update_interval,
    };
    let user_data = recipe.render(&facts, &[]).map_err(|error| Failure::rejected(error.to_string()))?;
    seller.create(&ServerOrder { user_data, ..order }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_at_work_reports_several_times_before_it_would_be_lost() {
        for (lost_timeout, interval, row) in [
            (600, 60, "the default"),
            (300, 60, "just as often"),
            (60, 12, "a node whose reports came once a minute would be lost between two of them"),
            (3, 1, "as often as can be"),
        ] {
            assert_eq!(update_interval(Duration::from_secs(lost_timeout)).as_secs(), interval, "{row}");
        }
    }
}
