//! What the whole-system tests share: the test bed, and `ehosd` running on its manager machine.
//!
//! Deliberately asserts nothing; that is for the tests.

mod bed;
mod daemon;
mod turn;

pub use bed::{Bed, JobCensus, wait_for};
pub use daemon::{Daemon, Settings};
pub use turn::Turn;
