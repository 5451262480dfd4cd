//! The planner in a small model world: what never happens, what always does in the end, and told stories.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken rule is a panic")]

mod liveness;
mod safety;
mod scenarios;
mod world;
