//! Writes into the configuration: the images' ids, and the pool's password where there is none.
//!
//! Deliberately one value at a time, as soon as it is known: a later failure takes no earlier success away.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ehos_config::{Edit, write_back};
use ehos_model::CloudName;
use secrecy::SecretString;

use crate::trouble::Trouble;

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
        self.write(&Edit::cloud(cloud.as_str(), "image", id)).map_err(|error| {
            Trouble::new(format!(
                "the image {id} is good, but its id cannot be written: {error:#}; write `image: {id}` below \
                 clouds.{cloud} yourself"
            ))
        })
    }

    /// Makes a password of 256 bits and writes it.
    pub(crate) fn password(&self) -> anyhow::Result<()> {
        let mut random = [0; PASSWORD];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let password = SecretString::from(URL_SAFE_NO_PAD.encode(random));
        self.write(&Edit::condor("password", password))
    }

    fn write(&self, edit: &Edit) -> anyhow::Result<()> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for written in write_back(&files, std::slice::from_ref(edit))? {
            let (file, key) = (written.file.display(), written.key);
            log::info!("{file}:{}: {key} is written", written.line);
            if let Some((before, now)) = written.closed {
                log::warn!("{file} holds a secret: its mode is now {now:o}, it was {before:o}");
            }
        }
        Ok(())
    }
}
