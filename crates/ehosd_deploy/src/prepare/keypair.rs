//! Decides which keypair servers get, and imports it.
//!
//! Deliberately exchanges no key that is there: servers that were made with the old one would be shut.

use std::path::PathBuf;

use ehos_cloud::Prepare;
use ehos_cloud::prepare::KeyPair;
use ehos_config::CloudSettings;

use super::key::PublicKey;
use super::{Done, Options, PrepareError, Step, during};

/// A keypair that is there, or is to be imported.
pub(super) enum Key {
    There(String, String),
    Import(String, PathBuf, PublicKey),
}

impl Key {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::There(name, _) | Self::Import(name, ..) => name,
        }
    }
}

/// Decides which keypair servers get; makes nothing.
pub(super) fn choose_key(
    all: &[KeyPair],
    settings: &CloudSettings,
    options: &Options,
) -> Result<Key, PrepareError> {
    let configured = settings.servers.key.clone();
    let trusted = configured.is_some();
    let name = configured.unwrap_or_else(|| format!("{}-key", settings.project_prefix));
    let there = all.iter().find(|pair| pair.name == name);
    let mine = match &options.ssh_key {
        Some(path) => Some((path.clone(), PublicKey::read(path)?)),
        // One that the operator has named, or that we have imported before, needs no file.
        None if there.is_some_and(|pair| trusted || pair.ours) => None,
        None => PublicKey::find(options.home.as_deref())?,
    };
    match (there, mine) {
        (Some(pair), None) if trusted || pair.ours => Ok(Key::There(name, fingerprint(pair))),
        (Some(pair), Some((_, key))) if pair.holds(&key.line) => Ok(Key::There(name, key.fingerprint)),
        (Some(pair), Some((path, key))) => {
            Err(PrepareError::OtherKey { name, there: fingerprint(pair), yours: key.fingerprint, path })
        }
        (None, Some((path, key))) => Ok(Key::Import(name, path, key)),
        (_, None) => Err(PrepareError::NoKey),
    }
}

fn fingerprint(pair: &KeyPair) -> String {
    PublicKey::parse(&pair.public_key)
        .map_or_else(|| "of a kind we do not know".to_owned(), |key| key.fingerprint)
}

pub(super) async fn take_key(cloud: &dyn Prepare, key: Key) -> Result<Step, PrepareError> {
    let (name, done, note) = match key {
        Key::There(name, fingerprint) => (name, Done::Found, fingerprint),
        Key::Import(name, path, key) => {
            let imported = cloud.import_key(&name, &key.line).await;
            imported.map_err(|failure| during(&format!("the keypair '{name}'"), failure))?;
            (name, Done::Made, format!("{} of {}", key.fingerprint, path.display()))
        }
    };
    Ok(Step { what: "key", name, done, note })
}
