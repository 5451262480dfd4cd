//! Asks the pool and every cloud at once and puts their answers into one snapshot.
//!
//! Deliberately cannot fail: what did not answer in time is unknown, with the reason, and never empty.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ehos_cloud::Cloud;
use ehos_condor::Pool;
use ehos_model::{
    CloudName, CloudOffer, CloudView, Demand, Failure, Observed, Server, Slot, Snapshot, Timestamp,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::logging::DECISION;

/// How long the tick waits for a cloud that answered the last time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for one that kept it waiting the last time.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// How old a late answer may be.
const STALE: Duration = Duration::from_secs(60);

type CloudAnswer = (Result<Vec<Server>, Failure>, Result<CloudOffer, Failure>);

/// Keeps what one look must know of the looks before it: since when something is unknown, who is slow.
#[derive(Default)]
pub(crate) struct Observer {
    unknown_since: BTreeMap<String, Timestamp>,
    late: BTreeMap<CloudName, Late>,
}

/// A question to a cloud that was still open when the tick went on without it.
struct Late {
    asked: Timestamp,
    answer: JoinHandle<CloudAnswer>,
}

impl Observer {
    /// Looks at everything once.
    pub(crate) async fn look(
        &mut self,
        pool: &Arc<dyn Pool>,
        clouds: &[Arc<dyn Cloud>],
        seed: u64,
    ) -> Snapshot {
        let at = Timestamp::now();
        let began = Instant::now();
        let mut asked = Vec::new();
        for cloud in clouds {
            let name = cloud.name().clone();
            let (asked_at, answer, patience) = match self.late.remove(&name) {
                // Nothing was done about this cloud since it was asked, so a late answer is still true.
                Some(late) if !late.answer.is_finished() || ehos_model::elapsed(late.asked, at) < STALE => {
                    (late.asked, late.answer, Duration::ZERO)
                }
                Some(_) => (at, ask(cloud), SHORT_PATIENCE),
                None => (at, ask(cloud), PATIENCE),
            };
            asked.push((name, asked_at, answer, began + patience));
        }
        let (demand, slots) = tokio::join!(pool.demand(), pool.slots());
        let demand: Observed<Vec<Demand>> = self.observed("the queue", at, demand);
        let slots: Observed<Vec<Slot>> = self.observed("the slots", at, slots);
        let mut views = BTreeMap::new();
        for (name, since, mut answer, until) in asked {
            let (servers, offer) = match timeout_at(until, &mut answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_panicked_or_cancelled)) => {
                    let failure = Failure::transient("asking it ended early; this is a fault in ehosd");
                    (Err(failure.clone()), Err(failure))
                }
                Err(_still_waiting) => {
                    let seconds = ehos_model::elapsed(since, Timestamp::now()).as_secs();
                    self.late.insert(name.clone(), Late { asked: since, answer });
                    let failure = Failure::transient(format!("it has not answered for {seconds} s"));
                    (Err(failure.clone()), Err(failure))
                }
            };
            let view = CloudView {
                servers: self.observed(&format!("the servers of {name}"), since, servers),
                offer: self.observed(&format!("the offer of {name}"), since, offer),
            };
            views.insert(name, view);
        }
        log::debug!("observed in {} ms", began.elapsed().as_millis());
        Snapshot { at, seed, demand, slots, clouds: views }
    }

    /// Turns an answer into a fact, and says once when it is lost and when it is back.
    fn observed<T>(&mut self, what: &str, at: Timestamp, answer: Result<T, Failure>) -> Observed<T> {
        match answer {
            Ok(value) => {
                if self.unknown_since.remove(what).is_some() {
                    log::info!(target: DECISION, "{what} can be seen again");
                }
                Observed::Seen { at, value }
            }
            Err(failure) => {
                let since = *self.unknown_since.entry(what.to_owned()).or_insert_with(|| {
                    log::warn!("{what} cannot be seen, so nothing is done about it: {failure}");
                    at
                });
                Observed::Unknown { since, why: failure.message }
            }
        }
    }
}

fn ask(cloud: &Arc<dyn Cloud>) -> JoinHandle<CloudAnswer> {
    let cloud = Arc::clone(cloud);
    tokio::spawn(async move { join(cloud.servers(), cloud.offer()).await })
}

async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    tokio::join!(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use ehos_cloud::ServerOrder;
    use ehos_condor::{Cluster, JobCounts, SleepJobs};
    use ehos_model::{Machine, NodeId, Quota, ServerId};
    use secrecy::SecretString;

    /// A pool whose slots cannot be seen.
    struct HalfBlind;

    #[async_trait]
    impl Pool for HalfBlind {
        async fn demand(&self) -> Result<Vec<Demand>, Failure> {
            Ok(Vec::new())
        }
        async fn slots(&self) -> Result<Vec<Slot>, Failure> {
            Err(Failure::transient("the collector came up 3 s ago"))
        }
        async fn drain(&self, _: &Machine, _: &str) -> Result<(), Failure> {
            Ok(())
        }
        async fn resume(&self, _: &Machine) -> Result<(), Failure> {
            Ok(())
        }
        async fn forget(&self, _: &Machine) -> Result<(), Failure> {
            Ok(())
        }
        async fn join_token(&self, _: &NodeId, _: Duration) -> Result<SecretString, Failure> {
            Ok(SecretString::default())
        }
        async fn submit(&self, _: &SleepJobs) -> Result<Cluster, Failure> {
            Ok(Cluster(1))
        }
        async fn jobs(&self, _: Cluster) -> Result<JobCounts, Failure> {
            Ok(JobCounts::default())
        }
        async fn queue_changed(&self) {}
    }

    /// A cloud that takes its time.
    struct Slow(CloudName, Duration);

    #[async_trait]
    impl Cloud for Slow {
        fn name(&self) -> &CloudName {
            &self.0
        }
        async fn servers(&self) -> Result<Vec<Server>, Failure> {
            tokio::time::sleep(self.1).await;
            Ok(Vec::new())
        }
        async fn offer(&self) -> Result<CloudOffer, Failure> {
            let quota = Quota::default();
            Ok(CloudOffer { cloud: self.0.clone(), flavors: Vec::new(), image: None, quota })
        }
        async fn create(&self, _: &ServerOrder) -> Result<ServerId, Failure> {
            Err(Failure::rejected("not here"))
        }
        async fn delete(&self, _: &ServerId) -> Result<(), Failure> {
            Ok(())
        }
        async fn console(&self, _: &ServerId, _: u32) -> Result<String, Failure> {
            Ok(String::new())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_cloud_is_unknown_and_costs_the_others_little() {
        let pool: Arc<dyn Pool> = Arc::new(HalfBlind);
        let clouds: Vec<Arc<dyn Cloud>> = vec![
            Arc::new(Slow("quick".into(), Duration::ZERO)),
            Arc::new(Slow("silent".into(), Duration::from_secs(3600))),
        ];
        let mut observer = Observer::default();

        let first = observer.look(&pool, &clouds, 1).await;
        assert!(first.clouds["quick"].servers.seen().is_some());
        assert!(first.clouds["silent"].servers.seen().is_none());
        assert!(first.demand.seen().is_some());
        assert_eq!(first.slots.unknown(), Some("the collector came up 3 s ago"), "unknown, not empty");

        let began = Instant::now();
        let second = observer.look(&pool, &clouds, 2).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "the open question is not waited for again");
        assert!(second.clouds["quick"].servers.seen().is_some());
        assert!(second.clouds["silent"].servers.seen().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_counts_when_it_comes() {
        let pool: Arc<dyn Pool> = Arc::new(HalfBlind);
        let clouds: Vec<Arc<dyn Cloud>> = vec![Arc::new(Slow("late".into(), Duration::from_secs(15)))];
        let mut observer = Observer::default();
        let first = observer.look(&pool, &clouds, 1).await;
        assert!(first.clouds["late"].servers.seen().is_none(), "not after 10 s");
        tokio::time::advance(Duration::from_secs(6)).await;
        tokio::task::yield_now().await;
        let second = observer.look(&pool, &clouds, 2).await;
        assert!(second.clouds["late"].servers.seen().is_some(), "the answer to the first question");
    }
}
