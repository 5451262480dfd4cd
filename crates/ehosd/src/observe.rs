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

/// How long the tick waits for a cloud that answered the last time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for one that kept it waiting the last time.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// How old a late answer may be.
const STALE: Duration = Duration::from_mins(1);

type CloudAnswer = (Result<Vec<Server>, Failure>, Result<CloudOffer, Failure>);

/// Keeps what one look must know of the looks before it: since when something is unknown, who is slow.
#[derive(Default)]
pub(crate) struct Observer {
    unknown_since: BTreeMap<String, Timestamp>,
    late: BTreeMap<CloudName, Late>,
}

/// A question to a cloud that was asked before the look that will use its answer.
struct Late {
    asked: Timestamp,
    answer: JoinHandle<CloudAnswer>,
    /// How long the look may wait for it: it has waited already, or not at all.
    patience: Duration,
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
                // Nothing was done about this cloud since it was asked, so its answer is still true.
                Some(late) if !late.answer.is_finished() || ehos_model::elapsed(late.asked, at) < STALE => {
                    (late.asked, late.answer, late.patience)
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
                    self.late.insert(name.clone(), Late { asked: since, answer, patience: Duration::ZERO });
                    let failure = Failure::transient(format!("it has not answered for {seconds} s"));
                    (Err(failure.clone()), Err(failure))
                }
            };
            let view = CloudView {
                servers: self.observed(&format!("the servers of {name}"), since, servers),
                offer: self.observed(&format!("the offer of {name}"), since, offer),
                template: None,
            };
            views.insert(name, view);
        }
        log::debug!("observed in {} ms", began.elapsed().as_millis());
        Snapshot { at, seed, demand, slots, clouds: views }
    }

    /// Asks the clouds now for the next look, which comes soon and before anything else is done about them.
    pub(crate) fn ask_ahead(&mut self, clouds: &BTreeMap<CloudName, Arc<dyn Cloud>>) {
        let asked = Timestamp::now();
        for (name, cloud) in clouds {
            self.late.entry(name.clone()).or_insert_with(|| Late {
                asked,
                answer: ask(cloud),
                patience: PATIENCE,
            });
        }
    }

    /// Forgets the open questions.
    pub(crate) fn drop_questions(&mut self) {
        self.late.clear();
    }

    /// Turns an answer into a fact.
    fn observed<T>(&mut self, what: &str, at: Timestamp, answer: Result<T, Failure>) -> Observed<T> {
        match answer {
            Ok(value) => {
                self.unknown_since.remove(what);
                Observed::Seen { at, value }
            }
            Err(failure) => {
                let since = *self.unknown_since.entry(what.to_owned()).or_insert(at);
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
    use ehos_sim::{EmbeddedCloudSettings, Health, World, WorldSettings};

    /// A world of its own with two clouds.
    fn world() -> (World, Arc<dyn Pool>, Vec<Arc<dyn Cloud>>) {
        let world = World::new(WorldSettings::new(1));
        let cloud = |name: &str| -> Arc<dyn Cloud> {
            Arc::new(world.add_cloud(EmbeddedCloudSettings::new(name, "pool".into())))
        };
        let clouds = vec![cloud("quick"), cloud("silent")];
        let pool = Arc::new(world.pool());
        (world, pool, clouds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_has_just_come_up_is_unknown_and_not_empty() {
        let (world, pool, clouds) = world();
        world.faults().restart_collector(Duration::from_mins(1));
        let snapshot = Observer::default().look(&pool, &clouds, 1).await;
        assert!(snapshot.demand.seen().is_some(), "the queue is another daemon's");
        assert!(snapshot.slots.unknown().is_some(), "{:?}", snapshot.slots);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_cloud_is_unknown_and_is_waited_for_once() {
        let (world, pool, clouds) = world();
        world.faults().cloud_health(&"silent".into(), Health::Hanging);
        let mut observer = Observer::default();
        for (row, waited) in
            [("first", PATIENCE), ("the open question is not waited for again", Duration::ZERO)]
        {
            let began = Instant::now();
            let snapshot = observer.look(&pool, &clouds, 1).await;
            assert_eq!(began.elapsed().as_secs(), waited.as_secs(), "{row}");
            assert!(snapshot.clouds["quick"].servers.seen().is_some(), "{row}");
            assert!(snapshot.clouds["silent"].servers.unknown().is_some(), "{row}");
            assert!(snapshot.clouds["silent"].offer.unknown().is_some(), "{row}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_asked_ahead_is_answered_when_the_look_comes() {
        let (world, pool, clouds) = world();
        let mut observer = Observer::default();
        observer.ask_ahead(&clouds.iter().map(|cloud| (cloud.name().clone(), Arc::clone(cloud))).collect());
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.faults().cloud_health(&"silent".into(), Health::Hanging);
        let snapshot = observer.look(&pool, &clouds, 1).await;
        assert!(snapshot.clouds["silent"].servers.seen().is_some(), "it was asked before it fell silent");
        let snapshot = observer.look(&pool, &clouds, 1).await;
        assert!(snapshot.clouds["silent"].servers.seen().is_none(), "an answer is used once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_counts_when_it_comes_and_not_when_it_is_old() {
        for (after, waited) in [(15, 0), (90, 1)] {
            let (world, pool, clouds) = world();
            let mut observer = Observer::default();
            world.faults().cloud_health(&"silent".into(), Health::Hanging);
            let first = observer.look(&pool, &clouds, 1).await;
            assert!(first.clouds["silent"].servers.seen().is_none());
            world.faults().heal();
            tokio::time::sleep(Duration::from_secs(5)).await;
            let open = &observer.late["silent"];
            assert!(open.answer.is_finished(), "it has answered meanwhile");
            observer.late.get_mut("silent").unwrap().asked = Timestamp::now() - Duration::from_secs(after);
            let began = Instant::now();
            let second = observer.look(&pool, &clouds, 2).await;
            assert!(began.elapsed() <= Duration::from_secs(waited));
            let Observed::Seen { at, .. } = &second.clouds["silent"].servers else { panic!("{second:?}") };
            let age = ehos_model::elapsed(*at, second.at).as_secs();
            assert_eq!(age, if after < STALE.as_secs() { after } else { 0 }, "as old as the question");
        }
    }
}
