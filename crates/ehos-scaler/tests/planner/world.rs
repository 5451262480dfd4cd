//! A small model of clouds and a pool, in virtual time, that holds every plan against the rules.
//!
//! Deliberately simpler than the embedded world of `ehos-sim`, and harsher: anything may fail at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use ehos_model::{
    Activity, Allowance, Autocluster, CloudName, CloudOffer, CloudPolicy, CloudView, Demand, Failure,
    FailureKind, Flavor, FlavorName, ImageId, Machine, Mebibytes, NodeAllocation, NodeId, NodeLimits,
    Observed, Policy, PolicyDraft, Quota, Reserve, Resources, Role, Server, ServerId, ServerStatus, Slot,
    SlotKind, SlotState, Snapshot, Timestamp,
};
use ehos_scaler::{Action, Inventory, Memory, Outcome, Plan, plan, reconcile};

/// What becomes of the next create call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A server that boots and joins.
    Works,
    /// A server that ends in ERROR.
    Error,
    /// A server that never joins.
    NeverJoins,
    /// A refusal, with nothing done.
    Refused(FailureKind),
    /// A time-out; the server is nevertheless there, and shows this many seconds later.
    LostAnswer(u32),
    /// A time-out, with nothing done.
    LostCall,
}

pub(crate) struct ModelServer {
    pub(crate) server: Server,
    pub(crate) shows: Timestamp,
    up: Timestamp,
    joins: Option<Timestamp>,
    pub(crate) fate: Fate,
}

pub(crate) struct Startd {
    pub(crate) cloud: CloudName,
    pub(crate) flavor: FlavorName,
    pub(crate) total: Resources,
    pub(crate) jobs: Vec<Job>,
    pub(crate) draining: bool,
    pub(crate) started: Timestamp,
    pub(crate) starts: u64,
    pub(crate) heard: Timestamp,
    /// Cut off from the pool until then: its jobs go on, its ads are not renewed.
    pub(crate) cut_off: Option<Timestamp>,
    pub(crate) foreign: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) request: Resources,
    pub(crate) seconds: u32,
    pub(crate) ends: Timestamp,
}

pub(crate) struct Group {
    pub(crate) request: Resources,
    pub(crate) requirements: Option<String>,
    pub(crate) seconds: u32,
    pub(crate) idle: u64,
}

pub(crate) struct ModelCloud {
    pub(crate) down: bool,
    pub(crate) quota: Quota,
    pub(crate) flavors: Vec<Flavor>,
    pub(crate) image: Option<String>,
    pub(crate) template: Option<String>,
    /// Servers of other people in the same project.
    pub(crate) others: Resources,
    pub(crate) servers: BTreeMap<ServerId, ModelServer>,
}

pub(crate) struct World {
    pub(crate) at: Timestamp,
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    pub(crate) memory: Memory,
    pub(crate) clouds: BTreeMap<CloudName, ModelCloud>,
    pub(crate) startds: BTreeMap<NodeId, Startd>,
    pub(crate) queue: Vec<Group>,
    pub(crate) queue_down: bool,
    pub(crate) collector_down: bool,
    /// The collector shows what was true before the last step of time.
    pub(crate) lagging: bool,
    old_slots: Vec<Slot>,
    pub(crate) fates: Vec<Fate>,
    /// Images and templates whose nodes never join.
    pub(crate) spoiled: BTreeSet<String>,
    pub(crate) boot_seconds: u32,
    pub(crate) join_seconds: u32,
    /// How much less memory HTCondor sees than the flavor has, in MiB.
    pub(crate) overhead: u64,
    next_server: u64,
    pub(crate) started: u64,
    pub(crate) finished: u64,
    pub(crate) created: u64,
    /// Jobs that were killed because their node was lost or failed by itself; not the planner's doing.
    pub(crate) lost_jobs: u64,
}

pub(crate) const fn size(cores: u32, gib: u64, gpus: u32) -> Resources {
    Resources { cores, memory: Mebibytes(gib * 1024), disk: Mebibytes(0), gpus }
}

pub(crate) fn draft() -> PolicyDraft {
    PolicyDraft {
        pool: "pool".into(),
        limits: NodeLimits::new(0, 10, 0).unwrap(),
        allocation: NodeAllocation::RoundRobin,
        clouds: Vec::new(),
        sleep: Duration::from_secs(30),
        idle_grace: Duration::from_mins(5),
        boot_timeout: Duration::from_mins(20),
        lost_timeout: Duration::from_mins(10),
        drain_timeout: None,
    }
}

pub(crate) fn cloud_policy(name: &str, flavors: &[&str]) -> CloudPolicy {
    CloudPolicy {
        name: name.into(),
        nodes_max: None,
        priority: 0,
        price: None,
        flavors: flavors.iter().map(|name| FlavorName::from(*name)).collect(),
        prefix: "ehos".to_owned(),
        reserve: Reserve::default(),
        max_creating: NonZeroU32::new(20).unwrap(),
    }
}

pub(crate) fn cloud(flavors: &[(&str, Resources)]) -> ModelCloud {
    ModelCloud {
        down: false,
        quota: Quota::default(),
        flavors: flavors.iter().map(|(name, size)| Flavor { name: (*name).into(), size: *size }).collect(),
        image: Some("image".to_owned()),
        template: Some("template".to_owned()),
        others: Resources::default(),
        servers: BTreeMap::new(),
    }
}

impl ModelCloud {
    /// The quota with its use; at `shown`, servers that no listing shows yet are not in it either.
    pub(crate) fn quota_now(&self, shown: Timestamp) -> Quota {
        let size = |flavor: &FlavorName| {
            self.flavors.iter().find(|f| f.name == *flavor).map_or(Resources::default(), |f| f.size)
        };
        let there = || self.servers.values().filter(|s| s.shows <= shown);
        let used = there().fold(self.others, |sum, s| sum + size(&s.server.flavor));
        let servers = u64::try_from(there().count()).unwrap();
        Quota {
            instances: Allowance { max: self.quota.instances.max, used: servers },
            cores: Allowance { max: self.quota.cores.max, used: used.cores.into() },
            memory: Allowance { max: self.quota.memory.max, used: used.memory.0 },
        }
    }
}

impl World {
    pub(crate) fn new(draft: PolicyDraft, clouds: Vec<(&str, ModelCloud)>) -> Self {
        Self {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            seed: 1,
            policy: Policy::try_from(draft).unwrap(),
            memory: Memory::default(),
            clouds: clouds.into_iter().map(|(name, cloud)| (name.into(), cloud)).collect(),
            startds: BTreeMap::new(),
            queue: Vec::new(),
            queue_down: false,
            collector_down: false,
            lagging: false,
            old_slots: Vec::new(),
            fates: Vec::new(),
            spoiled: BTreeSet::new(),
            boot_seconds: 30,
            join_seconds: 60,
            overhead: 0,
            next_server: 0,
            started: 0,
            finished: 0,
            created: 0,
            lost_jobs: 0,
        }
    }

    pub(crate) fn submit(&mut self, request: Resources, jobs: u64, seconds: u32) {
        self.submit_with(request, None, jobs, seconds);
    }

    pub(crate) fn submit_with(
        &mut self,
        request: Resources,
        requirements: Option<String>,
        jobs: u64,
        seconds: u32,
    ) {
        let same = |group: &&mut Group| {
            group.request == request && group.requirements == requirements && group.seconds == seconds
        };
        match self.queue.iter_mut().find(same) {
            Some(group) => group.idle += jobs,
            None => self.queue.push(Group { request, requirements, seconds, idle: jobs }),
        }
    }

    pub(crate) fn idle_jobs(&self) -> u64 {
        self.queue.iter().map(|group| group.idle).sum()
    }

    pub(crate) fn servers(&self) -> usize {
        self.clouds.values().map(|cloud| cloud.servers.len()).sum()
    }

    /// Changes what the nodes of a cloud are made of from now on.
    pub(crate) fn configure(&mut self, cloud: &str, image: Option<&str>, template: Option<&str>) {
        let cloud = self.clouds.get_mut(cloud).unwrap();
        cloud.image = image.map(str::to_owned).or(cloud.image.take());
        cloud.template = template.map(str::to_owned).or(cloud.template.take());
    }

    /// Lets time pass: servers boot, startds join, jobs end and start.
    pub(crate) fn advance(&mut self, seconds: u32) {
        self.old_slots = self.slots();
        for _ in 0..seconds.div_ceil(10) {
            self.at += Duration::from_secs(10);
            self.boot();
            self.end_jobs();
            if !self.collector_down && !self.queue_down {
                self.start_jobs();
            }
            for startd in self.startds.values_mut() {
                startd.cut_off = startd.cut_off.filter(|until| *until > self.at);
                if startd.cut_off.is_none() && !self.collector_down {
                    startd.heard = self.at;
                }
            }
        }
    }

    fn boot(&mut self) {
        for (name, cloud) in &mut self.clouds {
            for server in cloud.servers.values_mut() {
                if server.server.status == ServerStatus::Building && server.up <= self.at {
                    server.server.status = match server.fate {
                        Fate::Error => ServerStatus::Error,
                        _ => ServerStatus::Active,
                    };
                    if server.fate == Fate::Error {
                        server.server.fault = Some("No valid host was found.".to_owned());
                    }
                }
                if server.server.status == ServerStatus::Active
                    && server.joins.is_some_and(|joins| joins <= self.at)
                {
                    server.joins = None;
                    let paper = cloud.flavors.iter().find(|f| f.name == server.server.flavor).unwrap().size;
                    let total = Resources { memory: Mebibytes(paper.memory.0 - self.overhead), ..paper };
                    self.startds.insert(
                        server.server.node.clone(),
                        Startd {
                            cloud: name.clone(),
                            flavor: server.server.flavor.clone(),
                            total,
                            jobs: Vec::new(),
                            draining: false,
                            started: self.at,
                            starts: 0,
                            heard: self.at,
                            cut_off: None,
                            foreign: false,
                        },
                    );
                }
            }
        }
    }

    fn end_jobs(&mut self) {
        for startd in self.startds.values_mut() {
            let before = startd.jobs.len();
            startd.jobs.retain(|job| job.ends > self.at);
            self.finished += u64::try_from(before - startd.jobs.len()).unwrap();
        }
    }

    fn start_jobs(&mut self) {
        for group in &mut self.queue {
            // Jobs with requirements are never matched here.
            while group.idle > 0 && group.requirements.is_none() {
                let fits = |startd: &&mut Startd| {
                    !startd.draining && startd.cut_off.is_none() && group.request.fits_in(&startd.free())
                };
                let Some(startd) = self.startds.values_mut().find(fits) else { break };
                let ends = self.at + Duration::from_secs(group.seconds.into());
                startd.jobs.push(Job { request: group.request, seconds: group.seconds, ends });
                startd.starts += 1;
                self.started += 1;
                group.idle -= 1;
            }
        }
        self.queue.retain(|group| group.idle > 0);
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        // Ads of what is gone stay for a quarter of an hour.
        let there = |startd: &&Startd| ehos_model::elapsed(startd.heard, self.at) < Duration::from_mins(15);
        self.startds.iter().filter(|(_, startd)| there(startd)).map(|(id, startd)| startd.slot(id)).collect()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        fn look<T>(down: bool, at: Timestamp, value: T) -> Observed<T> {
            if down {
                Observed::Unknown { since: at, why: "down".to_owned() }
            } else {
                Observed::Seen { at, value }
            }
        }
        let demand = self.queue.iter().map(|group| Demand {
            autocluster: Autocluster::of(&group.request, group.requirements.as_deref()),
            request: group.request,
            requirements: group.requirements.as_deref().map(Into::into),
            idle: group.idle,
            oldest_idle: None,
        });
        let mut merged: BTreeMap<Autocluster, Demand> = BTreeMap::new();
        for group in demand {
            merged.entry(group.autocluster).and_modify(|sum| sum.idle += group.idle).or_insert(group);
        }
        let slots = if self.lagging { self.old_slots.clone() } else { self.slots() };
        let clouds = self.clouds.iter().map(|(name, cloud)| {
            let servers =
                cloud.servers.values().filter(|s| s.shows <= self.at).map(|s| s.server.clone()).collect();
            let offer = CloudOffer {
                cloud: name.clone(),
                flavors: cloud.flavors.clone(),
                image: cloud.image.as_deref().map(Into::into),
                quota: cloud.quota_now(self.at),
            };
            let view = CloudView {
                servers: look(cloud.down, self.at, servers),
                offer: look(cloud.down, self.at, offer),
                template: cloud.template.clone(),
            };
            (name.clone(), view)
        });
        Snapshot {
            at: self.at,
            seed: self.seed,
            demand: look(self.queue_down, self.at, merged.into_values().collect()),
            slots: look(self.collector_down, self.at, slots),
            clouds: clouds.collect(),
        }
    }

    /// One whole tick; `killed` is a `kill -9` after the steps were accepted and before that was written down.
    pub(crate) fn tick(&mut self, killed: bool) -> (Inventory, Plan, Vec<Outcome>) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let snapshot = self.snapshot();
        let inventory = reconcile(&snapshot, &self.memory, &self.policy);
        self.memory = std::mem::take(&mut self.memory).observed(&snapshot, &inventory);
        let decided = plan(&inventory, &snapshot, &self.memory, &self.policy);
        assert_eq!(
            decided,
            plan(&inventory, &snapshot, &self.memory, &self.policy),
            "the same input, the same plan"
        );
        check(&decided, &snapshot, &inventory);
        self.memory = std::mem::take(&mut self.memory).intending(&decided, self.at);
        let written = serde_json::to_string(&self.memory).unwrap();
        let outcomes = self.execute(&decided);
        self.memory = serde_json::from_str(&written).unwrap();
        if !killed {
            self.memory = std::mem::take(&mut self.memory).after(&outcomes);
        }
        (inventory, decided, outcomes)
    }

    fn execute(&mut self, plan: &Plan) -> Vec<Outcome> {
        let outcomes = plan.steps.iter().map(|step| {
            let result = match &step.action {
                Action::Create { node, cloud, flavor, image } => {
                    self.create(node, cloud, flavor, image.as_ref())
                }
                Action::Delete(deletable) => {
                    self.delete(deletable.cloud(), deletable.server(), deletable.node())
                }
                Action::Drain { node, .. } => self.drain(node),
                Action::Resume { node, .. } => self.resume(node),
                Action::Release { machine } => {
                    let node = NodeId::new(machine.as_str());
                    if self.servers_of(&node) == 0 {
                        self.startds.remove(&node);
                    }
                    Ok(())
                }
            };
            Outcome { step: step.clone(), at: self.at, result }
        });
        outcomes.collect()
    }

    fn servers_of(&self, node: &NodeId) -> usize {
        self.clouds
            .values()
            .flat_map(|cloud| cloud.servers.values())
            .filter(|s| s.server.node == *node)
            .count()
    }

    fn create(
        &mut self,
        node: &NodeId,
        cloud: &CloudName,
        flavor: &FlavorName,
        image: Option<&ImageId>,
    ) -> Result<(), Failure> {
        let fate = if self.fates.is_empty() { Fate::Works } else { self.fates.remove(0) };
        assert_eq!(self.servers_of(node), 0, "{node} is bought twice");
        match &fate {
            Fate::Refused(kind) => return Err(Failure::new(kind.clone(), format!("{kind:?}"))),
            Fate::LostCall => return Err(Failure::transient("timed out")),
            _ => {}
        }
        let id = ServerId::new(format!("server-{:04}", self.next_server));
        self.next_server += 1;
        self.created += 1;
        let servers_before = self.servers();
        let of = self.clouds.get_mut(cloud).unwrap();
        let shows = match fate {
            Fate::LostAnswer(seconds) => self.at + Duration::from_secs(seconds.into()),
            _ => self.at,
        };
        let up = self.at + Duration::from_secs(self.boot_seconds.into());
        let image = image.map(ToString::to_string).or_else(|| of.image.clone());
        let template = of.template.clone();
        let spoiled = [&image, &template].into_iter().flatten().any(|of| self.spoiled.contains(of));
        let joins = (fate != Fate::NeverJoins && !spoiled)
            .then(|| up + Duration::from_secs(self.join_seconds.into()));
        let server = Server {
            id: id.clone(),
            cloud: cloud.clone(),
            node: node.clone(),
            role: Role::Execute,
            flavor: flavor.clone(),
            image: image.as_deref().map(Into::into),
            template,
            status: ServerStatus::Building,
            created: self.at,
            fault: None,
        };
        let lost_answer = matches!(fate, Fate::LostAnswer(_));
        of.servers.insert(id, ModelServer { server, shows, up, joins, fate });
        let quota = of.quota_now(Timestamp::MAX);
        for (what, have) in [("servers", quota.instances), ("cores", quota.cores), ("memory", quota.memory)] {
            assert!(
                have.max.is_none_or(|max| have.used <= max),
                "over the quota of {what} in {cloud}: {have:?}"
            );
        }
        let mine = of.servers.len();
        let max = self.policy.cloud(cloud).and_then(|cloud| cloud.nodes_max).unwrap_or(u32::MAX);
        assert!(mine <= usize::try_from(max).unwrap(), "{mine} servers in {cloud}, nodes_max {max}");
        let max = usize::try_from(self.policy.limits.max()).unwrap();
        assert!(servers_before < max, "{servers_before} servers and one more, nodes_max {max}");
        if lost_answer { Err(Failure::transient("timed out")) } else { Ok(()) }
    }

    fn delete(&mut self, cloud: &CloudName, server: &ServerId, node: &NodeId) -> Result<(), Failure> {
        let servers = &mut self.clouds.get_mut(cloud).unwrap().servers;
        let Some(gone) = servers.remove(server) else {
            return Err(Failure::new(FailureKind::NotFound, "no such server"));
        };
        if let Some(startd) = self.startds.get(node)
            && gone.server.node == *node
            && self.policy.drain_timeout.is_none()
        {
            assert!(startd.jobs.is_empty(), "{node} is deleted while it runs {:?}", startd.jobs);
        }
        self.startds.remove(node);
        Ok(())
    }

    fn drain(&mut self, node: &NodeId) -> Result<(), Failure> {
        match self.startds.get_mut(node) {
            None => Err(Failure::new(FailureKind::NotFound, "no such machine")),
            Some(startd) if startd.cut_off.is_some() => Err(Failure::transient("no answer")),
            Some(startd) if !startd.jobs.is_empty() => {
                Err(Failure::new(FailureKind::Conflict, "Draining check expression is false"))
            }
            Some(startd) => {
                startd.draining = true;
                Ok(())
            }
        }
    }

    fn resume(&mut self, node: &NodeId) -> Result<(), Failure> {
        match self.startds.get_mut(node) {
            None => Err(Failure::new(FailureKind::NotFound, "no such machine")),
            Some(startd) if !startd.draining => Err(Failure::new(FailureKind::Conflict, "not draining")),
            Some(startd) => {
                startd.draining = false;
                Ok(())
            }
        }
    }

    /// A server dies or is deleted by others: its startd with it, and its jobs go back to the queue.
    pub(crate) fn strike(&mut self, node: &NodeId, status: Option<&ServerStatus>) {
        if let Some(startd) = self.startds.get_mut(node) {
            // Its ad stays where it was.
            startd.cut_off = Some(Timestamp::MAX);
            for job in std::mem::take(&mut startd.jobs) {
                self.lost_jobs += 1;
                let same = |group: &&mut Group| group.request == job.request && group.seconds == job.seconds;
                match self.queue.iter_mut().find(same) {
                    Some(group) => group.idle += 1,
                    None => self.queue.push(Group {
                        request: job.request,
                        requirements: None,
                        seconds: job.seconds,
                        idle: 1,
                    }),
                }
            }
        }
        for cloud in self.clouds.values_mut() {
            match status {
                Some(status) => {
                    for server in cloud.servers.values_mut().filter(|s| s.server.node == *node) {
                        server.server.status = status.clone();
                        server.joins = None;
                    }
                }
                None => cloud.servers.retain(|_, s| s.server.node != *node),
            }
        }
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let of =
            |cloud: &ModelCloud| cloud.servers.values().map(|s| s.server.node.clone()).collect::<Vec<_>>();
        self.clouds.values().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Startd {
    pub(crate) fn free(&self) -> Resources {
        self.jobs.iter().fold(self.total, |free, job| free.checked_sub(job.request).unwrap())
    }

    fn slot(&self, id: &NodeId) -> Slot {
        let drained = self.draining && self.jobs.is_empty();
        Slot {
            name: format!("slot1@{id}"),
            machine: Machine::new(id.as_str()),
            pool: (!self.foreign).then(|| "pool".into()),
            node: (!self.foreign).then(|| id.clone()),
            cloud: (!self.foreign).then(|| self.cloud.clone()),
            flavor: (!self.foreign).then(|| self.flavor.clone()),
            kind: SlotKind::Partitionable,
            state: if self.draining { SlotState::Drained } else { SlotState::Unclaimed },
            activity: if self.draining && !drained { Activity::Retiring } else { Activity::Idle },
            total: self.total,
            free: self.free(),
            claims: u32::try_from(self.jobs.len()).unwrap(),
            draining: self.draining,
            job_starts: self.starts,
            heard: self.heard,
            started: self.started,
            state_since: self.started,
        }
    }
}

/// Holds a plan against rule 2: nothing is done with what is unknown.
pub(crate) fn check(plan: &Plan, snapshot: &Snapshot, inventory: &Inventory) {
    let mut nodes = BTreeSet::new();
    for step in &plan.steps {
        let known =
            |cloud: &CloudName| snapshot.clouds.get(cloud).is_some_and(|v| v.servers.seen().is_some());
        let cloud = match &step.action {
            Action::Create { cloud, .. } => Some(cloud.clone()),
            Action::Delete(deletable) => Some(deletable.cloud().clone()),
            Action::Drain { node, .. } | Action::Resume { node, .. } => {
                Some(inventory.node(node).expect("a node of the inventory").cloud.clone())
            }
            Action::Release { .. } => None,
        };
        assert!(cloud.as_ref().is_none_or(known), "acts on an unknown cloud: {step}");
        match &step.action {
            Action::Create { .. } => assert!(snapshot.demand.seen().is_some(), "unknown demand: {step}"),
            Action::Drain { .. } | Action::Resume { .. } => {
                assert!(
                    snapshot.demand.seen().is_some() && snapshot.slots.seen().is_some(),
                    "unknown: {step}"
                );
            }
            Action::Delete(_) | Action::Release { .. } => {
                assert!(snapshot.slots.seen().is_some(), "unknown slots: {step}");
            }
        }
        if let Some(node) = step.action.node() {
            let two_servers = matches!(step.action, Action::Delete(_));
            assert!(nodes.insert(node.clone()) || two_servers, "two steps about one node: {step}");
        }
        assert!(!step.reason.is_empty());
    }
    assert!(plan.wake_at.is_none_or(|wake| wake > snapshot.at), "wakes in the past");
}
