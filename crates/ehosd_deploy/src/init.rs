//! Writes a first ehos.yaml from keystone rc files and entries of clouds.yaml, with what it chose and why.
//!
//! Deliberately makes nothing in a cloud, and overwrites no file unless it is told to.

pub mod choose;
mod login;
pub mod rc;
mod render;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ehos_cloud::{OpenStackCloud, Prepare};
use ehos_config::{Environment, load_with};
use ehos_model::{Failure, PoolId, ServerSettings};
use secrecy::SecretString;

use self::choose::Choice;
use self::login::Login;
pub use self::login::ask_on_terminal;
use self::rc::RcError;

/// Where a login stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A keystone rc file.
    Rc(PathBuf),
    /// An entry of clouds.yaml, by its name.
    CloudsYaml(String),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("clouds.yaml:") {
            Some("") => Err("expected the name of a cloud behind clouds.yaml:".to_owned()),
            Some(name) => Ok(Self::CloudsYaml(name.to_owned())),
            None => Ok(Self::Rc(text.into())),
        }
    }
}

/// Why there is no first configuration.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The file is there already.
    #[error("{} is there already: --force overwrites it, and keeps it as {}.backup", path.display(), path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// An rc file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// An rc file cannot be used.
    #[error("{}: {error}", path.display())]
    Rc {
        /// The file.
        path: PathBuf,
        /// Why.
        error: RcError,
    },
    /// An entry of clouds.yaml cannot be used.
    #[error("clouds.yaml:{name}: {why}")]
    CloudsYaml {
        /// The entry.
        name: String,
        /// Why.
        why: String,
    },
    /// Nobody said the password.
    #[error("{what} is not set, and cannot be asked for: {error}")]
    NotAsked {
        /// The variable.
        what: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// A cloud says no, or nothing.
    #[error("cloud {cloud} ({origin}): {failure}")]
    Cloud {
        /// Its name to be.
        cloud: String,
        /// Where its login stands.
        origin: String,
        /// Its answer.
        failure: Failure,
    },
    /// A cloud sells nothing that a node could be.
    #[error("cloud {cloud}: no flavor can be chosen: {why}")]
    NoFlavor {
        /// Its name to be.
        cloud: String,
        /// Why.
        why: String,
    },
    /// What was written would not be read.
    #[error("the configuration that was made is not valid; nothing is written:\n{0}")]
    Invalid(String),
    /// The file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// What is around this: variables, and somebody who can be asked.
pub struct Around<'a> {
    /// The environment, for passwords and for where clouds.yaml is.
    pub environment: Environment,
    /// Asks for a secret with a question, without echo.
    pub ask: &'a (dyn Fn(&str) -> std::io::Result<SecretString> + Sync),
}

/// A choice, for the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// In which cloud.
    pub cloud: String,
    /// `image`, `flavors` or `network`.
    pub key: &'static str,
    /// What, and why.
    pub choice: Choice,
}

/// What one cloud has to offer, chosen from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// What images of nodes are built from.
    pub image: Choice,
    /// What nodes are made of.
    pub flavors: Choice,
    /// Where nodes are plugged in.
    pub network: Choice,
    /// How many servers of the smallest flavor the quota has room for.
    pub room: u64,
}

/// Writes the configuration; gives what was chosen, where an empty choice is left to the operator.
///
/// # Errors
/// Nothing is written then.
pub async fn init(
    sources: &[Source],
    target: &Path,
    force: bool,
    around: &Around<'_>,
) -> Result<Vec<Chosen>, InitError> {
    if !force && target.symlink_metadata().is_ok() {
        return Err(InitError::Exists { path: target.to_owned() });
    }
    let mut logins = Vec::new();
    for source in sources {
        logins.push(Login::read(source, around)?);
    }
    login::distinguish(&mut logins);
    let mut clouds = Vec::new();
    for login in logins {
        let offered = ask(&login).await?;
        if offered.flavors.values.is_empty() {
            return Err(InitError::NoFlavor { cloud: login.name, why: offered.flavors.why });
        }
        clouds.push((login, offered));
    }
    write(target, &render::yaml(&clouds), force, &around.environment)?;
    let chosen = clouds.into_iter().flat_map(|(login, offered)| {
        let Offered { image, flavors, network, .. } = offered;
        let all = [("image", image), ("flavors", flavors), ("network", network)];
        all.map(|(key, choice)| Chosen { cloud: login.name.clone(), key, choice })
    });
    Ok(chosen.collect())
}

async fn ask(login: &Login) -> Result<Offered, InitError> {
    let name = login.name.as_str().into();
    let cloud =
        OpenStackCloud::new(name, PoolId::from("ehos"), login.access.clone(), ServerSettings::default());
    let failed =
        |failure| InitError::Cloud { cloud: login.name.clone(), origin: login.origin.clone(), failure };
    offered(&cloud.map_err(failed)?).await.map_err(failed)
}

/// Asks a cloud what it offers, and chooses.
///
/// # Errors
/// As the cloud's calls.
pub async fn offered(cloud: &dyn Prepare) -> Result<Offered, Failure> {
    let offer = cloud.offer().await?;
    let images = cloud.offered_images().await?;
    let networks = cloud.networks().await?;
    let all = cloud.flavors().await?;
    let flavors = choose::flavors(&all, &offer.quota);
    let smallest =
        all.iter().find(|one| flavors.values.first().is_some_and(|name| *name == *one.name.as_str()));
    let room = smallest.map_or(0, |one| {
        let quota = &offer.quota;
        let cores = quota.cores.left() / u64::from(one.size.cores.max(1));
        let memory = quota.memory_left().0 / one.size.memory.0.max(1);
        quota.instances.left().min(cores).min(memory)
    });
    Ok(Offered { image: choose::image(&images), flavors, network: choose::network(&networks), room })
}

/// Writes a file that others cannot read, once it has been seen to be valid.
fn write(target: &Path, text: &str, force: bool, environment: &Environment) -> Result<(), InitError> {
    let failed = |error| InitError::Write { path: target.to_owned(), error };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is the owner's alone, and so is what it becomes.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    load_with(&[file.path().to_owned()], &before_master(environment))
        .map_err(|problems| InitError::Invalid(problems.render(false)))?;
    if force {
        if target.symlink_metadata().is_ok() {
            let mut backup = target.as_os_str().to_owned();
            backup.push(".backup");
            std::fs::rename(target, backup).map_err(failed)?;
        }
        return file.persist(target).map(drop).map_err(|error| failed(error.error));
    }
    file.persist_noclobber(target).map(drop).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => InitError::Exists { path: target.to_owned() },
        _ => failed(error.error),
    })
}

fn before_master(environment: &Environment) -> Environment {
    Environment { before_master: true, ..environment.clone() }
}

#[cfg(test)]
mod tests;
