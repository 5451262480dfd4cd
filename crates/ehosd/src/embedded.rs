//! The embedded world as a configuration describes it: its clouds, its queue's socket, and the load it brings along.
//!
//! Deliberately only translates; how the world behaves is for `ehos-sim`.

use std::sync::Arc;

use ehos_condor::{Pool as _, SleepJobs};
use ehos_config::{CloudSettings, Config, EmbeddedSettings, LoadItem};
use ehos_model::{Allowance, Flavor, PoolId, Quota};
use ehos_sim::{EmbeddedCloudSettings, SOCKET, Served, World, WorldSettings};
use tokio::task::JoinHandle;

use crate::state::StateDir;

/// Begins a world.
pub(crate) fn world() -> World {
    World::new(WorldSettings::new(fastrand::u64(..)))
}

/// Describes one of its clouds.
pub(crate) fn cloud(
    settings: &CloudSettings,
    embedded: &EmbeddedSettings,
    pool: &PoolId,
) -> EmbeddedCloudSettings {
    let flavors = embedded.flavors.iter();
    let allowance = |max: Option<u64>| Allowance { max, used: 0 };
    let defaults = EmbeddedCloudSettings::new(settings.name.clone(), pool.clone());
    EmbeddedCloudSettings {
        image: settings.servers.image.as_deref().map_or(defaults.image, Into::into),
        flavors: flavors
            .map(|flavor| Flavor { name: flavor.name.as_str().into(), size: flavor.size })
            .collect(),
        configured: settings.servers.flavors.iter().map(|name| name.as_str().into()).collect(),
        boot_time: embedded.boot_time.clone(),
        join_time: embedded.join_time.clone(),
        quota: Quota {
            instances: allowance(embedded.quota_instances),
            cores: allowance(embedded.quota_cores),
            memory: allowance(embedded.quota_memory.map(|gibibytes| gibibytes.saturating_mul(1024))),
        },
        failure_rate: embedded.failure_rate,
        ..defaults
    }
}

/// What lives beside the ticks and ends with them.
pub(crate) struct Beside {
    _socket: Served,
    load: Vec<JoinHandle<()>>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        for item in &self.load {
            item.abort();
        }
    }
}

/// Opens the queue to other programs and submits the load of the configuration.
///
/// # Errors
/// Where the socket cannot be made.
pub(crate) async fn serve(world: &World, config: &Config, state: &StateDir) -> anyhow::Result<Beside> {
    let socket = ehos_sim::serve(Arc::new(world.pool()), &state.file(SOCKET)).await?;
    let load = config.load.iter().cloned().map(|item| tokio::spawn(submit(world.clone(), item))).collect();
    Ok(Beside { _socket: socket, load })
}

async fn submit(world: World, item: LoadItem) {
    tokio::time::sleep(item.at).await;
    let seconds = (0..item.jobs).map(|_| fastrand::u32(item.seconds.clone())).collect();
    if let Err(failure) = world.pool().submit(&SleepJobs::new(seconds, item.request)).await {
        log::warn!("the load of the configuration was not submitted: {failure}");
    }
}
