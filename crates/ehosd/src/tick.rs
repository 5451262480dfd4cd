//! The tick: observe, reconcile, plan, execute, record.
//!
//! Deliberately short: each of the five is a call, and what is decided is decided in the planner.

use std::sync::Arc;

use ehos_model::{Policy, Snapshot, Timestamp};
use ehos_scaler::{Inventory, Memory, Outcome, Plan, plan, reconcile};

use crate::execute::{Hands, execute};
use crate::observe::Observer;
use crate::report::{self, Report};
use crate::state::StateDir;
use crate::systemd::Systemd;

/// All that one tick gave, for whoever shows it.
pub(crate) struct Tick {
    pub(crate) snapshot: Snapshot,
    pub(crate) inventory: Inventory,
    pub(crate) plan: Plan,
    pub(crate) outcomes: Vec<Outcome>,
}

/// What goes from tick to tick.
pub(crate) struct Engine {
    pub(crate) policy: Arc<Policy>,
    pub(crate) hands: Hands,
    observer: Observer,
    memory: Memory,
    report: Report,
}

impl Engine {
    /// Begins with a memory, which may be empty.
    pub(crate) fn new(policy: Policy, hands: Hands, memory: Memory) -> Self {
        let policy = Arc::new(policy);
        Self { policy, hands, observer: Observer::default(), memory, report: Report::default() }
    }

    /// Looks and decides, and changes nothing outside this process.
    pub(crate) async fn look(&mut self) -> (Snapshot, Inventory, Plan) {
        let clouds: Vec<_> = self.hands.clouds.values().cloned().collect();
        let mut snapshot = self.observer.look(&self.hands.pool, &clouds, fastrand::u64(..)).await;
        for (cloud, view) in &mut snapshot.clouds {
            view.template = self.hands.recipes.get(cloud).map(|recipe| recipe.fingerprint().to_owned());
        }
        let inventory = reconcile(&snapshot, &self.memory, &self.policy);
        self.memory = std::mem::take(&mut self.memory).observed(&snapshot, &inventory);
        let plan = plan(&inventory, &snapshot, &self.memory, &self.policy);
        (snapshot, inventory, plan)
    }

    /// Goes on with another configuration; what was asked under the old one is not waited for.
    pub(crate) fn take_over(&mut self, policy: Policy, hands: Hands) {
        self.policy = Arc::new(policy);
        self.hands = hands;
        self.observer.drop_questions();
    }

    /// Begins to ask the clouds for the next look: the batch window is long enough for their answers.
    pub(crate) fn ask_ahead(&mut self) {
        self.observer.ask_ahead(&self.hands.clouds);
    }

    /// Does one whole tick; none where the end is asked for before anything is done.
    pub(crate) async fn tick(
        &mut self,
        state: &StateDir,
        systemd: &Systemd,
        stop: impl Future<Output = ()>,
    ) -> Option<Tick> {
        // Looking changes nothing, so nobody who wants to stop has to wait for a slow cloud.
        let (snapshot, inventory, mut plan) = tokio::select! {
            biased;
            seen = self.look() => seen,
            () = stop => return None,
        };
        systemd.seen(report::status(&snapshot, &inventory));
        self.report.seen(&snapshot, &inventory);
        self.report.decided(&plan);
        self.report.noted(&plan.notes);
        // What is about to be bought is written down first: a kill between the order and the next listing must not
        // make the next start buy it again.
        let intending = self.memory.clone().intending(&plan, snapshot.at);
        match state.remember(&intending, plan.buys()) {
            Ok(()) => self.memory = intending,
            Err(error) if plan.buys() => {
                log::error!("nothing is bought in this tick, since it cannot be written down: {error:#}");
                plan.steps.retain(|step| !step.action.buys());
            }
            Err(error) => log::warn!("{error:#}"),
        }
        let outcomes = execute(&plan, &snapshot, &self.hands, || systemd.alive()).await;
        report::done(&outcomes);
        self.memory = std::mem::take(&mut self.memory).after(&outcomes);
        if !outcomes.is_empty()
            && let Err(error) = state.remember(&self.memory, false)
        {
            log::warn!("{error:#}");
        }
        Some(Tick { snapshot, inventory, plan, outcomes })
    }
}

impl Tick {
    /// When the next tick must begin at the latest.
    pub(crate) fn next(&self, policy: &Policy) -> Timestamp {
        let latest = self.snapshot.at + policy.sleep.min(std::time::Duration::from_hours(1));
        // What was just ordered or asked for shows within seconds.
        let soon = if self.outcomes.is_empty() { latest } else { Timestamp::now() + SETTLE };
        latest.min(soon).min(self.plan.wake_at.unwrap_or(latest))
    }
}

/// How soon after its steps a tick is followed by the next.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);
