//! What may still be bought in one cloud: its quota, its own ceilings, and which of its flavors can be had.
//!
//! Deliberately knows no other cloud; the pool's `nodes_max` is for the [`Budget`](super::Budget).

use std::collections::BTreeMap;

use ehos_model::{Allowance, CloudName, CloudPolicy, FlavorName, Quota, Resources, Timestamp};

use super::count;
use crate::inventory::{Node, Phase};
use crate::look::Look;
use crate::size::Size;
use crate::unmet::Blocker;

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
    pub(super) closed: Option<Blocker>,
    nodes_max: Option<u32>,
    pub(super) nodes_left: u64,
    max_creating: u32,
    pub(super) creating_left: u64,
    instances: u64,
    cores: u64,
    memory: u64,
    /// More is in use than may be, so that what a node leaves cannot be had again.
    overdrawn: bool,
}

impl Purse {
    pub(super) fn new(look: &Look, cloud: &CloudPolicy) -> Self {
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
        let left = |allowance: Allowance, reserve: u64| match allowance.max {
            Some(_) => allowance.left().saturating_sub(reserve),
            None => u64::MAX,
        };
        self.instances = left(quota.instances, cloud.reserve.instances.into());
        self.cores = left(quota.cores, cloud.reserve.cores.into());
        self.memory = left(quota.memory, cloud.reserve.memory.0);
        let over = |allowance: Allowance, reserve: u64| {
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

    pub(super) fn spend(&mut self, paper: &Resources) {
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

    /// Tells whether it has anything to make nodes of that has not failed lately, places and quota aside.
    pub(super) fn sells(&self) -> bool {
        self.closed.is_none() && self.offers.iter().any(|offer| offer.cooling.is_none())
    }

    /// Tells whether what a node of it leaves is enough for another.
    pub(super) fn replaces(&self, look: &Look, node: &Node) -> bool {
        let back = paper(look, &self.cloud, &node.flavor);
        let fits = |offer: &Offer| {
            let cores = self.cores.saturating_add(back.cores.into()) >= offer.paper.cores.into();
            cores && self.memory.saturating_add(back.memory.0) >= offer.paper.memory.0
        };
        let sold = || self.offers.iter().filter(|offer| offer.cooling.is_none());
        self.closed.is_none() && !self.overdrawn && sold().any(fits)
    }

    pub(super) fn blocker(&self, offer: &Offer) -> Option<Blocker> {
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
    pub(super) fn blocker_but_places(&self, offer: &Offer) -> Option<Blocker> {
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
