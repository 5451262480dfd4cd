//! Whole files through the public interface.

mod bad;
mod documents;
mod files;
mod good;
mod secrets;
