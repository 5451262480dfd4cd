//! The ids of images in the configuration: which are named there, and how a new one gets there.
//!
//! Deliberately asks before a build whether the id can be written after it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ehos_boot::{Trouble, Writer};
use ehos_cloud::Image;
use ehos_config::Edit;
use ehos_model::CloudName;

/// An id that no image has, to see whether one can be written.
const NO_IMAGE: &str = "00000000-0000-0000-0000-000000000000";

/// The images that the configuration names.
pub(crate) struct Ids {
    writer: Writer,
    /// By their clouds: names or ids.
    named: Mutex<BTreeMap<CloudName, String>>,
}

impl Ids {
    pub(crate) fn new(writer: Writer, named: BTreeMap<CloudName, String>) -> Self {
        Self { writer, named: Mutex::new(named) }
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
        self.writer.check(&[Edit::cloud(cloud.as_str(), "image", NO_IMAGE)]).map_err(|error| {
            Trouble::new(format!("nothing is built, since the id of an image cannot be written: {error:#}"))
        })
    }

    /// Writes the id of a cloud's image.
    pub(crate) fn image(&self, cloud: &CloudName, id: &str) -> Result<(), Trouble> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.insert(cloud.clone(), id.to_owned());
        drop(named);
        self.writer.write(&[Edit::cloud(cloud.as_str(), "image", id)]).map_err(|error| {
            Trouble::new(format!(
                "the image {id} is good, but its id cannot be written: {error:#}; write `image: {id}` below \
                 clouds.{cloud} yourself"
            ))
        })
    }
}
