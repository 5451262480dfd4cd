//! Placeholder until the daemon lands in the next commits.
fn main() {}
