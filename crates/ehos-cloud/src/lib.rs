//! Asks and commands a cloud: what it offers, which servers are ours, one more, one less; makes images in it;
//! makes its account ready.
//!
//! Deliberately decides nothing: which server is bought or given back, and when to try again, is for the planner.

mod cloud;
#[cfg(feature = "contract")]
pub mod contract;
pub mod images;
mod openstack;
pub mod prepare;

pub use cloud::{Cloud, ServerOrder};
pub use images::{Image, ImageStatus, Images, Properties};
pub use openstack::{Finding, OpenStackCloud};
pub use prepare::{Prepare, Resource, ResourceKind};
