//! Everything against a real sshd, and against what only looks like one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic as the tests do")]
#![expect(clippy::print_stderr, reason = "what is skipped is said")]

mod bed;
mod commands;
mod login;
mod uploads;
