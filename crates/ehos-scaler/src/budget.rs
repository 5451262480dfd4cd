//! What may be bought: the one place that spends `nodes_max`, quotas, per-cloud ceilings and back-off.
//!
//! Deliberately pessimistic. All that exists counts, in any phase; what is ordered and not listed is taken off the
//! quota as well, although the cloud may have done so already; and a cloud whose servers nobody has listed since the
//! memory began may have as many as its ceiling lets it, since unknown is not empty.

mod purse;

use ehos_model::{CloudName, FlavorName, Resources};

use crate::inventory::Node;
use crate::look::Look;
use crate::unmet::Blocker;

pub(crate) use purse::{Offer, Purse};

/// A node that has been paid for. Only a [`Budget`] makes one.
#[derive(Debug)]
pub(crate) struct Placement {
    cloud: CloudName,
    flavor: FlavorName,
}

impl Placement {
    pub(crate) fn into_parts(self) -> (CloudName, FlavorName) {
        (self.cloud, self.flavor)
    }
}

/// What may still be bought, everywhere.
#[derive(Debug)]
pub(crate) struct Budget {
    max: u32,
    left: u64,
    /// A cloud that may hold nodes nobody knows of.
    unseen: Option<CloudName>,
    /// In the configuration's order.
    pub(crate) purses: Vec<Purse>,
}

/// Where a node would have to go for another to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    In(CloudName),
}

impl Place {
    /// Tells whether a node of this cloud holds it.
    pub(crate) fn is_held_in(&self, cloud: &CloudName) -> bool {
        match self {
            Self::Anywhere => true,
            Self::In(full) => full == cloud,
        }
    }
}

impl Budget {
    pub(crate) fn new(look: &Look) -> Self {
        let max = look.policy.limits.max();
        let mut left = u64::from(max).saturating_sub(count(look.inventory.existing()));
        let mut unseen = None;
        for cloud in &look.policy.clouds {
            let listed = look.memory.clouds.get(&cloud.name).is_some_and(|cloud| cloud.listed.is_some());
            if !listed && !look.cloud_known(&cloud.name) {
                let most = cloud.nodes_max.map_or(u64::MAX, u64::from);
                left = left.saturating_sub(most.saturating_sub(count(look.existing_in(&cloud.name))));
                unseen = Some(cloud.name.clone());
            }
        }
        let purses = look.policy.clouds.iter().map(|cloud| Purse::new(look, cloud)).collect();
        Self { max, left, unseen, purses }
    }

    /// Tells why nothing can be bought anywhere, if so.
    pub(crate) fn exhausted(&self) -> Option<Blocker> {
        if self.left > 0 {
            return None;
        }
        Some(match &self.unseen {
            Some(cloud) => Blocker::CloudUnknown { cloud: cloud.clone() },
            None => Blocker::NodeLimit { cloud: None, max: self.max },
        })
    }

    /// Tells what stands against one more node of a flavor.
    pub(crate) fn blocker(&self, purse: usize, offer: usize) -> Option<Blocker> {
        let purse = &self.purses[purse];
        self.exhausted().or_else(|| purse.blocker(&purse.offers[offer]))
    }

    /// Finds where one node less would let such a job have its node, when nothing else stands against it.
    pub(crate) fn place_for(&self, request: &Resources) -> Option<Place> {
        let pool_full = matches!(self.exhausted(), Some(Blocker::NodeLimit { .. }));
        if !pool_full && self.exhausted().is_some() {
            return None;
        }
        self.purses.iter().find_map(|purse| {
            let sells = |offer: &Offer| {
                request.fits_in(&offer.size.slot)
                    && matches!(purse.blocker_but_places(offer), None | Some(Blocker::Creating { .. }))
            };
            if !purse.offers.iter().any(sells) {
                return None;
            }
            match (pool_full, purse.nodes_left) {
                (_, 0) => Some(Place::In(purse.cloud.clone())),
                (true, _) => Some(Place::Anywhere),
                (false, _) => None,
            }
        })
    }

    /// Tells whether a cloud has anything to make nodes of that has not failed lately, places and quota aside.
    pub(crate) fn sells(&self, cloud: &CloudName) -> bool {
        self.purse(cloud).is_some_and(Purse::sells)
    }

    /// Tells whether its cloud could make another node in a node's place.
    pub(crate) fn replaces(&self, look: &Look, node: &Node) -> bool {
        self.purse(&node.cloud).is_some_and(|purse| purse.replaces(look, node))
    }

    fn purse(&self, cloud: &CloudName) -> Option<&Purse> {
        self.purses.iter().find(|purse| purse.cloud == *cloud)
    }

    /// Buys a node, if it may be bought.
    pub(crate) fn buy(&mut self, purse: usize, offer: usize) -> Result<Placement, Blocker> {
        if let Some(blocker) = self.blocker(purse, offer) {
            return Err(blocker);
        }
        self.left -= 1;
        let purse = &mut self.purses[purse];
        let paper = purse.offers[offer].paper;
        purse.nodes_left -= 1;
        purse.creating_left -= 1;
        purse.spend(&paper);
        Ok(Placement { cloud: purse.cloud.clone(), flavor: purse.offers[offer].flavor.clone() })
    }

    /// Tells why a cloud sells nothing at all, if so.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &Blocker> {
        self.purses.iter().filter_map(|purse| purse.closed.as_ref())
    }
}

pub(crate) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
