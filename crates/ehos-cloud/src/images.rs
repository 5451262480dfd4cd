//! The questions and commands about images, which only the building of images has.
//!
//! Deliberately apart from [`Cloud`]: the daemon buys servers and makes no images.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ehos_model::{Failure, ImageId, ServerId, Timestamp};

use crate::Cloud;

/// Property that holds the pool's id; an image without it is nobody's business of ours.
pub const POOL: &str = "ehos_pool";

/// What an image is labelled with (*Glance: additional properties, the names of ours begin with `ehos_`*).
pub type Properties = BTreeMap<String, String>;

/// How far an image is (*Glance `status`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageStatus {
    /// Not there yet: *`queued`, `saving`, `uploading`, `importing`*, and words we do not know.
    Coming(String),
    /// *`active`*: servers can boot from it.
    Active,
    /// Will not become one that servers can boot from: *`killed`, `deleted`, `pending_delete`, `deactivated`, `error`*.
    Broken(String),
}

/// An image of a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// *Glance `id`*.
    pub id: ImageId,
    /// *Glance `name`*; empty where it has none.
    pub name: String,
    /// How far it is.
    pub status: ImageStatus,
    /// *Glance `created_at`*.
    pub created: Timestamp,
    /// The smallest disk that a server of it needs, in GiB (*Glance `min_disk`*).
    pub min_disk: u64,
    /// The least memory that a server of it needs, in MiB (*Glance `min_ram`*).
    pub min_memory: u64,
    /// Its labels.
    pub properties: Properties,
}

/// A cloud in which images can be made.
#[async_trait]
pub trait Images: Cloud {
    /// Finds the active image that an id or a name means; of several of a name, the newest.
    ///
    /// # Errors
    /// `NotFound`, naming what there is instead.
    async fn find_image(&self, wanted: &str) -> Result<Image, Failure>;

    /// Lists our project's images that carry our pool's id, the newest first.
    ///
    /// # Errors
    /// Never a part of the list: what cannot be read whole is a failure.
    async fn images(&self) -> Result<Vec<Image>, Failure>;

    /// Asks how far an image is.
    ///
    /// # Errors
    /// `NotFound` where it is gone, as it is when the cloud could not make it.
    async fn image(&self, image: &ImageId) -> Result<Image, Failure>;

    /// Has a server stopped, its disk kept; returns when the cloud has accepted it.
    ///
    /// # Errors
    /// `Conflict` where it is not running, `NotFound` where it is gone.
    async fn stop(&self, server: &ServerId) -> Result<(), Failure>;

    /// Has an image made of a server's disk; returns when the cloud has accepted it. It carries our pool's id and
    /// `properties` from this call on.
    ///
    /// # Errors
    /// `Transient` where it may be made nevertheless: only [`Self::images`] tells. `Quota`, `Conflict`, `NotFound`.
    async fn make_image(
        &self,
        server: &ServerId,
        name: &str,
        properties: &Properties,
    ) -> Result<ImageId, Failure>;

    /// Adds properties to an image, or changes them.
    ///
    /// # Errors
    /// `NotFound` where it is gone, `Auth` where it is not ours to change.
    async fn label(&self, image: &ImageId, properties: &Properties) -> Result<(), Failure>;

    /// Deletes an image.
    ///
    /// # Errors
    /// `NotFound` where it is gone already, `Conflict` where the cloud still needs it.
    async fn delete_image(&self, image: &ImageId) -> Result<(), Failure>;
}
