//! Makes cloud accounts ready for a pool, and writes a first configuration of what clouds offer.
//!
//! Deliberately sells nothing and runs no daemon: nodes are ehosd's matter.

pub mod init;
pub mod prepare;
