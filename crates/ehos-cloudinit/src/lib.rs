//! Renders what a server is told at boot (cloud-init user-data), proves that it parses and fits, and reads from the
//! console what became of it.
//!
//! Deliberately talks to nobody: the join token, the domains and the choice of flavor come from the caller.

mod cloud_config;
mod console;
mod engine;
mod error;
mod facts;
mod find;
mod kind;
mod legacy;
mod pack;
mod part;
mod probe;
mod recipe;
mod tags;
mod template;
mod values;

pub use console::{Boot, ImageMarks, read_console, read_image, tail};
pub use error::{Place, Problem, TemplateError};
pub use facts::{MasterFacts, NodeFacts, Secret};
pub use find::{BASE_YAML, EXECUTE_YAML, Found, MASTER_YAML, Origin, find_template};
pub use kind::Kind;
pub use pack::{NOVA_BASE64_LIMIT, fingerprint, pack};
pub use part::Part;
pub use probe::{Probe, ProbeMode, probe_part, read_probe};
pub use recipe::Recipe;
pub use template::Template;
