//! What is carried to the master: programs, configuration with all that it names, templates, and the unit.
//!
//! Deliberately reads everything before anything is sent: a file that is missing here is told before the master changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use ehos_cloudinit::{Kind, Origin, find_template};
use secrecy::SecretSlice;

/// The programs, the daemon first: it alone must be there.
pub(crate) const PROGRAMS: [&str; 4] = ["ehosd", "ehos_sleep_jobs", "ehos_build_images", "ehosd_deploy"];

/// Where programs go.
const BIN: &str = "/usr/local/bin";
/// Where the configuration goes.
pub(crate) const ETC: &str = "/etc/ehos";
/// Where the unit goes.
pub(crate) const UNIT: &str = "/etc/systemd/system/ehos.service";

/// The unit as shipped.
const SHIPPED_UNIT: &str = include_str!("../../../share/ehos.service");

/// Who may read a file on the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Everybody; it is root's.
    Everybody,
    /// The daemon alone.
    Ehos,
}

/// A file on its way.
pub(crate) struct Carried {
    /// Where it goes.
    pub(crate) to: String,
    /// What is in it.
    pub(crate) bytes: SecretSlice<u8>,
    /// Who may read it.
    pub(crate) reader: Reader,
    /// Whether it is run.
    pub(crate) runs: bool,
}

/// How the programs get there.
pub(crate) enum Programs {
    /// One by one.
    Single(Vec<Carried>),
    /// As a package, by its name and content.
    Package { name: String, bytes: SecretSlice<u8> },
}

/// All that is carried.
pub(crate) struct Bundle {
    pub(crate) programs: Programs,
    pub(crate) files: Vec<Carried>,
}

impl Bundle {
    /// Reads all of it. `read` are all files that the configuration was read from, `given` those of the command line.
    ///
    /// # Errors
    /// Where a file cannot be read, or a name is not plain enough for a unit.
    pub(crate) fn read(given: &[PathBuf], read: &[PathBuf], programs: Programs) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        let mut configuration = Vec::new();
        for path in given {
            let to = format!("{ETC}/{}", name_of(path)?);
            ensure!(
                !configuration.contains(&to),
                "two configuration files are called {to} on the master: rename one"
            );
            configuration.push(to.clone());
            files.insert(to, path.clone());
        }
        let home = given.first().and_then(|path| path.parent()).map(Path::to_path_buf).unwrap_or_default();
        for path in read.iter().filter(|path| !given.contains(path)) {
            files.insert(place_of(path, &home)?, path.clone());
        }
        for kind in [Kind::Base, Kind::Execute, Kind::Master] {
            let found = find_template(kind.file_name(), None)?;
            if let Origin::Folder(path) = found.origin
                && path.components().any(|part| part.as_os_str() == "etc")
            {
                files.insert(format!("{ETC}/{}", kind.file_name()), path);
            }
        }
        let mut carried = Vec::new();
        for (to, path) in files {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            carried.push(Carried { to, bytes: bytes.into(), reader: Reader::Ehos, runs: false });
        }
        carried.push(Carried {
            to: UNIT.to_owned(),
            bytes: unit(&configuration).into_bytes().into(),
            reader: Reader::Everybody,
            runs: false,
        });
        Ok(Self { programs, files: carried })
    }
}

/// Writes the unit for the master: the programs where they are carried to, the configuration likewise.
fn unit(configuration: &[String]) -> String {
    let line = format!("ExecStart={BIN}/ehosd {}", configuration.join(" "));
    let lines =
        SHIPPED_UNIT.lines().map(|old| if old.starts_with("ExecStart=") { line.as_str() } else { old });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Finds the place of a file that the configuration names.
fn place_of(path: &Path, home: &Path) -> anyhow::Result<String> {
    let name = name_of(path)?;
    if name == "clouds.yaml" || name == "secure.yaml" {
        return Ok(format!("/etc/openstack/{name}"));
    }
    // What stands beside the configuration is named relative to it.
    if let Ok(below) = path.strip_prefix(home) {
        return Ok(format!("{ETC}/{}", plain(below)?));
    }
    Ok(plain(path)?.to_owned())
}

fn name_of(path: &Path) -> anyhow::Result<&str> {
    plain(Path::new(path.file_name().context("a folder is no configuration file")?))
}

/// Takes only paths that mean the same in a unit, in a shell and in a log.
fn plain(path: &Path) -> anyhow::Result<&str> {
    let text = path.to_str().unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || "._-/+@".contains(c);
    if text.is_empty() || !text.chars().all(good) || text.split('/').any(|part| part == "..") {
        bail!("the path {} cannot be used on the master: letters, digits and ._-+@ are", path.display());
    }
    Ok(text)
}

/// Reads the programs: from a folder, from a package, or those beside this one.
///
/// # Errors
/// Where ehosd is not among them.
pub(crate) fn programs(folder: Option<&Path>, package: Option<&Path>) -> anyhow::Result<Programs> {
    if let Some(path) = package {
        let name = name_of(path)?.to_owned();
        ensure!(
            [".deb", ".rpm"].iter().any(|end| name.ends_with(end)),
            "--package {}: expected a .deb or .rpm",
            path.display()
        );
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(Programs::Package { name, bytes: bytes.into() });
    }
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => std::env::current_exe()?.parent().context("this program lies nowhere")?.to_owned(),
    };
    let mut programs = Vec::new();
    for name in PROGRAMS {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => programs.push(Carried {
                to: format!("{BIN}/{name}"),
                bytes: bytes.into(),
                reader: Reader::Everybody,
                runs: true,
            }),
            Err(error) if name == "ehosd" => {
                return Err(error).with_context(|| {
                    format!(
                        "{} cannot be read: give the folder of the programs with --binaries",
                        path.display()
                    )
                });
            }
            Err(error) => log::warn!("{} is not carried: {error}", path.display()),
        }
    }
    Ok(Programs::Single(programs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_find_their_places() {
        let home = Path::new("/admin/pool");
        for (path, to) in [
            ("/admin/pool/my/execute.yaml", "/etc/ehos/my/execute.yaml"),
            ("/admin/pool/site.yaml", "/etc/ehos/site.yaml"),
            ("/etc/ssl/our-ca.pem", "/etc/ssl/our-ca.pem"),
            ("/admin/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml"),
        ] {
            assert_eq!(place_of(Path::new(path), home).unwrap(), to, "{path}");
        }
        for path in ["/admin/a b.yaml", "/admin/../x", "/x$(y)"] {
            assert!(place_of(Path::new(path), home).is_err(), "{path}");
        }
    }

    #[test]
    fn the_unit_starts_the_daemon_with_its_files() {
        let unit = unit(&["/etc/ehos/ehos.yaml".to_owned(), "/etc/ehos/secrets.yaml".to_owned()]);
        let starts: Vec<_> = unit.lines().filter(|line| line.starts_with("ExecStart=")).collect();
        assert_eq!(starts, ["ExecStart=/usr/local/bin/ehosd /etc/ehos/ehos.yaml /etc/ehos/secrets.yaml"]);
        assert_eq!(unit.lines().count(), SHIPPED_UNIT.lines().count(), "all else is as shipped");
    }

    #[test]
    fn the_daemon_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = programs(Some(folder.path()), None).err().unwrap();
        assert!(format!("{error:#}").contains("--binaries"), "{error:#}");
        std::fs::write(folder.path().join("ehosd"), "x").unwrap();
        let Programs::Single(found) = programs(Some(folder.path()), None).unwrap() else { panic!() };
        assert_eq!(found.len(), 1);
        assert!(programs(None, Some(Path::new("ehos.zip"))).is_err(), "no package");
    }
}
