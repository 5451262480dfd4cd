//! The trait behind which a pool stands, and the words its methods use.
//!
//! Deliberately without any pool: the real one is `CondorPool`, the embedded one lives in `ehos-sim`.

use std::time::Duration;

use async_trait::async_trait;
use ehos_model::{Demand, Failure, Machine, NodeId, Resources, Slot};
use secrecy::SecretString;

/// Jobs to be put into the queue for a test: each sleeps for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SleepJobs {
    /// One job an entry: how many seconds it sleeps.
    pub seconds: Vec<u32>,
    /// What each asks for; zero leaves a resource to the pool's default.
    pub request: Resources,
    /// The node that is probed: the jobs run there and nowhere else, and say so (*job attribute `EhosProbe`*), since it
    /// takes no others.
    pub probe: Option<NodeId>,
}

impl SleepJobs {
    /// Jobs that may run anywhere.
    #[must_use]
    pub const fn new(seconds: Vec<u32>, request: Resources) -> Self {
        Self { seconds, request, probe: None }
    }
}

/// A set of jobs in the queue (*`ClusterId`*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cluster(pub u64);

/// How far a cluster's jobs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting (*`JobStatus` 1*).
    pub idle: u64,
    /// Running, or sending their output (*2, 6*).
    pub running: u64,
    /// Held or suspended (*5, 7*).
    pub held: u64,
}

/// The names that a node must share with the pool to be let in and to run jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domains {
    /// *`UID_DOMAIN`* of the manager.
    pub uid: String,
    /// *`TRUST_DOMAIN`* of the manager; tokens name it as their issuer.
    pub trust: String,
}

/// An HTCondor pool, seen from where its queue is.
#[async_trait]
pub trait Pool: Send + Sync {
    /// Counts the waiting jobs by what they ask for; one query, never a list of jobs.
    ///
    /// # Errors
    /// `Transient` where the schedd does not answer, `Auth` where it does not let us.
    async fn demand(&self) -> Result<Vec<Demand>, Failure>;

    /// Lists the pool's partitionable and static slots, ours and others'.
    ///
    /// # Errors
    /// `Transient` where the collector does not answer, and also where it has come up so lately that startds may
    /// not have told it of themselves yet.
    async fn slots(&self) -> Result<Vec<Slot>, Failure>;

    /// Tells an idle machine to take no more jobs; the startd itself checks that all its slots are unclaimed.
    ///
    /// Doing it twice does no harm.
    ///
    /// # Errors
    /// `Conflict` where a slot is claimed: nothing was done; also where somebody else drains it. `NotFound` where the
    /// collector does not know it.
    async fn drain(&self, machine: &Machine, reason: &str) -> Result<(), Failure>;

    /// Lets a draining machine take jobs again.
    ///
    /// # Errors
    /// `NotFound` where the collector does not know it. Where it is not draining, a pool may say `Conflict`; HTCondor
    /// does not complain.
    async fn resume(&self, machine: &Machine) -> Result<(), Failure>;

    /// Removes the ads of a machine whose server is gone, so that nothing is matched to it any more.
    ///
    /// # Errors
    /// `Auth` where we may not.
    async fn forget(&self, machine: &Machine) -> Result<(), Failure>;

    /// Gives the pool's domains.
    ///
    /// # Errors
    /// `Transient` or `Rejected` where HTCondor's configuration cannot be read.
    async fn domains(&self) -> Result<Domains, Failure>;

    /// Makes a token with which one node can join the pool and do nothing else.
    ///
    /// # Errors
    /// `Auth` where we may not ask for one.
    async fn join_token(&self, node: &NodeId, lifetime: Duration) -> Result<SecretString, Failure>;

    /// Puts test jobs into the queue.
    ///
    /// # Errors
    /// `Auth`, `Transient`, `Rejected` with the schedd's own words.
    async fn submit(&self, jobs: &SleepJobs) -> Result<Cluster, Failure>;

    /// Counts the jobs of a cluster that are still in the queue.
    ///
    /// # Errors
    /// `Transient` where the schedd does not answer.
    async fn jobs(&self, cluster: Cluster) -> Result<JobCounts, Failure>;

    /// Counts the jobs of a cluster that have ended by themselves with exit status 0, however long ago.
    ///
    /// # Errors
    /// `Transient` where the history cannot be asked.
    async fn finished(&self, cluster: Cluster) -> Result<u64, Failure>;

    /// Takes a cluster's jobs out of the queue; doing it twice does no harm.
    ///
    /// # Errors
    /// `Auth` where they are somebody else's, `Transient` where the schedd does not answer.
    async fn remove(&self, cluster: Cluster) -> Result<(), Failure>;

    /// Returns when something happened in the queue that is worth a look: a job was submitted, released, evicted.
    ///
    /// Waits for ever where the pool has no event log. Dropping it loses no event that comes later.
    async fn queue_changed(&self);
}
