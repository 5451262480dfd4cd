//! Reads the files of a configuration, and says all that is wrong with them at once.
//!
//! Deliberately asks for its surroundings as an argument, so that tests are not disturbed by the machine's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{Config, Problem, Problems, Severity};

/// What a configuration may take from around it.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The user's number, for the folder of the embedded world.
    pub uid: u32,
    /// Where temporary files go.
    pub temp_dir: PathBuf,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its values.
    pub config: Config,
    /// What should be changed all the same.
    pub warnings: Vec<Problem>,
    /// All files that were read, to be watched for changes; secrets' own files and `clouds.yaml` included.
    pub files: Vec<PathBuf>,
}

/// Reads the files; later ones override earlier ones key by key.
///
/// # Errors
/// All problems of all files, at least one of them an error.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_with(paths, &Environment { variables: BTreeMap::new(), uid: 0, temp_dir: PathBuf::new() })
}

/// Reads the files as [`load`] does, in given surroundings.
///
/// # Errors
/// As [`load`].
pub fn load_with(_paths: &[PathBuf], _environment: &Environment) -> Result<Loaded, Problems> {
    Err(Problems(vec![Problem {
        severity: Severity::Error,
        title: "this version cannot read configurations yet".to_owned(),
        place: None,
        other: None,
        help: vec![],
    }]))
}
