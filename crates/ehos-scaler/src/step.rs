//! The steps of a plan, and how they went.
//!
//! Deliberately leaves nothing to choose to whoever carries them out.

use std::fmt;

use ehos_model::{CloudName, Failure, FlavorName, ImageId, Machine, NodeId, Timestamp};

use crate::Deletable;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Order a server for a new node.
    Create {
        /// The new node's id.
        node: NodeId,
        /// Where.
        cloud: CloudName,
        /// Of which size.
        flavor: FlavorName,
        /// From which image, where that is not the configured one.
        image: Option<ImageId>,
    },
    /// Have an idle machine take no more jobs.
    Drain {
        /// The node.
        node: NodeId,
        /// Its machine.
        machine: Machine,
    },
    /// Let a draining machine take jobs again.
    Resume {
        /// The node.
        node: NodeId,
        /// Its machine.
        machine: Machine,
    },
    /// Delete a server that certainly runs no job, and remove its machine's ads.
    Delete(Deletable),
    /// Remove the ads of a machine whose server is gone.
    Release {
        /// The machine.
        machine: Machine,
    },
}

impl Action {
    /// Tells whether it makes something that costs.
    #[must_use]
    pub const fn buys(&self) -> bool {
        matches!(self, Self::Create { .. })
    }

    /// Gives its one-word name, for metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Drain { .. } => "drain",
            Self::Resume { .. } => "resume",
            Self::Delete(_) => "delete",
            Self::Release { .. } => "release",
        }
    }

    /// Gives the node it is about, where it is about one.
    #[must_use]
    pub const fn node(&self) -> Option<&NodeId> {
        match self {
            Self::Create { node, .. } | Self::Drain { node, .. } | Self::Resume { node, .. } => Some(node),
            Self::Delete(deletable) => Some(deletable.node()),
            Self::Release { .. } => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { node, cloud, flavor, image: None } => {
                write!(f, "create node {node} ({flavor} in {cloud})")
            }
            Self::Create { node, cloud, flavor, image: Some(image) } => {
                write!(f, "create node {node} ({flavor} in {cloud}, from image {image})")
            }
            Self::Drain { node, .. } => write!(f, "drain node {node}"),
            Self::Resume { node, .. } => write!(f, "resume node {node}"),
            Self::Delete(deletable) => {
                write!(
                    f,
                    "delete node {} (server {} in {})",
                    deletable.node(),
                    deletable.server(),
                    deletable.cloud()
                )
            }
            Self::Release { machine } => write!(f, "remove the ads of {machine}"),
        }
    }
}

/// An action with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// Why, in words for the operator.
    pub reason: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.reason)
    }
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The step.
    pub step: Step,
    /// When it ended.
    pub at: Timestamp,
    /// Accepted, or why not.
    pub result: Result<(), Failure>,
}
