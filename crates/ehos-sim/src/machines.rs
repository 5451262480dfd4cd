//! Servers from their order to their end, and the startds on them.
//!
//! Deliberately knows no jobs but by number: the queue keeps them.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ehos_cloud::ServerOrder;
use ehos_model::{
    Activity, Allowance, CloudName, Failure, FailureKind, Flavor, FlavorName, Machine, NodeId, PoolId, Quota,
    Resources, Role, ServerId, ServerStatus, Slot, SlotKind, SlotState,
};

use crate::faults::{Health, NextServer};
use crate::queue::JobId;
use crate::settings::EmbeddedCloudSettings;
use crate::state::{Event, Moment, State};

/// A cloud and the trouble that was made for it.
pub(crate) struct CloudState {
    pub(crate) settings: EmbeddedCloudSettings,
    pub(crate) health: Health,
    /// What becomes of the next orders, one entry each.
    pub(crate) next: VecDeque<NextServer>,
}

/// A server, with what the cloud alone knows of it.
pub(crate) struct ServerRecord {
    pub(crate) id: ServerId,
    pub(crate) cloud: CloudName,
    pub(crate) pool: PoolId,
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) flavor: Flavor,
    pub(crate) status: ServerStatus,
    pub(crate) created: Moment,
    pub(crate) fault: Option<String>,
    /// When its startd joins, counted from ACTIVE; `None`: never.
    join_time: Option<Duration>,
}

/// A startd with one partitionable slot.
pub(crate) struct Startd {
    pub(crate) machine: Machine,
    pub(crate) node: NodeId,
    pub(crate) cloud: CloudName,
    pub(crate) flavor: FlavorName,
    pub(crate) total: Resources,
    pub(crate) free: Resources,
    pub(crate) jobs: BTreeSet<JobId>,
    pub(crate) draining: bool,
    pub(crate) job_starts: u64,
    started: Moment,
    state_since: Moment,
    /// An ad is under way that will tell the newest state.
    ad_under_way: bool,
}

impl CloudState {
    pub(crate) fn new(settings: EmbeddedCloudSettings) -> Self {
        Self { settings, health: Health::Well, next: VecDeque::new() }
    }

    /// Gives the configured flavors that the cloud sells, in the configured order.
    pub(crate) fn offered(&self) -> Vec<Flavor> {
        let sold = |name: &FlavorName| self.settings.flavors.iter().find(|flavor| flavor.name == *name);
        self.settings.configured.iter().filter_map(sold).cloned().collect()
    }
}

impl State {
    /// Gives a cloud's quota with its use: other people's, and every server of ours that is not gone.
    pub(crate) fn quota(&self, cloud: &CloudState) -> Quota {
        let mut quota = cloud.settings.quota;
        for server in self.servers.values().filter(|server| server.cloud == cloud.settings.name) {
            quota.instances.used += 1;
            quota.cores.used += u64::from(server.flavor.size.cores);
            quota.memory.used += server.flavor.size.memory.0;
        }
        quota
    }

    /// Accepts an order, or says why not.
    pub(crate) fn create(
        &mut self,
        name: &CloudName,
        pool: &PoolId,
        order: &ServerOrder,
    ) -> Result<ServerId, Failure> {
        let Some(cloud) = self.clouds.get_mut(name) else {
            return Err(Failure::rejected(format!("there is no cloud {name}")));
        };
        let fate = cloud.next.pop_front().unwrap_or_default();
        if let NextServer::Refused(failure) = fate {
            return Err(failure);
        }
        let sold = cloud.settings.flavors.iter().find(|flavor| flavor.name == order.flavor);
        let Some(flavor) = sold.cloned() else {
            return Err(Failure::rejected(format!("flavor {} does not exist", order.flavor)));
        };
        let (boot, join) = (cloud.settings.boot_time.clone(), cloud.settings.join_time.clone());
        let failure_rate = cloud.settings.failure_rate;
        if let Some(cloud) = self.clouds.get(name) {
            fits(&self.quota(cloud), &flavor.size)?;
        }
        let boot_time = self.draw(&boot);
        let join_time = self.draw(&join);
        let fails = self.dice.f64() < failure_rate || fate == NextServer::Fails;
        let id = self.new_id();
        self.servers.insert(
            id.clone(),
            ServerRecord {
                id: id.clone(),
                cloud: name.clone(),
                pool: pool.clone(),
                node: order.node.clone(),
                role: order.role.clone(),
                flavor,
                status: ServerStatus::Building,
                created: self.now,
                fault: None,
                join_time: (fate != NextServer::NeverJoins).then_some(join_time),
            },
        );
        let event = if fails { Event::Fail(id.clone()) } else { Event::Active(id.clone()) };
        self.after(boot_time, event);
        self.count_servers(&order.node);
        if fate == NextServer::AnswerLost {
            return Err(Failure::transient("the answer to the order was lost on its way"));
        }
        Ok(id)
    }

    fn draw(&mut self, range: &std::ops::RangeInclusive<Duration>) -> Duration {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (min, max) = (millis(*range.start()), millis(*range.end()));
        Duration::from_millis(self.dice.u64(min..=max.max(min)))
    }

    fn new_id(&mut self) -> ServerId {
        let (a, b) = (self.dice.u64(..), self.dice.u64(..));
        let (last, variant) = (b & 0xffff_ffff_ffff, 0x8000 | (b >> 48 & 0x3fff));
        let (first, second, third) = (a >> 32, a >> 16 & 0xffff, 0x4000 | a & 0xfff);
        ServerId::new(format!("{first:08x}-{second:04x}-{third:04x}-{variant:04x}-{last:012x}"))
    }

    pub(crate) fn server_active(&mut self, id: &ServerId) {
        let Some(server) = self.servers.get_mut(id).filter(|server| server.status == ServerStatus::Building)
        else {
            return;
        };
        server.status = ServerStatus::Active;
        if let (Role::Execute, Some(join_time)) = (&server.role, server.join_time) {
            self.after(join_time, Event::Join(id.clone()));
        }
    }

    pub(crate) fn server_failed(&mut self, id: &ServerId) {
        if let Some(server) = self.servers.get_mut(id).filter(|s| s.status == ServerStatus::Building) {
            server.status = ServerStatus::Error;
            server.fault = Some("No valid host was found. There are not enough hosts available.".to_owned());
        }
    }

    pub(crate) fn startd_joins(&mut self, id: &ServerId) {
        let Some(server) = self.servers.get(id).filter(|server| server.status == ServerStatus::Active) else {
            return;
        };
        let machine = Machine::new(server.node.as_str());
        let startd = Startd {
            machine: machine.clone(),
            node: server.node.clone(),
            cloud: server.cloud.clone(),
            flavor: server.flavor.name.clone(),
            total: server.flavor.size,
            free: server.flavor.size,
            jobs: BTreeSet::new(),
            draining: false,
            job_starts: 0,
            started: self.now,
            state_since: self.now,
            ad_under_way: false,
        };
        self.startds.insert(machine.clone(), startd);
        self.update(&machine);
    }

    /// Has a server deleted; whatever runs on it dies with it.
    pub(crate) fn delete(&mut self, cloud: &CloudName, id: &ServerId) -> Result<(), Failure> {
        let found = self.servers.get_mut(id).filter(|server| server.cloud == *cloud);
        let Some(server) = found else {
            return Err(Failure::new(FailureKind::NotFound, format!("server {id} does not exist")));
        };
        if server.status == ServerStatus::Deleting {
            return Ok(());
        }
        server.status = ServerStatus::Deleting;
        let machine = Machine::new(server.node.as_str());
        let delay = self.clouds.get(cloud).map_or(Duration::ZERO, |cloud| cloud.settings.delete_time);
        self.after(delay, Event::Gone(id.clone()));
        if let Some(startd) = self.startds.remove(&machine) {
            self.tally.evicted += startd.jobs.len() as u64;
            for job in startd.jobs {
                self.requeue(job);
            }
        }
        Ok(())
    }

    /// Takes a server away without anybody having asked for it; its jobs read as running for a while.
    pub(crate) fn vanish(&mut self, id: &ServerId) -> bool {
        let Some(server) = self.servers.remove(id) else { return false };
        if let Some(startd) = self.startds.remove(&Machine::new(server.node.as_str())) {
            self.tally.lost += startd.jobs.len() as u64;
            for job in startd.jobs {
                let run = self.queue.run_of(job);
                self.after(self.settings.job_lease, Event::LeaseEnd { job, run });
            }
        }
        true
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

/// Holds an order against a quota (*Nova: 403 "Quota exceeded for …"*).
fn fits(quota: &Quota, size: &Resources) -> Result<(), Failure> {
    let asks: [(&str, &Allowance, u64); 3] = [
        ("instances", &quota.instances, 1),
        ("cores", &quota.cores, size.cores.into()),
        ("ram", &quota.memory, size.memory.0),
    ];
    for (what, allowance, ask) in asks {
        if ask > allowance.left() {
            let used = allowance.used;
            let message = format!("quota exceeded for {what}: requested {ask}, already used {used}");
            return Err(Failure::new(FailureKind::Quota, message));
        }
    }
    Ok(())
}
