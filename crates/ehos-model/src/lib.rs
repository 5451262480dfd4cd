//! The words of EHOS: names, units, facts about pool and clouds, and the operator's policy.
//!
//! Deliberately without I/O, clock or randomness: every type here is a value that was observed, validated or
//! decided elsewhere.

mod access;
mod demand;
mod failure;
mod folders;
mod names;
mod observed;
mod offer;
mod policy;
mod resources;
mod server;
mod slot;
mod snapshot;

pub use access::{CloudAccess, Domain, FloatingIp, Interface, Login, ServerSettings};
pub use demand::{Autocluster, Demand};
pub use failure::{Failure, FailureKind};
pub use folders::folders;
pub use names::{CloudName, FlavorName, ImageId, Machine, NodeId, PoolId, ServerId};
pub use observed::Observed;
pub use offer::{Allowance, CloudOffer, Flavor, Quota};
pub use policy::{
    CloudPolicy, NodeAllocation, NodeLimits, NodeLimitsError, Policy, PolicyDraft, PolicyError, Reserve,
};
pub use resources::{Mebibytes, Resources};
pub use server::{Role, Server, ServerStatus};
pub use slot::{Activity, Slot, SlotKind, SlotState};
pub use snapshot::{CloudView, Snapshot};

pub use jiff::Timestamp;

/// Returns how long before `at` the moment `since` was; zero where `since` lies in the future.
///
/// Clocks of different machines differ, so a moment read from an ad may lie a little ahead.
#[must_use]
pub fn elapsed(since: Timestamp, at: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(at.duration_since(since)).unwrap_or_default()
}
