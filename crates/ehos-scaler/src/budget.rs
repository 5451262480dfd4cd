//! What may be bought: the one place that spends `nodes_max`, quotas, per-cloud ceilings and back-off.
//!
//! Deliberately pessimistic. All that exists counts, in any phase; what is ordered and not listed is taken off the
//! quota as well, although the cloud may have done so already; and a cloud whose servers nobody has listed since the
//! memory began may have as many as its ceiling lets it, since unknown is not empty.

use std::collections::BTreeMap;

use ehos_model::{CloudName, CloudPolicy, FlavorName, Quota, Resources, Timestamp};

use crate::inventory::{Node, Phase};
use crate::look::Look;
use crate::size::Size;
use crate::unmet::Blocker;

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

/// A flavor of a cloud that can be bought, as far as size goes.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) flavor: FlavorName,
    /// What it costs in quota.
    pub(crate) paper: Resources,
    /// What it offers to jobs.
    pub(crate) size: Size,
    cooling: Option<(Timestamp, String)>,
}

/// What may still be bought in one cloud.
#[derive(Debug)]
pub(crate) struct Purse {
    pub(crate) cloud: CloudName,
    pub(crate) offers: Vec<Offer>,
    /// Why nothing at all can be bought there.
    closed: Option<Blocker>,
    nodes_max: Option<u32>,
    nodes_left: u64,
    max_creating: u32,
    creating_left: u64,
    instances: u64,
    cores: u64,
    memory: u64,
    /// More is in use than may be, so that what a node leaves cannot be had again.
    overdrawn: bool,
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
        self.purse(cloud)
            .is_some_and(|purse| purse.closed.is_none() && purse.offers.iter().any(|o| o.cooling.is_none()))
    }

    /// Tells whether its cloud could make another node in a node's place.
    pub(crate) fn replaces(&self, look: &Look, node: &Node) -> bool {
        let Some(purse) = self.purse(&node.cloud).filter(|_| self.sells(&node.cloud)) else { return false };
        let back = paper(look, &node.cloud, &node.flavor);
        let fits = |offer: &Offer| {
            let cores = purse.cores.saturating_add(back.cores.into()) >= offer.paper.cores.into();
            cores && purse.memory.saturating_add(back.memory.0) >= offer.paper.memory.0
        };
        !purse.overdrawn && purse.offers.iter().any(|offer| offer.cooling.is_none() && fits(offer))
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

impl Purse {
    fn new(look: &Look, cloud: &CloudPolicy) -> Self {
        let mut purse = Self {
            cloud: cloud.name.clone(),
            offers: Vec::new(),
            closed: None,
            nodes_max: cloud.nodes_max,
            nodes_left: cloud
                .nodes_max
                .map_or(u64::MAX, |max| u64::from(max).saturating_sub(count(look.existing_in(&cloud.name)))),
            max_creating: cloud.max_creating.get(),
            creating_left: 0,
            instances: 0,
            cores: 0,
            memory: 0,
            overdrawn: false,
        };
        let view = look.snapshot.clouds.get(&cloud.name);
        let Some(offer) =
            view.filter(|view| view.servers.seen().is_some()).and_then(|view| view.offer.seen())
        else {
            purse.closed = Some(Blocker::CloudUnknown { cloud: cloud.name.clone() });
            return purse;
        };
        if offer.image.is_none() {
            purse.closed = Some(Blocker::NoImage { cloud: cloud.name.clone() });
        }
        purse.offers = offers(look, cloud);
        purse.open(look, cloud, &offer.quota);
        purse
    }

    /// Takes what is reserved and what is under way off the quota.
    fn open(&mut self, look: &Look, cloud: &CloudPolicy, quota: &Quota) {
        let left = |allowance: ehos_model::Allowance, reserve: u64| match allowance.max {
            Some(_) => allowance.left().saturating_sub(reserve),
            None => u64::MAX,
        };
        self.instances = left(quota.instances, cloud.reserve.instances.into());
        self.cores = left(quota.cores, cloud.reserve.cores.into());
        self.memory = left(quota.memory, cloud.reserve.memory.0);
        let over = |allowance: ehos_model::Allowance, reserve: u64| {
            allowance.max.is_some_and(|max| allowance.used.saturating_add(reserve) > max)
        };
        self.overdrawn = over(quota.instances, cloud.reserve.instances.into())
            || over(quota.cores, cloud.reserve.cores.into())
            || over(quota.memory, cloud.reserve.memory.0);
        let here = || look.inventory.nodes.iter().filter(|node| node.cloud == cloud.name);
        let building = here().filter(|node| matches!(node.phase, Phase::Building { .. })).count();
        self.creating_left = u64::from(self.max_creating).saturating_sub(count(building));
        let mut papers: BTreeMap<&FlavorName, Resources> = BTreeMap::new();
        for node in here().filter(|node| is_ahead_of_quota(look, node)) {
            let paper = *papers.entry(&node.flavor).or_insert_with(|| paper(look, &cloud.name, &node.flavor));
            self.spend(&paper);
        }
    }

    fn spend(&mut self, paper: &Resources) {
        for (have, cost) in [
            (&mut self.instances, 1),
            (&mut self.cores, paper.cores.into()),
            (&mut self.memory, paper.memory.0),
        ] {
            if *have != u64::MAX {
                *have = have.saturating_sub(cost);
            }
        }
    }

    fn blocker(&self, offer: &Offer) -> Option<Blocker> {
        let full = || {
            let max = self.nodes_max.unwrap_or(0);
            (self.nodes_left == 0).then(|| Blocker::NodeLimit { cloud: Some(self.cloud.clone()), max })
        };
        match self.blocker_but_places(offer) {
            Some(blocker @ (Blocker::Quota { .. } | Blocker::Creating { .. })) => full().or(Some(blocker)),
            None => full(),
            other => other,
        }
    }

    /// Tells what stands against one more node, its cloud's own `nodes_max` aside.
    fn blocker_but_places(&self, offer: &Offer) -> Option<Blocker> {
        let cloud = || self.cloud.clone();
        if let Some(closed) = &self.closed {
            return Some(closed.clone());
        }
        if let Some((until, why)) = &offer.cooling {
            return Some(Blocker::CoolDown { until: *until, why: why.clone() });
        }
        let paper = &offer.paper;
        if self.instances == 0 || self.cores < paper.cores.into() || self.memory < paper.memory.0 {
            return Some(Blocker::Quota { cloud: cloud() });
        }
        (self.creating_left == 0).then(|| Blocker::Creating { cloud: cloud(), max: self.max_creating })
    }
}

/// Tells whether a node is so new that the quota may not know of it: ordered and not listed, or made after the
/// quota was asked for.
fn is_ahead_of_quota(look: &Look, node: &Node) -> bool {
    let asked = look.snapshot.clouds.get(&node.cloud).and_then(|view| match &view.offer {
        ehos_model::Observed::Seen { at, .. } => Some(*at),
        ehos_model::Observed::Unknown { .. } => None,
    });
    match &node.server {
        None => look.memory.orders.contains_key(&node.id),
        Some(server) => asked.is_some_and(|asked| server.created > asked),
    }
}

fn paper(look: &Look, cloud: &CloudName, flavor: &FlavorName) -> Resources {
    let sold = look.flavors(cloud).find(|sold| sold.name == *flavor).map(|sold| sold.size);
    let remembered = || look.memory.clouds.get(cloud)?.flavors.get(flavor)?.paper;
    sold.or_else(remembered).unwrap_or_default()
}

/// Lists the configured flavors that the cloud has, in the order of preference.
fn offers(look: &Look, cloud: &CloudPolicy) -> Vec<Offer> {
    let memory = look.memory.clouds.get(&cloud.name);
    cloud
        .flavors
        .iter()
        .filter_map(|name| {
            let sold = look.flavors(&cloud.name).find(|sold| sold.name == *name)?;
            let of_flavor =
                memory.and_then(|memory| memory.flavors.get(name)).and_then(|f| f.backoff.as_ref());
            let of_cloud = memory.and_then(|memory| memory.backoff.as_ref());
            let cooling = [of_flavor, of_cloud]
                .into_iter()
                .flatten()
                .filter(|backoff| backoff.until > look.at())
                .max_by_key(|backoff| backoff.until)
                .map(|backoff| (backoff.until, format!("{name} in {}: {}", cloud.name, backoff.why)));
            let size = look.size(&cloud.name, name)?;
            Some(Offer { flavor: name.clone(), paper: sold.size, size, cooling })
        })
        .collect()
}

pub(crate) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
