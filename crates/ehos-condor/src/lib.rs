//! Asks and commands an HTCondor pool: what waits, which slots there are, drain, resume, submit.
//!
//! Deliberately decides nothing: which node is drained, and when, is for the planner.

mod cell;
mod condor;
#[cfg(feature = "contract")]
pub mod contract;
mod drain;
mod event_log;
mod pool;
mod queue;
mod slots;
mod tools;

pub use condor::{CondorPool, CondorSettings};
pub use pool::{Cluster, Domains, JobCounts, Pool, SleepJobs};
