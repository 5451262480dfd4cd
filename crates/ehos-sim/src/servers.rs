//! Servers, from their order to their end.
//!
//! Deliberately knows nothing of what runs on them but that it dies with them.

use std::collections::VecDeque;
use std::time::Duration;

use ehos_model::{
    Allowance, CloudName, Failure, FailureKind, Flavor, FlavorName, ImageId, Machine, NodeId, PoolId, Quota,
    Resources, Role, ServerId, ServerStatus,
};

use crate::faults::{Health, NextServer};
use crate::images::NextImage;
use crate::settings::EmbeddedCloudSettings;
use crate::state::{Event, Moment, State};

/// A cloud and the trouble that was made for it.
pub(crate) struct CloudState {
    pub(crate) settings: EmbeddedCloudSettings,
    pub(crate) health: Health,
    /// What becomes of the next orders, one entry each.
    pub(crate) next: VecDeque<NextServer>,
    /// What becomes of the next image.
    pub(crate) next_image: NextImage,
}

/// An order that has reached its cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) cloud: CloudName,
    pub(crate) pool: PoolId,
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) flavor: FlavorName,
    pub(crate) image: ImageId,
    pub(crate) template: Option<String>,
}

/// A server, with what the cloud alone knows of it.
pub(crate) struct ServerRecord {
    pub(crate) id: ServerId,
    pub(crate) cloud: CloudName,
    pub(crate) pool: PoolId,
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) flavor: Flavor,
    pub(crate) image: ImageId,
    pub(crate) template: Option<String>,
    pub(crate) status: ServerStatus,
    pub(crate) created: Moment,
    pub(crate) fault: Option<String>,
    /// What it has said on its console.
    pub(crate) console: Vec<String>,
    /// What it says in place of the usual.
    pub(crate) words: Option<String>,
    /// When its startd joins, counted from ACTIVE; `None`: never.
    join_time: Option<Duration>,
}

impl CloudState {
    pub(crate) fn new(settings: EmbeddedCloudSettings) -> Self {
        Self { settings, health: Health::Well, next: VecDeque::new(), next_image: NextImage::Fine }
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

    /// Takes an order in, or says why not.
    pub(crate) fn create(&mut self, order: Order) -> Result<ServerId, Failure> {
        let next = self.clouds.get_mut(&order.cloud).and_then(|cloud| cloud.next.pop_front());
        match next.unwrap_or_default() {
            NextServer::Refused(failure) => Err(failure),
            NextServer::AnswerLost { late } => {
                // Even what is carried out at once is answered by nobody.
                self.after(late, Event::LateOrder(order));
                self.advance(self.now);
                Err(Failure::transient("the answer to the order was lost on its way"))
            }
            fate => self.carry_out(order, &fate),
        }
    }

    /// Makes a server, if the cloud can.
    pub(crate) fn carry_out(&mut self, order: Order, fate: &NextServer) -> Result<ServerId, Failure> {
        let Some(cloud) = self.clouds.get(&order.cloud) else {
            return Err(Failure::rejected(format!("there is no cloud {}", order.cloud)));
        };
        let sold = cloud.settings.flavors.iter().find(|flavor| flavor.name == order.flavor);
        let Some(flavor) = sold.cloned() else {
            return Err(Failure::rejected(format!("flavor {} does not exist", order.flavor)));
        };
        fits(&self.quota(cloud), &flavor.size)?;
        let (boot, join) = (cloud.settings.boot_time.clone(), cloud.settings.join_time.clone());
        let failure_rate = cloud.settings.failure_rate;
        let (boot_time, join_time) = (self.draw(&boot), self.draw(&join));
        let fails = self.dice.f64() < failure_rate || *fate == NextServer::Fails;
        let id = self.new_id();
        let event = if fails { Event::Fail(id.clone()) } else { Event::Active(id.clone()) };
        self.after(boot_time, event);
        let node = order.node.clone();
        let spoilt = self.spoilt.contains(&order.image);
        let server = ServerRecord {
            id: id.clone(),
            cloud: order.cloud,
            pool: order.pool,
            node: order.node,
            role: order.role,
            flavor,
            image: order.image,
            template: order.template,
            status: ServerStatus::Building,
            created: self.now,
            fault: None,
            console: vec!["Booting an embedded server.".to_owned()],
            words: if let NextServer::Says(words) = fate { Some(words.clone()) } else { None },
            join_time: (*fate != NextServer::NeverJoins && !spoilt).then_some(join_time),
        };
        self.servers.insert(id.clone(), server);
        self.count_servers(&node);
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
        let Some(join_time) = server.join_time else { return };
        let is_probe = server.role == Role::Build && self.images.contains_key(&server.image);
        let joins = server.role == Role::Execute || is_probe && server.words.is_none();
        if server.role == Role::Build {
            self.after(join_time, Event::Speaks(id.clone()));
        }
        if joins {
            self.after(join_time, Event::Join(id.clone()));
        }
    }

    pub(crate) fn server_failed(&mut self, id: &ServerId) {
        if let Some(server) = self.servers.get_mut(id).filter(|s| s.status == ServerStatus::Building) {
            server.status = ServerStatus::Error;
            server.fault = Some("No valid host was found. There are not enough hosts available.".to_owned());
        }
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
