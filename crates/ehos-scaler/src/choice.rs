//! Chooses the cloud and the flavor of the next node, by the operator's allocation.
//!
//! Deliberately chooses only among what the budget can pay now; what is bought, and for whom, is for the callers.
//!
//! - `round-robin`: the cloud after the one that got the last order, in the configuration's order.
//! - `random`: by the snapshot's dice.
//! - `fill-first`: the lowest `priority`, the configuration's order deciding ties, until it is full.
//! - `cheapest`: the least money for a job, `price` × cores ÷ jobs that the node takes; clouds without a price last.
//! - `least-waste`: the flavor, of any cloud, that the waiting jobs leave least of unused.
//!
//! Within a cloud it is the flavor that the waiting jobs leave least of unused, the larger one of two that are equal:
//! the smallest that fits where one job waits, a large one where many do.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ehos_model::{CloudName, NodeAllocation, Resources};

use crate::budget::{Budget, Offer};
use crate::dice::Dice;
use crate::look::Look;
use crate::packer::fill;
use crate::size::Size;
use crate::unmet::Waiting;

/// What a node of one size would take of the waiting jobs.
#[derive(Clone, Debug)]
pub(crate) struct Basket {
    /// Jobs by the index of their shape.
    pub(crate) taken: Vec<(usize, u64)>,
    unused: Resources,
}

impl Basket {
    /// How many jobs it takes.
    pub(crate) fn jobs(&self) -> u64 {
        self.taken.iter().map(|(_, n)| n).sum()
    }

    /// How much of a node stays unused: thousandths of its cores, of its memory and of its GPUs, added up.
    fn waste(&self, whole: &Resources) -> u64 {
        let share = |unused: u64, of: u64| (unused.saturating_mul(1000)).checked_div(of).unwrap_or(0);
        share(self.unused.cores.into(), whole.cores.into())
            + share(self.unused.memory.0, whole.memory.0)
            + share(self.unused.gpus.into(), whole.gpus.into())
    }
}

/// What nodes of each size would take, worked out once as long as it stays true.
#[derive(Default)]
pub(crate) struct Baskets(BTreeMap<Size, Basket>);

impl Baskets {
    /// A basket stays what it is while there are jobs enough to fill it: what did not fit then does not fit now.
    pub(crate) fn of(&mut self, size: Size, shapes: &[Waiting]) -> &Basket {
        let stale = |basket: &Basket| !holds(basket, shapes);
        if self.0.get(&size).is_none_or(stale) {
            let (taken, unused) = fill(size.rooms(), shapes);
            self.0.insert(size, Basket { taken, unused });
        }
        self.0.entry(size).or_insert(Basket { taken: Vec::new(), unused: Resources::default() })
    }
}

fn holds(basket: &Basket, shapes: &[Waiting]) -> bool {
    let mut need: BTreeMap<usize, u64> = BTreeMap::new();
    for (shape, n) in &basket.taken {
        *need.entry(*shape).or_default() += n;
    }
    !need.is_empty() && need.iter().all(|(shape, n)| shapes.get(*shape).is_some_and(|shape| shape.jobs >= *n))
}

/// One thing that could be bought.
struct Candidate {
    purse: usize,
    offer: usize,
    waste: u64,
    cores: u32,
    jobs: u64,
}

/// The choice, with what it remembers from one node to the next.
pub(crate) struct Chooser<'a> {
    look: Look<'a>,
    last: Option<CloudName>,
    dice: Dice,
    baskets: Baskets,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(look: Look<'a>) -> Self {
        let dice = Dice::new(look.snapshot.seed ^ 0x616c_6c6f_6361_7465);
        Self { look, last: look.memory.last_cloud.clone(), dice, baskets: Baskets::default() }
    }

    /// Chooses for the waiting jobs, of which the one at `lead` must fit. Gives the purse and the offer.
    pub(crate) fn for_jobs(
        &mut self,
        budget: &Budget,
        shapes: &[Waiting],
        lead: usize,
    ) -> Option<(usize, usize)> {
        let request = shapes.get(lead)?.request;
        let mut options = Vec::new();
        for (purse, offer, sold) in affordable(budget).filter(|(_, _, sold)| request.fits_in(&sold.size.slot))
        {
            let basket = self.baskets.of(sold.size, shapes);
            let waste = basket.waste(&sold.size.whole());
            options.push(Candidate { purse, offer, waste, cores: sold.paper.cores, jobs: basket.jobs() });
        }
        self.pick(budget, options)
    }

    /// Chooses for nobody in particular: the preferred flavor of each cloud.
    pub(crate) fn for_reserve(&mut self, budget: &Budget) -> Option<(usize, usize)> {
        let mut options: Vec<Candidate> = Vec::new();
        for (purse, offer, sold) in affordable(budget) {
            if options.last().is_none_or(|last| last.purse != purse) {
                options.push(Candidate { purse, offer, waste: 0, cores: sold.paper.cores, jobs: 1 });
            }
        }
        self.pick(budget, options)
    }

    /// What a node of this offer would take of the waiting jobs.
    pub(crate) fn basket(&mut self, sold: &Offer, shapes: &[Waiting]) -> Basket {
        self.baskets.of(sold.size, shapes).clone()
    }

    fn pick(&mut self, budget: &Budget, options: Vec<Candidate>) -> Option<(usize, usize)> {
        let by_cost = |a: &Candidate, b: &Candidate| self.cost(a).total_cmp(&self.cost(b));
        let by_waste =
            |a: &Candidate, b: &Candidate| (a.waste, Reverse(a.cores)).cmp(&(b.waste, Reverse(b.cores)));
        let position = |option: &Candidate| (self.priority(option.purse), option.purse, option.offer);
        let by_position = |a: &Candidate, b: &Candidate| position(a).cmp(&position(b));
        let allocation = self.look.policy.allocation;
        let best = match allocation {
            NodeAllocation::Cheapest => options
                .into_iter()
                .min_by(|a, b| by_cost(a, b).then_with(|| by_waste(a, b)).then_with(|| by_position(a, b))),
            NodeAllocation::LeastWaste => {
                options.into_iter().min_by(|a, b| by_waste(a, b).then_with(|| by_position(a, b)))
            }
            NodeAllocation::FillFirst => options.into_iter().min_by(|a, b| {
                let cloud = |o: &Candidate| (self.priority(o.purse), o.purse);
                cloud(a).cmp(&cloud(b)).then_with(|| by_waste(a, b)).then(a.offer.cmp(&b.offer))
            }),
            NodeAllocation::RoundRobin | NodeAllocation::Random => {
                let mut clouds: Vec<usize> = options.iter().map(|option| option.purse).collect();
                clouds.dedup();
                let cloud = match allocation {
                    NodeAllocation::Random => clouds.get(self.dice.below(clouds.len())).copied(),
                    _ => self.next_after_last(&clouds),
                };
                options
                    .into_iter()
                    .filter(|option| Some(option.purse) == cloud)
                    .min_by(|a, b| by_waste(a, b).then(a.offer.cmp(&b.offer)))
            }
        }?;
        self.last = budget.purses.get(best.purse).map(|purse| purse.cloud.clone());
        Some((best.purse, best.offer))
    }

    fn next_after_last(&self, clouds: &[usize]) -> Option<usize> {
        let last = self
            .last
            .as_ref()
            .and_then(|last| self.look.policy.clouds.iter().position(|cloud| cloud.name == *last));
        let next = clouds.iter().find(|purse| last.is_some_and(|last| **purse > last));
        next.or(clouds.first()).copied()
    }

    fn priority(&self, purse: usize) -> i32 {
        self.look.policy.clouds.get(purse).map_or(0, |cloud| cloud.priority)
    }

    /// Money for a job; infinite where the cloud has no price.
    fn cost(&self, option: &Candidate) -> f64 {
        let price = self.look.policy.clouds.get(option.purse).and_then(|cloud| cloud.price);
        let jobs = u32::try_from(option.jobs.max(1)).unwrap_or(u32::MAX);
        price.map_or(f64::INFINITY, |price| price * f64::from(option.cores) / f64::from(jobs))
    }
}

/// Lists what can be paid for now, in the configuration's order.
fn affordable(budget: &Budget) -> impl Iterator<Item = (usize, usize, &Offer)> {
    budget.purses.iter().enumerate().flat_map(move |(p, purse)| {
        purse
            .offers
            .iter()
            .enumerate()
            .filter(move |(o, _)| budget.blocker(p, *o).is_none())
            .map(move |(o, offer)| (p, o, offer))
    })
}
