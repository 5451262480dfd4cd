//! What every `Pool` promises, as checks that run alike against the embedded pool and a real one.
//!
//! Deliberately knows neither of them: a `ContractWorld` prepares what the checks need.

use std::time::Duration;

use async_trait::async_trait;
use ehos_model::{Failure, FailureKind, Machine, Mebibytes, Resources, Slot};
use tokio::time::{Instant, sleep, timeout};

use crate::{Cluster, Pool, SleepJobs};

/// What prepares a pool for the checks and says how patient they should be.
#[async_trait]
pub trait ContractWorld: Send + Sync {
    /// Gives the only machine of the pool: idle, with three free cores or more.
    async fn machine(&self) -> Machine;

    /// How long the pool may take until it shows what was done, and until it starts jobs.
    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

/// How long each call of the checks took, in the order of the calls.
pub type Timings = Vec<(&'static str, Duration)>;

/// How soon a submitted job must be heard of.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// How often the checks look again while they wait.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What each job of the checks asks for; an odd amount, so that they are told from others.
const REQUEST: Resources = Resources { cores: 1, memory: Mebibytes(67), disk: Mebibytes(11), gpus: 0 };
/// How long each job of the checks runs, in seconds: long enough to be seen busy.
const SECONDS: u32 = 8;

/// Runs all checks against a pool that has one idle machine and no jobs; it leaves both as they were.
///
/// # Errors
/// The first promise that was not kept.
pub async fn check(pool: &dyn Pool, world: &dyn ContractWorld) -> Result<Timings, Broken> {
    let mut checks = Checks { pool, patience: world.patience(), timings: Timings::new() };
    let machine = world.machine().await;
    checks.strangers().await?;
    checks.token().await?;
    checks.drain_idle(&machine).await?;
    let cluster = checks.submit().await?;
    checks.resume_and_run(&machine, cluster).await?;
    checks.finish(&machine, cluster).await?;
    Ok(checks.timings)
}

struct Checks<'a> {
    pool: &'a dyn Pool,
    patience: Duration,
    timings: Timings,
}

impl Checks<'_> {
    /// A machine that nobody knows is not found, and can be forgotten.
    async fn strangers(&mut self) -> Result<(), Broken> {
        for name in ["no-such-machine.invalid", "-fast", "odd \"name\""] {
            let nobody = Machine::from(name);
            let drained = self.timed("drain", self.pool.drain(&nobody, "contract")).await;
            expect(&drained, &FailureKind::NotFound, "drain of an unknown machine")?;
            let resumed = self.timed("resume", self.pool.resume(&nobody)).await;
            expect(&resumed, &FailureKind::NotFound, "resume of an unknown machine")?;
        }
        let nobody = Machine::from("no-such-machine.invalid");
        self.timed("forget", self.pool.forget(&nobody)).await.map_err(|failure| broken("forget", &failure))
    }

    /// A token is given, and does not show itself.
    async fn token(&mut self) -> Result<(), Broken> {
        let lifetime = Duration::from_mins(1);
        let token = self.timed("join_token", self.pool.join_token(&"contract-node".into(), lifetime)).await;
        let token = token.map_err(|failure| broken("join_token", &failure))?;
        ensure(!secrecy::ExposeSecret::expose_secret(&token).is_empty(), "join_token: the token is empty")
    }

    /// An idle machine drains, twice does no harm, and is then seen drained with all it has free.
    async fn drain_idle(&mut self, machine: &Machine) -> Result<(), Broken> {
        let slot = self.slot_that(machine, "idle", Slot::is_unclaimed).await?;
        ensure(!slot.draining, "the machine that was to be idle is draining")?;
        for again in ["drain of an idle machine", "drain of a draining machine"] {
            let drained = self.timed("drain", self.pool.drain(machine, "contract")).await;
            drained.map_err(|failure| broken(again, &failure))?;
        }
        let slot = self.slot_that(machine, "drained", Slot::is_drained).await?;
        ensure(slot.free.cores == slot.total.cores, "a drained slot has cores in use")
    }

    /// Three equal jobs are heard of in time and shown as one group that asks for what they ask for.
    async fn submit(&mut self) -> Result<Cluster, Broken> {
        // What happened before must not count as having heard of these.
        while timeout(LOOK_EVERY, self.pool.queue_changed()).await.is_ok() {}
        let jobs = SleepJobs::new(vec![SECONDS; 3], REQUEST);
        let heard = async {
            let heard = timeout(self.patience, self.pool.queue_changed()).await;
            heard.map(|()| Instant::now())
        };
        let begun = Instant::now();
        let submit = async {
            let cluster = self.pool.submit(&jobs).await;
            (cluster, Instant::now())
        };
        let (heard, (cluster, submitted)) = tokio::join!(heard, submit);
        self.timings.push(("submit", submitted - begun));
        let cluster = cluster.map_err(|failure| broken("submit", &failure))?;
        let heard = heard.map_err(|_| Broken("queue_changed heard nothing of a submission".to_owned()))?;
        self.timings.push(("queue_changed, from the call of submit", heard - begun));
        let late = heard.saturating_duration_since(submitted);
        ensure(late < HEARD_WITHIN, "queue_changed heard of a submission too late")?;
        self.wait("three idle jobs in one group", async |checks: &mut Self| {
            let demand = checks.timed("demand", checks.pool.demand()).await;
            let demand = demand.map_err(|failure| broken("demand", &failure))?;
            let shown = demand.iter().any(|shape| shape.request == REQUEST && shape.idle == 3);
            Ok(shown.then_some(()))
        })
        .await?;
        Ok(cluster)
    }

    /// A resumed machine takes jobs, and does not drain while it has any.
    async fn resume_and_run(&mut self, machine: &Machine, cluster: Cluster) -> Result<(), Broken> {
        let resumed = self.timed("resume", self.pool.resume(machine)).await;
        resumed.map_err(|failure| broken("resume", &failure))?;
        self.slot_that(machine, "resumed", |slot| !slot.draining).await?;
        self.wait("running jobs", async |checks: &mut Self| {
            let counts = checks.timed("jobs", checks.pool.jobs(cluster)).await;
            let counts = counts.map_err(|failure| broken("jobs", &failure))?;
            Ok((counts.running > 0).then_some(()))
        })
        .await?;
        let drained = self.timed("drain", self.pool.drain(machine, "contract")).await;
        expect(&drained, &FailureKind::Conflict, "drain of a busy machine")
    }

    /// The jobs come to their end, and the machine is as it was.
    async fn finish(&mut self, machine: &Machine, cluster: Cluster) -> Result<(), Broken> {
        self.wait("the end of the jobs", async |checks: &mut Self| {
            let counts = checks.timed("jobs", checks.pool.jobs(cluster)).await;
            let counts = counts.map_err(|failure| broken("jobs", &failure))?;
            Ok((counts == crate::JobCounts::default()).then_some(()))
        })
        .await?;
        let finished = self.timed("finished", self.pool.finished(cluster)).await;
        let finished = finished.map_err(|failure| broken("finished", &failure))?;
        ensure(finished == 3, "finished does not count the three jobs that have ended well")?;
        let removed = self.timed("remove", self.pool.remove(cluster)).await;
        removed.map_err(|failure| broken("remove of jobs that have ended", &failure))?;
        let demand = self.pool.demand().await.map_err(|failure| broken("demand", &failure))?;
        ensure(demand.iter().all(|shape| shape.request != REQUEST), "finished jobs are shown as demand")?;
        let slot = self.slot_that(machine, "idle again", Slot::is_unclaimed).await?;
        ensure(slot.job_starts >= 3, "a slot does not count the jobs it started")
    }

    /// Waits for a machine's slot to be as it should.
    async fn slot_that(
        &mut self,
        machine: &Machine,
        what: &str,
        good: impl Fn(&Slot) -> bool,
    ) -> Result<Slot, Broken> {
        self.wait(what, async |checks: &mut Self| {
            match checks.timed("slots", checks.pool.slots()).await {
                Ok(slots) => Ok(slots.into_iter().find(|slot| slot.machine == *machine && good(slot))),
                // A pool that has just come up says so; that passes.
                Err(Failure { kind: FailureKind::Transient { .. }, .. }) => Ok(None),
                Err(failure) => Err(broken("slots", &failure)),
            }
        })
        .await
    }

    /// Looks again and again until there is something.
    async fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Result<Option<T>, Broken>,
    ) -> Result<T, Broken> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(found) = look(self).await? {
                return Ok(found);
            }
            ensure(Instant::now() < deadline, &format!("waited in vain for: {what}"))?;
            sleep(LOOK_EVERY).await;
        }
    }

    async fn timed<T>(&mut self, name: &'static str, call: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let value = call.await;
        self.timings.push((name, begun.elapsed()));
        value
    }
}

fn ensure(kept: bool, promise: &str) -> Result<(), Broken> {
    if kept { Ok(()) } else { Err(Broken(promise.to_owned())) }
}

fn expect(result: &Result<(), Failure>, kind: &FailureKind, what: &str) -> Result<(), Broken> {
    match result {
        Err(failure) if failure.kind == *kind => Ok(()),
        other => Err(Broken(format!("{what}: expected {kind:?}, got {other:?}"))),
    }
}

fn broken(what: &str, failure: &Failure) -> Broken {
    Broken(format!("{what}: {failure} ({:?})", failure.kind))
}
