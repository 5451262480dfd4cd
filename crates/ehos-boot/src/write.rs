//! Writes into the configuration what programs find out, and the pool's name and password where it has none.
//!
//! Deliberately one value at a time, as soon as it is known: a later failure takes no earlier success away.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ehos_config::{Config, Edit, can_write_back, write_back};
use secrecy::SecretString;

/// Bytes of a password: 256 bits.
const PASSWORD: usize = 32;

/// The files of the configuration, written by one at a time.
#[derive(Debug)]
pub struct Writer {
    files: Mutex<Vec<PathBuf>>,
}

impl Writer {
    /// Names the files, as given on the command line.
    #[must_use]
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files: Mutex::new(files) }
    }

    /// Writes what a pool needs and does not have yet: a name where it has none, a password of 256 bits where it has none.
    /// Tells whether anything was written.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn complete(&self, config: &Config) -> anyhow::Result<bool> {
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

    /// Checks that these values can be written, before much work goes into finding them out.
    ///
    /// # Errors
    /// Where they cannot, as far as that is to be seen now.
    pub fn check(&self, edits: &[Edit]) -> anyhow::Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(can_write_back(&files, edits)?)
    }

    /// Writes these values; another that writes at the same time waits.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn write(&self, edits: &[Edit]) -> anyhow::Result<()> {
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
