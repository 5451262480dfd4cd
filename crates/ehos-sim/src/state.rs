//! The table of the world and the events that change it as time goes on.
//!
//! Deliberately reads no clock: the moment is an argument, and events of one moment happen in the order of their
//! making, so that a world can be lived again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ehos_model::{CloudName, ImageId, Machine, ServerId, Slot, Timestamp};

use crate::faults::{Health, NextServer};
use crate::images::{ImageRecord, NextImage};
use crate::prepare::Account;
use crate::queue::{JobId, Queue};
use crate::servers::{CloudState, Order, ServerRecord};
use crate::settings::{EmbeddedCloudSettings, WorldSettings};
use crate::startds::Startd;
use crate::stats::Tally;

/// A moment, counted from the beginning of the world.
pub(crate) type Moment = Duration;

/// What is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An order whose answer was lost is carried out, or not, and nobody is told.
    LateOrder(Order),
    /// A server has come up.
    Active(ServerId),
    /// A server cannot be made.
    Fail(ServerId),
    /// The startd of a server joins the pool.
    Join(ServerId),
    /// A server of role `build` says on its console how it went.
    Speaks(ServerId),
    /// A server powers itself off.
    PowersOff(ServerId),
    /// An image is made, or not.
    ImageDone(ImageId, NextImage),
    /// A deleted server leaves the listing.
    Gone(ServerId),
    /// A startd's ad reaches the collector since its state changed.
    Advertise(Machine),
    /// A startd's ad reaches the collector since it is time.
    Update(Machine),
    /// The collector has come up again.
    CollectorUp,
    /// The negotiator matches jobs and slots.
    Negotiate,
    /// A job ends, if it is still in this run.
    JobEnd { job: JobId, run: u32 },
    /// The schedd gives up a job whose machine has vanished.
    LeaseEnd { job: JobId, run: u32 },
}

/// All of the world.
pub(crate) struct State {
    pub(crate) settings: WorldSettings,
    pub(crate) now: Moment,
    pub(crate) dice: fastrand::Rng,
    events: BTreeMap<(Moment, u64), Event>,
    serial: u64,
    pub(crate) clouds: BTreeMap<CloudName, CloudState>,
    pub(crate) servers: BTreeMap<ServerId, ServerRecord>,
    pub(crate) images: BTreeMap<ImageId, ImageRecord>,
    /// What else the clouds' accounts hold.
    pub(crate) accounts: BTreeMap<CloudName, Account>,
    pub(crate) startds: BTreeMap<Machine, Startd>,
    /// What the collector knows, which lags behind what the startds are.
    pub(crate) ads: BTreeMap<Machine, Slot>,
    pub(crate) collector_down: bool,
    pub(crate) pool_health: Health,
    /// Images whose servers never join.
    pub(crate) spoilt: BTreeSet<ImageId>,
    pub(crate) queue: Queue,
    pub(crate) tally: Tally,
}

impl State {
    pub(crate) fn new(settings: WorldSettings) -> Self {
        let mut state = Self {
            dice: fastrand::Rng::with_seed(settings.seed),
            now: Moment::ZERO,
            events: BTreeMap::new(),
            serial: 0,
            clouds: BTreeMap::new(),
            servers: BTreeMap::new(),
            images: BTreeMap::new(),
            accounts: BTreeMap::new(),
            startds: BTreeMap::new(),
            ads: BTreeMap::new(),
            collector_down: false,
            pool_health: Health::Well,
            spoilt: BTreeSet::new(),
            queue: Queue::default(),
            tally: Tally::default(),
            settings,
        };
        state.after(state.settings.negotiation, Event::Negotiate);
        state
    }

    pub(crate) fn add_cloud(&mut self, settings: EmbeddedCloudSettings) {
        self.clouds.insert(settings.name.clone(), CloudState::new(settings));
    }

    /// Says what a moment is in the calendar.
    pub(crate) fn timestamp(&self, moment: Moment) -> Timestamp {
        jiff::SignedDuration::try_from(moment)
            .ok()
            .and_then(|since| self.settings.epoch.checked_add(since).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Lets an event happen in a while.
    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((self.now.saturating_add(delay), self.serial), event);
    }

    /// Counts the orders that are yet to be carried out.
    pub(crate) fn late_orders(&self) -> u64 {
        self.events.values().filter(|event| matches!(event, Event::LateOrder(_))).count() as u64
    }

    /// Lets all happen that was to happen until `moment`.
    pub(crate) fn advance(&mut self, moment: Moment) {
        while let Some(next) = self.events.first_entry().filter(|next| next.key().0 <= moment) {
            let ((at, _), event) = next.remove_entry();
            self.now = at;
            self.happen(event);
        }
        self.now = self.now.max(moment);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::LateOrder(order) => drop(self.carry_out(order, &NextServer::Fine)),
            Event::Active(server) => self.server_active(&server),
            Event::Fail(server) => self.server_failed(&server),
            Event::Join(server) => self.startd_joins(&server),
            Event::Speaks(server) => self.server_speaks(&server),
            Event::PowersOff(server) => self.server_powers_off(&server),
            Event::ImageDone(image, next) => self.image_done(&image, next),
            Event::Gone(server) => drop(self.servers.remove(&server)),
            Event::Advertise(machine) => self.advertise(&machine),
            Event::Update(machine) => self.update(&machine),
            Event::CollectorUp => self.collector_up(),
            Event::Negotiate => {
                self.negotiate();
                // A round without pause would never end.
                self.after(self.settings.negotiation.max(Duration::from_millis(1)), Event::Negotiate);
            }
            Event::JobEnd { job, run } => self.job_ends(job, run),
            Event::LeaseEnd { job, run } => self.lease_ends(job, run),
        }
    }
}
