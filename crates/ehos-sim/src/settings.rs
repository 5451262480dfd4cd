//! How fast the embedded world is, and how often it fails.
//!
//! Deliberately plain data: keys of the configuration file are read and checked elsewhere.

use std::ops::RangeInclusive;
use std::time::Duration;

use ehos_model::{CloudName, Flavor, FlavorName, ImageId, Mebibytes, PoolId, Quota, Resources, Timestamp};

/// What holds for the whole world and its pool.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldSettings {
    /// The world's dice; equal seeds and equal calls at equal times give equal worlds.
    pub seed: u64,
    /// What the calendar says when the world begins.
    pub epoch: Timestamp,
    /// How long each call to a cloud or the pool takes.
    pub call_time: Duration,
    /// Time between two rounds of the negotiator.
    pub negotiation: Duration,
    /// How far the collector lags behind a startd's change of state.
    pub ad_lag: Duration,
    /// How often a startd tells of itself even if nothing changes (*`UPDATE_INTERVAL`*).
    pub ad_interval: Duration,
    /// How long the collector keeps the ad of a startd that has fallen silent.
    pub ad_lifetime: Duration,
    /// How long a job reads as running after its machine has vanished; then it waits again.
    pub job_lease: Duration,
}

impl WorldSettings {
    /// A world that begins now and is quick enough to watch.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            epoch: Timestamp::now(),
            call_time: Duration::ZERO,
            negotiation: Duration::from_secs(2),
            ad_lag: Duration::from_secs(1),
            ad_interval: Duration::from_secs(20),
            ad_lifetime: Duration::from_mins(15),
            job_lease: Duration::from_mins(2),
        }
    }
}

/// One embedded cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedCloudSettings {
    /// The operator's name for it.
    pub name: CloudName,
    /// Whose servers are ours.
    pub pool: PoolId,
    /// What the cloud sells.
    pub flavors: Vec<Flavor>,
    /// Which of them are configured, in the order of preference; unknown names are left out of the offer.
    pub configured: Vec<FlavorName>,
    /// The image that nodes boot from unless another is ordered.
    pub image: ImageId,
    /// From the accepted create call to ACTIVE.
    pub boot_time: RangeInclusive<Duration>,
    /// From ACTIVE to the startd in the collector.
    pub join_time: RangeInclusive<Duration>,
    /// From the accepted delete call to gone.
    pub delete_time: Duration,
    /// The project's quota; `used` is what others use of it.
    pub quota: Quota,
    /// The share of creates that are accepted and end in ERROR, 0 to 1.
    pub failure_rate: f64,
}

impl EmbeddedCloudSettings {
    /// A cloud without limits that sells [`default_flavors`], with all of them configured.
    #[must_use]
    pub fn new(name: impl Into<CloudName>, pool: PoolId) -> Self {
        let flavors = default_flavors();
        Self {
            name: name.into(),
            pool,
            configured: flavors.iter().map(|flavor| flavor.name.clone()).collect(),
            flavors,
            image: ImageId::new("embedded"),
            boot_time: Duration::from_secs(4)..=Duration::from_secs(8),
            join_time: Duration::from_secs(2)..=Duration::from_secs(2),
            delete_time: Duration::from_secs(1),
            quota: Quota::default(),
            failure_rate: 0.0,
        }
    }
}

/// Gives the flavors that a new OpenStack is commonly set up with, `m1.small` to `m1.xlarge`.
#[must_use]
pub fn default_flavors() -> Vec<Flavor> {
    [("m1.small", 1, 2, 20), ("m1.medium", 2, 4, 40), ("m1.large", 4, 8, 80), ("m1.xlarge", 8, 16, 160)]
        .map(|(name, cores, memory, disk)| Flavor {
            name: name.into(),
            size: Resources {
                cores,
                memory: Mebibytes::from_gibibytes(memory),
                disk: Mebibytes::from_gibibytes(disk),
                gpus: 0,
            },
        })
        .into()
}
