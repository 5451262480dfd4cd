//! Ticks in virtual time: observe, reconcile, plan, execute, as the daemon does, against an embedded world.
//!
//! Deliberately decides nothing and records nothing but the memory; it is for tests and for trying a policy.

use std::collections::BTreeMap;
use std::time::Duration;

use ehos_cloud::{Cloud as _, ServerOrder};
use ehos_condor::Pool as _;
use ehos_model::{CloudName, CloudView, Failure, FailureKind, Observed, Policy, Role, Snapshot};
use ehos_scaler::{Action, Inventory, Memory, Outcome, Plan, plan, reconcile};
use tokio::time::timeout;

use crate::cloud::EmbeddedCloud;
use crate::pool::EmbeddedPool;
use crate::stats::Stats;
use crate::world::World;

/// The longest one call may take.
const CALL: Duration = Duration::from_secs(30);

/// How long the queue must be quiet after a submission before it is looked at.
const BATCH: Duration = Duration::from_secs(1);

/// All that one tick gave.
#[derive(Clone, Debug)]
pub struct Tick {
    /// What was seen.
    pub snapshot: Snapshot,
    /// What there is.
    pub inventory: Inventory,
    /// What was decided.
    pub plan: Plan,
    /// How it went; shorter than the plan where the driver was killed in the middle.
    pub outcomes: Vec<Outcome>,
}

/// An EHOS without the daemon around it.
pub struct Driver {
    world: World,
    pool: EmbeddedPool,
    clouds: BTreeMap<CloudName, EmbeddedCloud>,
    policy: Policy,
    memory: Memory,
    seed: u64,
    template: Option<String>,
    unknown_since: BTreeMap<String, ehos_model::Timestamp>,
}

impl Driver {
    /// Begins with an empty memory; clouds of the policy that the world does not have are left out.
    #[must_use]
    pub fn new(world: &World, policy: Policy, seed: u64) -> Self {
        let cloud = |name: &CloudName| Some((name.clone(), world.cloud(name)?));
        Self {
            world: world.clone(),
            pool: world.pool(),
            clouds: policy.clouds.iter().filter_map(|wanted| cloud(&wanted.name)).collect(),
            policy,
            memory: Memory::default(),
            seed,
            template: None,
            unknown_since: BTreeMap::new(),
        }
    }

    /// Gives what it was begun with.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Has new nodes be told a template with this fingerprint.
    pub fn set_template(&mut self, fingerprint: &str) {
        self.template = Some(fingerprint.to_owned());
    }

    /// Starts anew as after a loss of the state directory: all that is known is what the clouds and the pool tell.
    pub fn lose_memory(&mut self) {
        self.memory = Memory::default();
    }

    /// Does one tick.
    pub async fn tick(&mut self) -> Tick {
        self.tick_killed_after(usize::MAX).await
    }

    /// Does one tick that is killed after some of its steps: what they gave is not remembered, only that they were meant.
    pub async fn tick_killed_after(&mut self, steps: usize) -> Tick {
        let snapshot = self.observe().await;
        let inventory = reconcile(&snapshot, &self.memory, &self.policy);
        self.memory = std::mem::take(&mut self.memory).observed(&snapshot, &inventory);
        let plan = plan(&inventory, &snapshot, &self.memory, &self.policy);
        self.memory = std::mem::take(&mut self.memory).intending(&plan, snapshot.at);
        let mut outcomes = Vec::new();
        for step in plan.steps.iter().take(steps) {
            let result = timeout(CALL, self.carry_out(&step.action, &step.reason)).await;
            let result = result.unwrap_or_else(|_| Err(Failure::transient("no answer in time")));
            log::debug!("{}: {step}: {result:?}", self.world.now());
            outcomes.push(Outcome { step: step.clone(), at: self.world.now(), result });
        }
        if steps >= plan.steps.len() {
            self.memory = std::mem::take(&mut self.memory).after(&outcomes);
        }
        Tick { snapshot, inventory, plan, outcomes }
    }

    /// Waits as the daemon waits: until the plan wants to be woken, `sleep` is over or the queue changes.
    pub async fn wait(&self, tick: &Tick) {
        let latest = self.policy.sleep;
        let wish = tick.plan.wake_at.map(|at| ehos_model::elapsed(self.world.now(), at));
        // A plan that wants to be woken at once must not stop the world's time.
        let pause = wish.map_or(latest, |wish| wish.min(latest)).max(Duration::from_millis(100));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.pool.queue_changed() => tokio::time::sleep(BATCH).await,
        }
    }

    /// Ticks until the world is as wished, at most for `limit`; tells whether it came to that.
    pub async fn run_until(&mut self, limit: Duration, mut wished: impl FnMut(&Stats) -> bool) -> bool {
        let end = tokio::time::Instant::now() + limit;
        while !wished(&self.world.stats()) {
            if tokio::time::Instant::now() >= end {
                return false;
            }
            let tick = self.tick().await;
            self.wait(&tick).await;
        }
        true
    }

    /// Looks at pool and clouds, one after the other.
    async fn observe(&mut self) -> Snapshot {
        let at = self.world.now();
        self.seed = self.seed.wrapping_add(1);
        let (pool, clouds) = (self.pool.clone(), self.clouds.clone());
        let demand = self.observed("demand", pool.demand()).await;
        let slots = self.observed("slots", pool.slots()).await;
        let mut views = BTreeMap::new();
        for (name, cloud) in clouds {
            let servers = self.observed(&format!("servers of {name}"), cloud.servers()).await;
            let offer = self.observed(&format!("offer of {name}"), cloud.offer()).await;
            views.insert(name, CloudView { servers, offer, template: self.template.clone() });
        }
        Snapshot { at, seed: self.seed, demand, slots, clouds: views }
    }

    async fn observed<T>(
        &mut self,
        what: &str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Observed<T> {
        let at = self.world.now();
        match timeout(CALL, call).await {
            Ok(Ok(value)) => {
                self.unknown_since.remove(what);
                Observed::Seen { at, value }
            }
            failed => {
                let why =
                    failed.map_or_else(|_| "no answer in time".to_owned(), |answer| words(answer.err()));
                let since = *self.unknown_since.entry(what.to_owned()).or_insert(at);
                Observed::Unknown { since, why }
            }
        }
    }

    async fn carry_out(&self, action: &Action, reason: &str) -> Result<(), Failure> {
        let known = |name: &CloudName| {
            self.clouds.get(name).ok_or_else(|| Failure::rejected(format!("there is no cloud {name}")))
        };
        match action {
            Action::Create { node, cloud, flavor, image } => {
                let order = ServerOrder {
                    image: image.clone(),
                    template: self.template.clone(),
                    ..ServerOrder::new(node.clone(), Role::Execute, flavor.clone())
                };
                known(cloud)?.create(&order).await.map(drop)
            }
            Action::Drain { machine, .. } => self.pool.drain(machine, reason).await,
            Action::Resume { machine, .. } => self.pool.resume(machine).await,
            Action::Release { machine } => self.pool.forget(machine).await,
            Action::Delete(deletable) => {
                match known(deletable.cloud())?.delete(deletable.server()).await {
                    Err(failure) if failure.kind != FailureKind::NotFound => return Err(failure),
                    _ => {}
                }
                if let Some(machine) = deletable.machine() {
                    // Ads that stay are strays of a later tick.
                    _ = self.pool.forget(machine).await;
                }
                Ok(())
            }
        }
    }
}

fn words(failure: Option<Failure>) -> String {
    failure.map(|failure| failure.message).unwrap_or_default()
}
