//! The questions and commands that EHOS has for a cloud.
//!
//! Deliberately as few as the scaler needs: whoever implements them decides nothing.

use async_trait::async_trait;
use ehos_model::{CloudName, CloudOffer, Failure, FlavorName, ImageId, NodeId, Role, Server, ServerId};
use secrecy::SecretSlice;

/// One server to be made.
#[derive(Clone, Debug)]
pub struct ServerOrder {
    /// The node it is for; becomes the server's name and stands in its metadata from the create call on.
    pub node: NodeId,
    /// What it is for.
    pub role: Role,
    /// Its size, by the name in the configuration.
    pub flavor: FlavorName,
    /// What it boots from; `None`: the configured image.
    pub image: Option<ImageId>,
    /// Fingerprint of the template of its user-data; stands in its metadata from the create call on.
    pub template: Option<String>,
    /// What it is told at boot, already rendered and not yet base64; may hold a join token.
    pub user_data: SecretSlice<u8>,
}

impl ServerOrder {
    /// Orders a server from the configured image, which is told nothing.
    #[must_use]
    pub fn new(node: NodeId, role: Role, flavor: FlavorName) -> Self {
        Self { node, role, flavor, image: None, template: None, user_data: SecretSlice::default() }
    }
}

/// A cloud: one project in one region.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Gives the operator's name for it.
    fn name(&self) -> &CloudName;

    /// Lists the servers that carry our pool's id, of all roles and in every state but gone.
    ///
    /// # Errors
    /// Never a part of the list: what cannot be read whole is a failure.
    async fn servers(&self) -> Result<Vec<Server>, Failure>;

    /// Tells what can be bought: the configured flavors that exist, the image, the quota and its use.
    ///
    /// # Errors
    /// `Auth`, `Transient`, `Rejected`.
    async fn offer(&self) -> Result<CloudOffer, Failure>;

    /// Orders a server; returns when the cloud has accepted it, which is not yet a server that works.
    ///
    /// # Errors
    /// `Quota`; `Rejected` for an unknown flavor, image, key, group or network; `Transient` where the order may
    /// nevertheless have been carried out: only the next listing tells.
    async fn create(&self, order: &ServerOrder) -> Result<ServerId, Failure>;

    /// Has a server deleted with all that Nova attached to it; returns when the cloud has accepted it.
    ///
    /// # Errors
    /// `NotFound` where it is gone already.
    async fn delete(&self, server: &ServerId) -> Result<(), Failure>;

    /// Reads the last `lines` lines of a server's console.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` where the server has no console yet.
    async fn console(&self, server: &ServerId, lines: u32) -> Result<String, Failure>;
}
