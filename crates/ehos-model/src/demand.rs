//! What the queue asks for, by groups of equal jobs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Resources, Timestamp};

/// A group of jobs that ask for the same: the name of a job shape, stable from look to look.
///
/// HTCondor numbers the groups of each answer anew, so this is made from what the jobs ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Autocluster(pub u64);

impl Autocluster {
    /// Derives the name of the shape from what its jobs ask for (FNV-1a, 64 bits).
    #[must_use]
    pub fn of(request: &Resources, requirements: Option<&str>) -> Self {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        eat(&request.cores.to_le_bytes());
        eat(&request.memory.0.to_le_bytes());
        eat(&request.disk.0.to_le_bytes());
        eat(&request.gpus.to_le_bytes());
        eat(requirements.unwrap_or_default().as_bytes());
        Self(hash)
    }
}

impl fmt::Display for Autocluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Idle jobs of one shape.
///
/// Only vanilla jobs (universe 5) that wait (status 1) are demand: held, scheduler and local jobs need no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The shape's name.
    pub autocluster: Autocluster,
    /// What one job asks for (*job ad `RequestCpus`, `RequestMemory`, `RequestDisk`, `RequestGPUs`*, evaluated).
    pub request: Resources,
    /// The jobs' own condition on the machine (*job ad `Requirements`*), as the schedd printed it.
    pub requirements: Option<Arc<str>>,
    /// Jobs of this shape that wait.
    pub idle: u64,
    /// Since when the longest-waiting of them waits, where that is known.
    pub oldest_idle: Option<Timestamp>,
}
