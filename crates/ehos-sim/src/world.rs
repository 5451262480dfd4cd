//! The world: one table behind a lock, brought up to date at every call.
//!
//! Deliberately without a task of its own: what happened since the last call is computed when somebody looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ehos_model::{CloudName, Failure, PoolId, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cloud::EmbeddedCloud;
use crate::faults::{Faults, Health};
use crate::pool::EmbeddedPool;
use crate::settings::{EmbeddedCloudSettings, WorldSettings};
use crate::state::State;
use crate::stats::{NodeView, Stats};

/// An embedded world: clouds, a pool, and the time in which they live. Clones are the same world.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    began: Instant,
    state: Mutex<State>,
    queue_changed: Notify,
    health_changed: Notify,
}

impl World {
    /// Begins a world without clouds, machines and jobs.
    #[must_use]
    pub fn new(settings: WorldSettings) -> Self {
        Self {
            shared: Arc::new(Shared {
                began: Instant::now(),
                state: Mutex::new(State::new(settings)),
                queue_changed: Notify::new(),
                health_changed: Notify::new(),
            }),
        }
    }

    /// Adds a cloud; one of the same name is replaced in its settings and keeps its servers.
    pub fn add_cloud(&self, settings: EmbeddedCloudSettings) -> EmbeddedCloud {
        let (name, pool) = (settings.name.clone(), settings.pool.clone());
        self.state().add_cloud(settings);
        EmbeddedCloud::new(self.clone(), name, pool)
    }

    /// Finds a cloud by its name.
    #[must_use]
    pub fn cloud(&self, name: &CloudName) -> Option<EmbeddedCloud> {
        let pool = self.state().clouds.get(name)?.settings.pool.clone();
        Some(EmbeddedCloud::new(self.clone(), name.clone(), pool))
    }

    /// Gives the pool.
    #[must_use]
    pub fn pool(&self) -> EmbeddedPool {
        EmbeddedPool::new(self.clone())
    }

    /// Gives the means to make trouble.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(self.clone())
    }

    /// Counts all there is.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.state().stats()
    }

    /// Lists the pool's servers and what runs on them, oldest first.
    #[must_use]
    pub fn nodes(&self, pool: &PoolId) -> Vec<NodeView> {
        self.state().node_views(pool)
    }

    /// Tells the time of the world.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let state = self.state();
        state.timestamp(state.now)
    }

    /// Locks the table, as it is at this moment.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another thread leaves the table usable: every change of it is made in one go.
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.shared.began.elapsed());
        state
    }

    /// Takes the time that a call takes, and fails or hangs where its other side is made to.
    pub(crate) async fn call(&self, health: impl Fn(&State) -> Health) -> Result<(), Failure> {
        let call_time = self.state().settings.call_time;
        if call_time > Duration::ZERO {
            tokio::time::sleep(call_time).await;
        }
        loop {
            let changed = self.shared.health_changed.notified();
            match health(&self.state()) {
                Health::Well => return Ok(()),
                Health::Unreachable(why) => return Err(Failure::transient(why)),
                Health::Hanging => {}
            }
            changed.await;
        }
    }

    pub(crate) fn tell_health_changed(&self) {
        self.shared.health_changed.notify_waiters();
    }

    pub(crate) fn tell_queue_changed(&self) {
        // A permit is kept for whoever asks next, so that nothing is missed between two waits.
        self.shared.queue_changed.notify_one();
    }

    pub(crate) async fn queue_changed(&self) {
        self.shared.queue_changed.notified().await;
    }
}
