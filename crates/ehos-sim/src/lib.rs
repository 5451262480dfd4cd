//! A world to try EHOS in: embedded clouds and an embedded pool behind the same two traits as the real ones.
//!
//! Deliberately buys nothing, runs no program and knows nothing of what the scaler thinks: jobs sleep, servers are
//! entries in a table, and time is tokio's, so that tests may let it fly.

mod cloud;
pub mod drive;
mod faults;
mod images;
mod pool;
mod prepare;
mod queue;
mod remote;
mod servers;
mod settings;
mod socket;
mod startds;
mod state;
mod stats;
mod world;

pub use cloud::EmbeddedCloud;
pub use faults::{Faults, Health};
pub use pool::EmbeddedPool;
pub use remote::{RemotePool, SOCKET};
pub use settings::{EmbeddedCloudSettings, WorldSettings, default_flavors};
pub use socket::{Served, serve};
pub use stats::{NodeView, StartdView, Stats};
pub use world::World;
