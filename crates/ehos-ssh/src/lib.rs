//! Carries files and commands to a machine over SSH, its host key pinned.
//!
//! Deliberately knows nothing of EHOS: what is carried, and what is run there, is the caller's.

mod auth;
mod command;
mod connect;
mod console;
mod error;
mod host_key;
mod known_hosts;
mod pump;
mod session;
mod target;
mod upload;

pub use auth::Identity;
pub use command::{Command, Exit, Output};
pub use connect::{HostKeys, Timeouts};
pub use console::host_keys_in_console;
pub use error::{ChangedHostKey, SshError};
pub use host_key::{HostKey, HostKeyKind, NotAHostKey};
pub use session::{Line, Session};
pub use target::{NotATarget, Target};
pub use upload::{Upload, Uploaded};
