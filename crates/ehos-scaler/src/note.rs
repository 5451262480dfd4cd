//! What an operator should know of images and templates that were tried in vain.
//!
//! Deliberately only says it; what follows from it is decided in `drift` and by whoever orders nodes.

use std::fmt;

use ehos_model::{CloudName, ImageId, NodeId};

use crate::look::Look;
use crate::memory::Trial;
use crate::words::count;

/// Something that stays true until an operator changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// None of the first nodes of the configured image has joined.
    Image {
        /// Which cloud.
        cloud: CloudName,
        /// The configured image.
        image: ImageId,
        /// The last image that worked, which new nodes are made from; `None`: none is known.
        instead: Option<ImageId>,
        /// The nodes.
        failed: Vec<NodeId>,
    },
    /// None of the first nodes that were told the present template has joined.
    Template {
        /// Which cloud.
        cloud: CloudName,
        /// The nodes.
        failed: Vec<NodeId>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Image { failed, .. } | Self::Template { failed, .. }) = self;
        let names = failed.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ");
        let nodes = count(u64::try_from(failed.len()).unwrap_or(u64::MAX), "node");
        match self {
            Self::Image { cloud, image, instead: Some(instead), .. } => write!(
                f,
                "image {image} of {cloud} is set aside: {nodes} made from it came up and none joined the pool \
                 ({names}); new nodes are made from {instead}, the last that worked, until another image is \
                 configured. Boot a server from it and read its console, or build it anew with \
                 ehos_build_images --force"
            ),
            Self::Image { cloud, image, instead: None, .. } => write!(
                f,
                "image {image} of {cloud}, or what execute.yaml tells its nodes, does not work: {nodes} came up and \
                 none joined the pool ({names}); no older image is known to work, so it is tried again at \
                 longer intervals. Boot a server from it and read its console, or build it anew with \
                 ehos_build_images --force"
            ),
            Self::Template { cloud, .. } => write!(
                f,
                "the present execute.yaml of {cloud} does not work: {nodes} that were told it came up and none \
                 joined the pool ({names}); it is tried again at longer intervals, and nodes that were told \
                 another one are kept. Take back what was changed in it, or boot a server with it and read \
                 its console"
            ),
        }
    }
}

/// Finds what there is to say.
pub(crate) fn notes(look: &Look) -> Vec<Note> {
    let failed = |trial: Option<&Trial>| {
        let failed: Vec<NodeId> = trial.into_iter().flat_map(Trial::failed).cloned().collect();
        (Trial::left(trial) == Some(0)).then_some(failed)
    };
    let mut notes = Vec::new();
    for policy in &look.policy.clouds {
        let cloud = || policy.name.clone();
        let Some(memory) = look.memory.clouds.get(&policy.name) else { continue };
        if let Some(image) = &memory.configured
            && let Some(failed) = failed(memory.images.get(image))
        {
            let instead = memory.instead().cloned();
            notes.push(Note::Image { cloud: cloud(), image: image.clone(), instead, failed });
        }
        let template = look.snapshot.clouds.get(&policy.name).and_then(|view| view.template.as_ref());
        if let Some(failed) = template.and_then(|template| failed(memory.templates.get(template))) {
            notes.push(Note::Template { cloud: cloud(), failed });
        }
    }
    notes
}
