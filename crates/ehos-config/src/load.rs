//! Reads the files of a configuration, and says all that is wrong with them at once.
//!
//! Deliberately takes its surroundings as an argument, so that a test is not disturbed by the machine's.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::report::{Finding, Report};
use crate::source::{At, Source};
use crate::tree::{self, Node};
use crate::value::Value;
use crate::{Config, Problem, Problems, Severity, assemble, check, login};

/// The largest file that is read, in bytes.
pub(crate) const BYTES_MAX: u64 = 1 << 20;

/// What Windows puts before a text; it is no part of it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a configuration may take from around it.
#[derive(Clone, Default)]
pub struct Environment {
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The user's number, for the folder of the embedded world.
    pub uid: u32,
    /// Where temporary files go.
    pub temp_dir: PathBuf,
    /// Whether the pool may have no master yet: images are built, and masters made, before there is one.
    pub before_master: bool,
}

/// Shows no variables: `OS_PASSWORD` may be among them.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("uid", &self.uid)
            .field("temp_dir", &self.temp_dir)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Gives the surroundings of this process.
    #[must_use]
    pub fn current() -> Self {
        let variables = std::env::vars_os();
        let variables =
            variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let uid = std::fs::metadata("/proc/self").map_or(0, |data| data.uid());
        let temp_dir = std::env::temp_dir();
        Self { variables: variables.collect(), uid, temp_dir, before_master: false }
    }

    pub(crate) fn home(&self) -> Option<&Path> {
        self.variables.get("HOME").map(Path::new)
    }

    /// Lists where `clouds.yaml` or `secure.yaml` may be, the first one first.
    pub(crate) fn openstack_files(&self, name: &str) -> Vec<PathBuf> {
        let variable = if name == "secure.yaml" { "OS_CLIENT_SECURE_FILE" } else { "OS_CLIENT_CONFIG_FILE" };
        let named = self.variables.get(variable).map(PathBuf::from);
        let home = self.home().map(|home| home.join(".config/openstack").join(name));
        let fixed = [Some(PathBuf::from(name)), home, Some(Path::new("/etc/openstack").join(name))];
        named.into_iter().chain(fixed.into_iter().flatten()).collect()
    }
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its values.
    pub config: Config,
    /// What should be changed all the same.
    pub warnings: Vec<Problem>,
    /// All files that were read, to be watched for changes; password files and `clouds.yaml` included.
    pub files: Vec<PathBuf>,
}

/// Reads the files; later ones override earlier ones key by key.
///
/// # Errors
/// All problems of all files, at least one of them an error.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_with(paths, &Environment::current())
}

/// Reads the files as [`load`] does, for programs that work before there is a master: `condor.host_ip` may be missing.
///
/// # Errors
/// As [`load`].
pub fn load_before_master(paths: &[PathBuf]) -> Result<Loaded, Problems> {
    load_with(paths, &Environment { before_master: true, ..Environment::current() })
}

/// Reads the files as [`load`] does, in given surroundings.
///
/// # Errors
/// As [`load`].
pub fn load_with(paths: &[PathBuf], environment: &Environment) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    let mut document = Document::default();
    if paths.is_empty() {
        report.push(Finding::error(None, "no configuration file is given"));
    }
    let mut all_read = true;
    for path in paths {
        match read(path, &mut report) {
            Some((root, file)) => {
                let later = check::check(&root, file, environment.home(), &mut report);
                warn_if_open(path, &later, &mut report);
                document.override_with(later);
            }
            None => all_read = false,
        }
    }
    let mut files = paths.to_vec();
    // With a file missing, half of the rest would be reported as missing, too.
    let config = if all_read {
        files.extend(login::complete(&mut document, environment, &mut report));
        assemble::assemble(document, environment, &mut report)
    } else {
        None
    };
    let has_errors = report.has_errors();
    let problems = report.problems();
    match config {
        Some(config) if !has_errors => Ok(Loaded { config, warnings: problems, files }),
        _ if has_errors => Err(Problems(problems)),
        _ => {
            let title =
                "this configuration cannot be used, and nobody knows why; please report it".to_owned();
            Err(Problems(vec![Problem {
                severity: Severity::Error,
                title,
                place: None,
                other: None,
                help: vec![],
            }]))
        }
    }
}

/// Reads one file into a tree and gives its number; what is wrong goes to the report.
pub(crate) fn read(path: &Path, report: &mut Report) -> Option<(Node, usize)> {
    let bytes = match open(path) {
        Ok((bytes, _)) => bytes,
        Err(error) => {
            let finding = Finding::error(None, format!("{} cannot be read: {error}", path.display()));
            let help = "is the path right? etc/ehos.yaml.example is a file to start from";
            report.push(if path.exists() { finding } else { finding.help(help) });
            return None;
        }
    };
    parse(path, &bytes, report)
}

/// Reads the bytes of a file as [`read`] does.
pub(crate) fn parse(path: &Path, bytes: &[u8], report: &mut Report) -> Option<(Node, usize)> {
    let file = report.sources.len();
    let at = |at: usize| Some(At { file, range: at..at + 1 });
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let not_utf8 =
        std::str::from_utf8(bytes).err().map(|error| (error.valid_up_to(), "not UTF-8 from here on"));
    let zero = bytes.iter().position(|byte| *byte == 0).map(|zero| (zero, "a zero byte, as in no text"));
    let broken = not_utf8.into_iter().chain(zero).min_by_key(|(offset, _)| *offset);
    let text = String::from_utf8_lossy(bytes).into_owned();
    report.sources.push(Source { path: path.to_owned(), text, masks: Vec::new(), understood: false });
    if let Some((offset, label)) = broken {
        let finding = Finding::error(at(offset), "this is no text file")
            .label(label)
            .help("a configuration is YAML in UTF-8");
        report.push(finding);
        return None;
    }
    let text = report.sources.get(file).map(|source| source.text.clone()).unwrap_or_default();
    let (root, faults) = tree::parse(&text);
    if let (Some(source), Some(_)) = (report.sources.get_mut(file), &root) {
        source.understood = true;
    }
    for fault in faults {
        if let Some(range) = fault.dropped {
            report.hide(&At { file, range });
        }
        let other = fault.other.map(|range| At { file, range });
        let mut finding = Finding::error(Some(At { file, range: fault.range }), fault.title)
            .label(fault.label)
            .other(other, "first here");
        finding.help = fault.help;
        report.push(finding);
    }
    root.map(|root| (root, file))
}

/// Gives a file's bytes, and whether everybody may read it.
pub(crate) fn open(path: &Path) -> Result<(Vec<u8>, bool), String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let data = file.metadata().map_err(|error| error.to_string())?;
    if data.is_dir() {
        return Err("it is a folder".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err("it is larger than 1 MiB, too large for a configuration".to_owned());
    }
    Ok((bytes, data.permissions().mode() & 0o004 != 0))
}

fn warn_if_open(path: &Path, document: &Document, report: &mut Report) {
    let mut secrets = document.values.values().filter(|setting| matches!(setting.value, Value::Secret(_)));
    let is_open = || std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0);
    if let Some(secret) = secrets.next()
        && is_open()
    {
        let finding = Finding::warning(secret.at.clone(), "everybody on this machine can read this secret")
            .label("the file is world-readable")
            .help(format!("chmod o-r {}; or put the secrets into a file of their own", path.display()));
        report.push(finding);
    }
}
