//! Renders what a server is told at boot (cloud-init user-data), and proves that it parses and fits.
//!
//! Deliberately talks to nobody: the join token, the domains and the choice of flavor come from the caller.

mod cloud_config;
mod error;
mod facts;
mod find;
mod tags;
mod template;

pub use cloud_config::NOVA_BASE64_LIMIT;
pub use error::{Place, Problem, TemplateError};
pub use facts::NodeFacts;
pub use find::{EXECUTE_YAML, Found, Origin, find_template};
pub use template::Template;
