//! What an image is built from, and what holds for all clouds.
//!
//! Deliberately plain data.

use std::sync::Arc;
use std::time::Duration;

use ehos_cloud::Images;
use ehos_cloudinit::Recipe;
use ehos_condor::Pool;
use ehos_model::{CloudName, PoolId};
use secrecy::SecretSlice;

use crate::ids::Ids;
use crate::node::Maker;

/// One cloud in which an image is wanted.
pub(crate) struct Site {
    /// The cloud.
    pub(crate) cloud: Arc<dyn Images>,
    /// What the base server is made from, name or id (*`ehos.image`*).
    pub(crate) base: String,
    /// First part of server names.
    pub(crate) prefix: String,
    /// What the configuration names as the nodes' image, name or id.
    pub(crate) configured: Option<String>,
    /// What nodes are told at boot.
    pub(crate) recipe: Recipe,
}

impl Site {
    pub(crate) fn name(&self) -> &CloudName {
        self.cloud.name()
    }
}

/// What base servers are told.
pub(crate) struct Base {
    /// Where it came from, for messages.
    pub(crate) origin: String,
    /// As it is sent, not yet base64.
    pub(crate) user_data: SecretSlice<u8>,
    /// Fingerprint of the template.
    pub(crate) fingerprint: String,
    /// Whether it cleans up and says so.
    pub(crate) cleans: bool,
}

/// How a fresh image is tried.
#[derive(Clone)]
pub(crate) enum Prober {
    /// A node of it joins the pool that is up here.
    Pool {
        /// The pool.
        pool: Arc<dyn Pool>,
        /// The pool's manager as nodes reach it.
        master: String,
    },
    /// No pool is up: a node of it becomes a pool of its own and says on its console how that went.
    Alone,
}

/// What holds for all clouds.
pub(crate) struct Order {
    /// The pool the images are for.
    pub(crate) pool: PoolId,
    /// What base servers are told.
    pub(crate) base: Base,
    /// How an image is tried.
    pub(crate) prober: Prober,
    /// Who writes the ids.
    pub(crate) ids: Ids,
    /// Who builds.
    pub(crate) maker: Maker,
    /// Build even where there is a good image.
    pub(crate) force: bool,
    /// Keep the servers of a cloud that fails.
    pub(crate) keep: bool,
    /// Change nothing.
    pub(crate) dry_run: bool,
    /// How many images stay in each cloud.
    pub(crate) keep_images: usize,
    /// The longest that a server, an image or a probe may take.
    pub(crate) timeout: Duration,
}
