//! What is known of images and templates: whether a node of them ever came to work.
//!
//! Deliberately blames only what has never worked, and only for nodes whose server was up: a server in ERROR, or in
//! BUILD for too long, is its cloud's doing, and what worked once is not to blame for a bad day of the network. Where
//! image and template are both new, the image is to blame; the next nodes, made from an older one, show whether it was.
//! A template that is known not to work makes no image bad.

use std::collections::{BTreeMap, BTreeSet};

use ehos_model::{CloudName, ImageId, NodeId, ServerStatus, Snapshot, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CloudMemory, Memory};
use crate::inventory::{Cause, Inventory, Node};

/// How many nodes of an image or a template are tried before it is to blame that none of them has joined.
pub(crate) const TRIALS: usize = 3;

/// What a node is made of, its flavor aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeOf {
    image: Option<ImageId>,
    template: Option<String>,
}

/// How it went with the nodes of an image, or with those that were told the same template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trial {
    /// A node has joined the pool.
    Works {
        /// When the youngest server that did was made: of two images that work, the later one.
        last: Timestamp,
    },
    /// None has joined yet.
    Unproven {
        /// The first nodes that should have, at most [`TRIALS`].
        failed: BTreeSet<NodeId>,
    },
}

impl Trial {
    const NEW: Self = Self::Unproven { failed: BTreeSet::new() };

    /// Lists the nodes that failed; none where one has joined.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &NodeId> {
        match self {
            Self::Works { .. } => None,
            Self::Unproven { failed } => Some(failed),
        }
        .into_iter()
        .flatten()
    }

    /// How many more nodes may be tried; `None` where it works.
    pub(crate) fn left(trial: Option<&Self>) -> Option<usize> {
        match trial {
            Some(Self::Works { .. }) => None,
            Some(Self::Unproven { failed }) => Some(TRIALS.saturating_sub(failed.len())),
            None => Some(TRIALS),
        }
    }

    const fn last(&self) -> Option<Timestamp> {
        match self {
            Self::Works { last } => Some(*last),
            Self::Unproven { .. } => None,
        }
    }

    fn joined(&mut self, made: Timestamp) {
        *self = Self::Works { last: self.last().map_or(made, |last| last.max(made)) };
    }

    /// Adds a node that did not join; tells whether that speaks against it.
    fn did_not_join(&mut self, node: &NodeId) -> bool {
        let Self::Unproven { failed } = self else { return false };
        if failed.len() < TRIALS {
            failed.insert(node.clone());
        }
        true
    }
}

impl CloudMemory {
    /// Gives what new nodes are made from instead of the configured image, where that one was tried in vain.
    pub(crate) fn instead(&self) -> Option<&ImageId> {
        let configured = self.configured.as_ref()?;
        let tried = Trial::left(self.images.get(configured)) == Some(0);
        tried.then(|| self.older())?
    }

    /// Finds the last image, the configured one aside, that was seen to work.
    fn older(&self) -> Option<&ImageId> {
        let others = self.images.iter().filter(|(image, _)| self.configured.as_ref() != Some(image));
        let working = others.filter_map(|(image, trial)| Some((trial.last()?, image)));
        working.max().map(|(_, image)| image)
    }
}

impl Memory {
    /// Learns what is configured, and which images and templates work. To be called before anybody is blamed.
    pub(super) fn learn_trials(&mut self, snapshot: &Snapshot, inventory: &Inventory) {
        for (name, view) in &snapshot.clouds {
            if let Some(offer) = view.offer.seen() {
                self.clouds.entry(name.clone()).or_default().configured.clone_from(&offer.image);
            }
        }
        let mut joined: BTreeMap<(&CloudName, Option<&ImageId>, Option<&str>), Timestamp> = BTreeMap::new();
        for node in inventory.nodes.iter().filter(|node| !node.slots.is_empty()) {
            if let Some(server) = &node.server {
                let last = joined
                    .entry((&node.cloud, server.image.as_ref(), server.template.as_deref()))
                    .or_insert(server.created);
                *last = server.created.max(*last);
            }
        }
        for ((cloud, image, template), made) in joined {
            let cloud = self.clouds.entry(cloud.clone()).or_default();
            if let Some(image) = image {
                cloud.images.entry(image.clone()).or_insert(Trial::NEW).joined(made);
            }
            if let Some(template) = template {
                cloud.templates.entry(template.to_owned()).or_insert(Trial::NEW).joined(made);
            }
        }
    }

    /// Counts a node that never came to work against its image or its template; gives what it was made of, if one of
    /// them may be to blame.
    pub(super) fn try_in_vain(&mut self, node: &Node, why: &Cause) -> Option<MadeOf> {
        let server = node.server.as_ref().filter(|server| server.status == ServerStatus::Active)?;
        if !matches!(why, Cause::NeverJoined { .. }) {
            return None;
        }
        let cloud = self.clouds.entry(node.cloud.clone()).or_default();
        let trial = server.template.as_ref().map(|template| cloud.templates.get(template));
        let told_in_vain = trial.is_some_and(|trial| Trial::left(trial) == Some(0));
        let image = server.image.as_ref().filter(|_| !told_in_vain);
        let blamed = image.is_some_and(|image| {
            cloud.images.entry(image.clone()).or_insert(Trial::NEW).did_not_join(&node.id)
        }) || server.template.as_ref().is_some_and(|template| {
            cloud.templates.entry(template.clone()).or_insert(Trial::NEW).did_not_join(&node.id)
        });
        blamed.then(|| MadeOf { image: server.image.clone(), template: server.template.clone() })
    }

    /// Ends the back-off of flavors whose nodes something was to blame for that nothing is made of any more, and forgets
    /// such things. To be called after all were blamed who are to blame.
    pub(super) fn close_trials(&mut self, snapshot: &Snapshot, inventory: &Inventory) {
        for (name, cloud) in &mut self.clouds {
            let Some(view) = snapshot.clouds.get(name).filter(|view| view.servers.seen().is_some()) else {
                continue;
            };
            let image = cloud.instead().or(cloud.configured.as_ref()).cloned();
            let made_of = MadeOf { image, template: view.template.clone() };
            for flavor in cloud.flavors.values_mut() {
                let suspect = flavor.backoff.as_ref().and_then(|backoff| backoff.suspect.as_ref());
                if suspect.is_some_and(|suspect| *suspect != made_of) {
                    flavor.backoff = None;
                }
            }
            let here = || inventory.nodes.iter().filter(|node| node.cloud == *name);
            let servers = || here().filter_map(|node| node.server.as_ref());
            let keep = (cloud.configured.clone(), cloud.older().cloned());
            cloud.images.retain(|image, _| {
                keep.0.as_ref() == Some(image)
                    || keep.1.as_ref() == Some(image)
                    || servers().any(|server| server.image.as_ref() == Some(image))
            });
            cloud.templates.retain(|template, _| {
                view.template.as_ref() == Some(template)
                    || servers().any(|server| server.template.as_ref() == Some(template))
            });
        }
    }
}
