//! Drift: nodes that differ from what would be made now, in image, template or flavor; and how many may go at a time.
//!
//! Deliberately knows no drift where anything is unknown, and none that an image or a template would have to answer
//! for that was tried in vain: what works stays until there is something to take its place.

use std::collections::BTreeMap;

use ehos_model::{CloudName, CloudPolicy, FlavorName, ImageId, Server};

use crate::cover::{Cover, is_booting};
use crate::inventory::{Node, Phase, UNKNOWN_FLAVOR};
use crate::look::Look;
use crate::memory::Trial;
use crate::step::{Action, Step};

/// What the nodes of a cloud are made of now.
struct Make<'a> {
    image: &'a ImageId,
    template: Option<&'a String>,
    flavors: &'a [FlavorName],
    /// How many nodes of it may be tried, as long as none has joined.
    trials: Option<usize>,
}

/// Who differs from it.
pub(crate) struct Drift<'a> {
    makes: BTreeMap<&'a CloudName, Make<'a>>,
    /// By index into the inventory; only of nodes that are idle or on their way out.
    nodes: Vec<bool>,
}

impl<'a> Drift<'a> {
    pub(crate) fn new(look: &Look<'a>) -> Self {
        let clouds = look.policy.clouds.iter();
        let makes = clouds.filter_map(|cloud| Some((&cloud.name, Make::new(look, cloud)?))).collect();
        let mut drift = Self { makes, nodes: Vec::new() };
        let nodes = look.inventory.nodes.iter();
        drift.nodes = nodes
            .map(|node| matches!(node.phase, Phase::Idle { .. }) || node.phase.is_leaving())
            .zip(&look.inventory.nodes)
            .map(|(asked, node)| asked && drift.reason(node).is_some())
            .collect();
        drift
    }

    /// Tells whether a node differs, by its index.
    pub(crate) fn of(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|drifts| *drifts)
    }

    /// Says in what a node differs, if it does.
    pub(crate) fn reason<'b>(&'b self, node: &'b Node) -> Option<Reason<'b>> {
        let (make, server) = (self.makes.get(&node.cloud)?, node.server.as_ref()?);
        make.differs(server)
    }
}

impl<'a> Make<'a> {
    /// Nothing is to be replaced in a cloud that has nothing to replace it with, or whose new nodes do not join.
    fn new(look: &Look<'a>, cloud: &'a CloudPolicy) -> Option<Self> {
        let view = look.snapshot.clouds.get(&cloud.name)?;
        let configured = view.offer.seen()?.image.as_ref()?;
        let memory = look.memory.clouds.get(&cloud.name);
        let image = memory.and_then(|memory| memory.instead()).unwrap_or(configured);
        let template = view.template.as_ref();
        let of_image = Trial::left(memory.and_then(|memory| memory.images.get(image)));
        let of_template =
            template.and_then(|text| Trial::left(memory.and_then(|memory| memory.templates.get(text))));
        let trials = [of_image, of_template].into_iter().flatten().min();
        (trials != Some(0)).then_some(Self { image, template, flavors: &cloud.flavors, trials })
    }

    fn differs<'b>(&'b self, server: &'b Server) -> Option<Reason<'b>> {
        if let Some(has) = server.image.as_ref().filter(|has| *has != self.image) {
            return Some(Reason::Image { has, wanted: self.image });
        }
        if let (Some(has), Some(wanted)) = (&server.template, self.template)
            && has != wanted
        {
            return Some(Reason::Template);
        }
        let flavor = &server.flavor;
        let known = flavor.as_str() != UNKNOWN_FLAVOR;
        (known && !self.flavors.contains(flavor)).then_some(Reason::Flavor(flavor))
    }
}

/// In what a node differs.
pub(crate) enum Reason<'a> {
    Image { has: &'a ImageId, wanted: &'a ImageId },
    Template,
    Flavor(&'a FlavorName),
}

impl std::fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image { has, wanted } => {
                write!(f, "it was made from image {has}, new nodes are made from {wanted}")
            }
            Self::Template => write!(f, "it was told another execute.yaml than new nodes are"),
            Self::Flavor(flavor) => write!(f, "its flavor {flavor} is not configured any more"),
        }
    }
}

/// How many more nodes may go because they differ.
///
/// What counts against it are differing nodes on their way out, and nodes that boot for no waiting job: those come
/// for the ones that went. So a new image spreads no faster than its nodes join.
pub(crate) struct Replacing<'a> {
    left: u64,
    /// Of clouds of whose make no node has joined yet.
    trials: BTreeMap<&'a CloudName, u64>,
}

impl<'a> Replacing<'a> {
    /// One in ten of `live`, at least one; `headroom` are the steps of that phase.
    pub(crate) fn new(look: &Look, cover: &Cover, drift: &Drift<'a>, live: u64, headroom: &[Step]) -> Self {
        let trials = drift
            .makes
            .iter()
            .filter_map(|(cloud, make)| Some((*cloud, u64::try_from(make.trials?).unwrap_or(u64::MAX))));
        let mut replacing = Self { left: (live / 10).max(1), trials: trials.collect() };
        for (i, node) in look.inventory.nodes.iter().enumerate() {
            // With claims on it somebody else has drained it, and it may take days.
            let goes = match node.phase {
                Phase::Draining { claims, .. } => claims == 0,
                Phase::Drained { .. } | Phase::Deleting => true,
                _ => false,
            };
            if (goes && drift.of(i)) || (is_booting(node) && !cover.touched[i]) {
                replacing.count(&node.cloud);
            }
        }
        for step in headroom {
            if let Action::Create { cloud, .. } = &step.action {
                replacing.count(cloud);
            }
        }
        replacing
    }

    /// Tells whether one more of a cloud may go.
    pub(crate) fn allows(&self, cloud: &CloudName) -> bool {
        self.left > 0 && self.trials.get(cloud).is_none_or(|left| *left > 0)
    }

    /// Counts one that goes, or comes for one that went.
    pub(crate) fn count(&mut self, cloud: &CloudName) {
        self.left = self.left.saturating_sub(1);
        if let Some(left) = self.trials.get_mut(cloud) {
            *left = left.saturating_sub(1);
        }
    }
}
