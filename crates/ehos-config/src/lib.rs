//! Turns the operator's files into valid values, with errors that point at file, line and column; writes single values
//! back into them.
//!
//! Deliberately connects to nothing: whether a flavor or an image exists is for the cloud to say.

mod assemble;
mod changes;
mod check;
mod document;
mod embedded;
mod find;
mod keys;
mod load;
mod login;
mod problem;
mod reference;
mod report;
mod settings;
mod source;
mod tree;
mod units;
mod value;
mod write_back;

pub use changes::{Change, changes};
pub use find::{NotFound, find, find_in};
pub use load::{Environment, Loaded, load, load_before_master, load_with};
pub use problem::{Place, Problem, Problems, Severity};
pub use reference::{example_yaml, reference_markdown};
pub use settings::{
    Authentication, Backend, CloudSettings, CondorSettings, Config, DaemonSettings, EmbeddedFlavor,
    EmbeddedSettings, LoadItem,
};
pub use write_back::{Edit, NewValue, WriteBackError, Written, can_write_back, write_back};
