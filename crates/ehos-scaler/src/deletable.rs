//! Proof that a server may be deleted.
//!
//! Deliberately with private fields and few ways in: an idle node never gets one, since it may be claimed after we
//! looked. Removal is drain, see it drained, delete.

use ehos_model::{CloudName, Machine, NodeId, Server, ServerId, Timestamp, elapsed};

use crate::inventory::{Node, Phase};

/// A server that certainly runs no job that anybody still waits for.
///
/// Only the planner makes one, from a node that was seen drained, has failed, is lost past its deadline or drains
/// for longer than the operator allows, and from a second server of a node that never came to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletable {
    node: NodeId,
    cloud: CloudName,
    server: ServerId,
    machine: Option<Machine>,
}

impl Deletable {
    /// The node.
    #[must_use]
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// Its cloud.
    #[must_use]
    pub const fn cloud(&self) -> &CloudName {
        &self.cloud
    }

    /// Its server.
    #[must_use]
    pub const fn server(&self) -> &ServerId {
        &self.server
    }

    /// The machine whose ads are to be removed afterwards, if it ever was in the pool.
    #[must_use]
    pub const fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// Proves it from a node whose startd confirmed that it is drained, or that has failed.
    ///
    /// A node in an unknown cloud has no server here, so nothing is proven of it.
    pub(crate) fn from_node(node: &Node) -> Option<Self> {
        match node.phase {
            Phase::Drained { .. } | Phase::Failed { .. } => Self::new(node),
            _ => None,
        }
    }

    /// Proves it from a node that drains for longer than the operator's `drain_timeout`: the one case in which jobs
    /// are killed, by the operator's order.
    pub(crate) fn overdue(
        node: &Node,
        drain_timeout: Option<std::time::Duration>,
        at: Timestamp,
    ) -> Option<Self> {
        match node.phase {
            Phase::Draining { since, .. } if elapsed(since, at) >= drain_timeout? => Self::new(node),
            _ => None,
        }
    }

    /// Proves it from a second server of a node that was found safe to delete.
    pub(crate) fn duplicate(server: &Server, safe: bool) -> Option<Self> {
        safe.then(|| Self {
            node: server.node.clone(),
            cloud: server.cloud.clone(),
            server: server.id.clone(),
            machine: None,
        })
    }

    fn new(node: &Node) -> Option<Self> {
        let server = node.server.as_ref()?;
        Some(Self {
            node: node.id.clone(),
            cloud: node.cloud.clone(),
            server: server.id.clone(),
            machine: node.machines().next().cloned(),
        })
    }
}
