//! Writes into the configuration: the images' ids, and the pool's name and password where it has none.
//!
//! Deliberately one value at a time, as soon as it is known: a later failure takes no earlier success away.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ehos_cloud::Image;
use ehos_config::{Config, Edit, can_write_back, write_back};
use ehos_model::CloudName;
use secrecy::SecretString;

use crate::trouble::Trouble;

/// Bytes of a password: 256 bits.
const PASSWORD: usize = 32;

/// An id that no image has, to see whether one can be written.
const NO_IMAGE: &str = "00000000-0000-0000-0000-000000000000";

/// The files of the configuration, written by one cloud at a time.
pub(crate) struct Writer {
    files: Mutex<Vec<PathBuf>>,
    /// The images that the files name, by their clouds: names or ids.
    named: Mutex<BTreeMap<CloudName, String>>,
}

impl Writer {
    pub(crate) fn new(files: Vec<PathBuf>, named: BTreeMap<CloudName, String>) -> Self {
        Self { files: Mutex::new(files), named: Mutex::new(named) }
    }

    /// Tells whether an image is named for another cloud than this one, which may be the same project.
    pub(crate) fn names(&self, but: &CloudName, image: &Image) -> bool {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |name: &String| *name == *image.id.as_str() || *name == image.name;
        named.iter().any(|(cloud, name)| cloud != but && is(name))
    }

    /// Checks, before an hour goes into an image, that its id can be written.
    ///
    /// # Errors
    /// Where it cannot, as far as that is to be seen now.
    pub(crate) fn check(&self, cloud: &CloudName) -> Result<(), Trouble> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        can_write_back(&files, &[Edit::cloud(cloud.as_str(), "image", NO_IMAGE)]).map_err(|error| {
            Trouble::new(format!("nothing is built, since the id of an image cannot be written: {error}"))
        })
    }

    /// Writes the id of a cloud's image.
    pub(crate) fn image(&self, cloud: &CloudName, id: &str) -> Result<(), Trouble> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.insert(cloud.clone(), id.to_owned());
        drop(named);
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
