//! Writes into the configuration: the images' ids, and the pool's name and password where it has none.
//!
//! Deliberately one value at a time, as soon as it is known: a later failure takes no earlier success away.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ehos_boot::Trouble;
use ehos_config::{Config, Edit, write_back};
use ehos_model::CloudName;
use secrecy::SecretString;

/// Bytes of a password: 256 bits.
const PASSWORD: usize = 32;

/// The files of the configuration, written by one cloud at a time.
pub(crate) struct Writer {
    files: Mutex<Vec<PathBuf>>,
}

impl Writer {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        Self { files: Mutex::new(files) }
    }

    /// Writes the id of a cloud's image.
    pub(crate) fn image(&self, cloud: &CloudName, id: &str) -> Result<(), Trouble> {
        self.write(&[Edit::cloud(cloud.as_str(), "image", id)]).map_err(|error| {
            Trouble::new(format!(
                "the image {id} is good, but its id cannot be written: {error:#}; write `image: {id}` below \
                 clouds.{cloud} yourself"
            ))
        })
    }

    /// Writes what a pool needs and does not have yet: a name where it has none, a password of 256 bits where it has none.
    /// Tells whether anything was written.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub(crate) fn complete(&self, config: &Config) -> anyhow::Result<bool> {
        let mut edits = Vec::new();
        if config.is_unnamed() {
            let dice: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
            edits.push(Edit::condor("pool_id", format!("{}-{dice}", config.policy.pool)));
        }
        if config.condor.password.is_none() {
            let mut random = [0; PASSWORD];
            std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
            edits.push(Edit::condor("password", SecretString::from(URL_SAFE_NO_PAD.encode(random))));
        }
        self.write(&edits).context("the pool's name and password cannot be written")?;
        Ok(!edits.is_empty())
    }

    fn write(&self, edits: &[Edit]) -> anyhow::Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for written in write_back(&files, edits)? {
            let (file, key) = (written.file.display(), written.key);
            log::info!("{file}:{}: {key} is written", written.line);
            if let Some((before, now)) = written.closed {
                log::warn!("{file} holds a secret: its mode is now {now:o}, it was {before:o}");
            }
        }
        Ok(())
    }
}
