//! The embedded pool behind the trait [`Pool`].
//!
//! Deliberately thin: what a call does is the table's matter.

use std::time::Duration;

use async_trait::async_trait;
use ehos_condor::{Cluster, Domains, JobCounts, Pool, SleepJobs};
use ehos_model::{Demand, Failure, FailureKind, Machine, NodeId, Slot, elapsed};
use secrecy::SecretString;

use crate::state::State;
use crate::world::World;

/// The pool of an embedded world.
#[derive(Clone)]
pub struct EmbeddedPool {
    world: World,
}

impl EmbeddedPool {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }

    async fn call(&self) -> Result<(), Failure> {
        self.world.call(|state| state.pool_health.clone()).await
    }
}

#[async_trait]
impl Pool for EmbeddedPool {
    async fn demand(&self) -> Result<Vec<Demand>, Failure> {
        self.call().await?;
        Ok(self.world.state().demand())
    }

    async fn slots(&self) -> Result<Vec<Slot>, Failure> {
        self.call().await?;
        let mut state = self.world.state();
        collector(&state)?;
        let (now, lifetime) = (state.timestamp(state.now), state.settings.ad_lifetime);
        state.ads.retain(|_, ad| elapsed(ad.heard, now) < lifetime);
        Ok(state.ads.values().cloned().collect())
    }

    async fn drain(&self, machine: &Machine, _reason: &str) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        known(&state, machine)?;
        let busy = state.startds.get(machine).is_some_and(|startd| !startd.jobs.is_empty());
        if busy {
            return Err(Failure::new(FailureKind::Conflict, format!("{machine} is claimed")));
        }
        state.set_draining(machine, true);
        Ok(())
    }

    async fn resume(&self, machine: &Machine) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        known(&state, machine)?;
        if !state.startds.get(machine).is_some_and(|startd| startd.draining) {
            return Err(Failure::new(FailureKind::Conflict, format!("{machine} is not draining")));
        }
        state.set_draining(machine, false);
        Ok(())
    }

    async fn forget(&self, machine: &Machine) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        collector(&state)?;
        state.ads.remove(machine);
        Ok(())
    }

    async fn domains(&self) -> Result<Domains, Failure> {
        self.call().await?;
        Ok(Domains { uid: "embedded".to_owned(), trust: "embedded".to_owned() })
    }

    async fn join_token(&self, _node: &NodeId, _lifetime: Duration) -> Result<SecretString, Failure> {
        self.call().await?;
        Ok(SecretString::from("opens-nothing"))
    }

    async fn submit(&self, jobs: &SleepJobs) -> Result<Cluster, Failure> {
        self.call().await?;
        if jobs.seconds.is_empty() {
            return Err(Failure::rejected("no jobs to submit"));
        }
        let cluster = self.world.state().submit(jobs);
        self.world.tell_queue_changed();
        Ok(cluster)
    }

    async fn jobs(&self, cluster: Cluster) -> Result<JobCounts, Failure> {
        self.call().await?;
        Ok(self.world.state().queue.cluster(cluster))
    }

    async fn finished(&self, cluster: Cluster) -> Result<u64, Failure> {
        self.call().await?;
        Ok(self.world.state().queue.finished(cluster))
    }

    async fn remove(&self, cluster: Cluster) -> Result<(), Failure> {
        self.call().await?;
        self.world.state().remove_jobs(cluster);
        Ok(())
    }

    async fn queue_changed(&self) {
        self.world.queue_changed().await;
    }
}

fn collector(state: &State) -> Result<(), Failure> {
    if state.collector_down {
        return Err(Failure::transient("the collector has come up too lately to know the pool"));
    }
    Ok(())
}

/// Checks that a command reaches a machine: the collector knows it, and it lives.
fn known(state: &State, machine: &Machine) -> Result<(), Failure> {
    collector(state)?;
    if !state.ads.contains_key(machine) {
        return Err(Failure::new(FailureKind::NotFound, format!("the collector does not know {machine}")));
    }
    if !state.startds.contains_key(machine) {
        return Err(Failure::transient(format!("{machine} does not answer")));
    }
    Ok(())
}
