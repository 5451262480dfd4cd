//! Startds, and the collector that knows of them a little later.
//!
//! Deliberately knows jobs by their numbers only: the queue keeps them.

use std::collections::BTreeSet;
use std::time::Duration;

use ehos_model::{
    Activity, CloudName, FlavorName, Machine, NodeId, PoolId, Resources, Role, ServerId, ServerStatus, Slot,
    SlotKind, SlotState,
};

use crate::queue::JobId;
use crate::state::{Event, Moment, State};

/// A startd with one partitionable slot.
pub(crate) struct Startd {
    pub(crate) machine: Machine,
    pub(crate) pool: PoolId,
    pub(crate) node: NodeId,
    pub(crate) cloud: CloudName,
    pub(crate) flavor: FlavorName,
    pub(crate) total: Resources,
    pub(crate) free: Resources,
    pub(crate) jobs: BTreeSet<JobId>,
    pub(crate) draining: bool,
    /// Whether it takes the job that probes it and no other.
    pub(crate) is_probe: bool,
    pub(crate) job_starts: u64,
    started: Moment,
    state_since: Moment,
    /// An ad is under way that will tell the newest state.
    ad_under_way: bool,
}

impl State {
    pub(crate) fn startd_joins(&mut self, id: &ServerId) {
        let Some(server) = self.servers.get(id).filter(|server| server.status == ServerStatus::Active) else {
            return;
        };
        let machine = Machine::new(server.node.as_str());
        let startd = Startd {
            machine: machine.clone(),
            pool: server.pool.clone(),
            node: server.node.clone(),
            cloud: server.cloud.clone(),
            flavor: server.flavor.name.clone(),
            total: server.flavor.size,
            free: server.flavor.size,
            jobs: BTreeSet::new(),
            draining: false,
            is_probe: server.role == Role::Build,
            job_starts: 0,
            started: self.now,
            state_since: self.now,
            ad_under_way: false,
        };
        self.startds.insert(machine.clone(), startd);
        self.update(&machine);
    }

    /// Has the collector hear of a change a little later.
    pub(crate) fn changed(&mut self, machine: &Machine) {
        let lag = self.settings.ad_lag;
        if let Some(startd) = self.startds.get_mut(machine)
            && !startd.ad_under_way
        {
            startd.ad_under_way = true;
            self.after(lag, Event::Advertise(machine.clone()));
        }
    }

    pub(crate) fn set_draining(&mut self, machine: &Machine, draining: bool) {
        let now = self.now;
        if let Some(startd) = self.startds.get_mut(machine) {
            startd.draining = draining;
            startd.state_since = now;
        }
        self.changed(machine);
    }

    /// Puts a startd's ad into the collector, if that one is there to hear it.
    pub(crate) fn advertise(&mut self, machine: &Machine) {
        let Some(startd) = self.startds.get_mut(machine) else { return };
        startd.ad_under_way = false;
        if self.collector_down {
            return;
        }
        if let Some(ad) = self.startds.get(machine).map(|startd| self.ad(startd)) {
            self.ads.insert(machine.clone(), ad);
        }
    }

    /// Puts a startd's ad into the collector and has the next one follow in time.
    pub(crate) fn update(&mut self, machine: &Machine) {
        if self.startds.contains_key(machine) {
            self.advertise(machine);
            // Updates without pause would never end.
            let interval = self.settings.ad_interval.max(Duration::from_millis(1));
            self.after(interval, Event::Update(machine.clone()));
        }
    }

    pub(crate) fn restart_collector(&mut self, down: Duration) {
        self.ads.clear();
        self.collector_down = true;
        self.after(down, Event::CollectorUp);
    }

    /// Ends the collector's silence: by now every startd that lives has told it of itself.
    pub(crate) fn collector_up(&mut self) {
        self.collector_down = false;
        let machines: Vec<_> = self.startds.keys().cloned().collect();
        for machine in &machines {
            self.advertise(machine);
        }
    }

    fn ad(&self, startd: &Startd) -> Slot {
        Slot {
            name: format!("slot1@{}", startd.machine),
            machine: startd.machine.clone(),
            pool: Some(startd.pool.clone()),
            node: Some(startd.node.clone()),
            cloud: Some(startd.cloud.clone()),
            flavor: Some(startd.flavor.clone()),
            kind: SlotKind::Partitionable,
            state: if startd.draining { SlotState::Drained } else { SlotState::Unclaimed },
            activity: Activity::Idle,
            total: startd.total,
            free: startd.free,
            claims: u32::try_from(startd.jobs.len()).unwrap_or(u32::MAX),
            draining: startd.draining,
            job_starts: startd.job_starts,
            heard: self.timestamp(self.now),
            started: self.timestamp(startd.started),
            state_since: self.timestamp(startd.state_since),
        }
    }
}
