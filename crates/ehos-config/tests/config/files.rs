//! Files in a folder of their own, and what loading them gives.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ehos_config::{Environment, Loaded, Problems, load_with};

/// A configuration that is right.
pub(crate) const GOOD: &str = "\
clouds:
  bergen:
    auth_url: https://keystone.example.org:5000/v3
    username: alice
    password: hunter2-and-more
    project_name: research
    region_name: RegionOne
ehos:
  flavor: m1.medium
ehos_daemon:
  nodes_max: 6
condor:
  host_ip: 192.0.2.10
";

pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) environment: Environment,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment {
            before_master: false,
            variables: [("HOME".to_owned(), folder.path().display().to_string())].into(),
            uid: 1000,
            temp_dir: folder.path().join("tmp"),
        };
        Self { folder, environment }
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn load(&self, paths: &[PathBuf]) -> Result<Loaded, Problems> {
        load_with(paths, &self.environment)
    }

    /// Renders what is wrong or warned of, with bare file names.
    pub(crate) fn told(&self, paths: &[PathBuf]) -> String {
        let told = match self.load(paths) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"),
            Err(problems) => problems.to_string(),
        };
        told.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

pub(crate) fn load(text: &str) -> Result<Loaded, Problems> {
    let files = Files::new();
    let path = files.write("ehos.yaml", text);
    files.load(&[path])
}

pub(crate) fn told(bytes: impl AsRef<[u8]>) -> String {
    let files = Files::new();
    let path = files.write("ehos.yaml", bytes);
    files.told(&[path])
}
