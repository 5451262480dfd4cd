//! Whole files through the public interface.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may end a test")]

mod bad;
mod documents;
mod files;
mod good;
mod secrets;
mod write_back;
mod write_back_any;
mod write_back_files;
