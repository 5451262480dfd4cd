//! Builders for the tables beside the code: a cloud `bergen`, flavors `medium` (4/8) and `large` (8/16), noon.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use ehos_model::{
    Activity, Autocluster, CloudOffer, CloudPolicy, CloudView, Demand, Flavor, Machine, Mebibytes,
    NodeAllocation, NodeLimits, Observed, Policy, PolicyDraft, Quota, Reserve, Resources, Role, Server,
    ServerId, ServerStatus, Slot, SlotKind, SlotState, Snapshot, Timestamp,
};

use crate::{Inventory, Memory, Plan, plan, reconcile};

/// Noon, and some seconds before (negative) or after it.
pub(crate) fn noon(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_268_800 + seconds).unwrap()
}

pub(crate) const fn size(cores: u32, gib: u64) -> Resources {
    Resources { cores, memory: Mebibytes(gib * 1024), disk: Mebibytes(0), gpus: 0 }
}

pub(crate) fn seen<T>(value: T) -> Observed<T> {
    Observed::Seen { at: noon(0), value }
}

pub(crate) fn unknown<T>() -> Observed<T> {
    Observed::Unknown { since: noon(-60), why: "no answer".to_owned() }
}

/// A server in bergen, ordered 10 minutes ago.
pub(crate) fn server(node: &str, status: ServerStatus) -> Server {
    Server {
        id: ServerId::new(format!("server-of-{node}")),
        cloud: "bergen".into(),
        node: node.into(),
        role: Role::Execute,
        flavor: "medium".into(),
        image: Some("image".into()),
        template: Some("template".into()),
        status,
        created: noon(-600),
        fault: None,
    }
}

/// The idle slot of a node of flavor medium.
pub(crate) fn slot(node: &str) -> Slot {
    Slot {
        name: format!("slot1@{node}"),
        machine: Machine::new(node),
        pool: Some("pool".into()),
        node: Some(node.into()),
        cloud: Some("bergen".into()),
        flavor: Some("medium".into()),
        kind: SlotKind::Partitionable,
        state: SlotState::Unclaimed,
        activity: Activity::Idle,
        total: size(4, 8),
        free: size(4, 8),
        claims: 0,
        draining: false,
        job_starts: 3,
        heard: noon(-10),
        started: noon(-500),
        state_since: noon(-500),
    }
}

pub(crate) fn drained(node: &str) -> Slot {
    Slot { draining: true, state: SlotState::Drained, ..slot(node) }
}

pub(crate) fn busy(node: &str) -> Slot {
    Slot { free: size(0, 0), claims: 2, ..slot(node) }
}

pub(crate) fn jobs(n: u64, request: Resources) -> Demand {
    Demand {
        autocluster: Autocluster::of(&request, None),
        request,
        requirements: None,
        idle: n,
        oldest_idle: None,
    }
}

pub(crate) fn cloud(name: &str, servers: Vec<Server>) -> CloudView {
    let flavor = |name: &str, size| Flavor { name: name.into(), size };
    CloudView {
        servers: seen(servers),
        offer: seen(CloudOffer {
            cloud: name.into(),
            flavors: vec![flavor("medium", size(4, 8)), flavor("large", size(8, 16))],
            image: Some("image".into()),
            quota: Quota::default(),
        }),
        template: Some("template".into()),
    }
}

pub(crate) fn snapshot(demand: Vec<Demand>, servers: Vec<Server>, slots: Vec<Slot>) -> Snapshot {
    Snapshot {
        at: noon(0),
        seed: 7,
        demand: seen(demand),
        slots: seen(slots),
        clouds: BTreeMap::from([("bergen".into(), cloud("bergen", servers))]),
    }
}

pub(crate) fn cloud_policy(name: &str) -> CloudPolicy {
    CloudPolicy {
        name: name.into(),
        nodes_max: None,
        priority: 0,
        price: None,
        flavors: vec!["medium".into(), "large".into()],
        prefix: "ehos".to_owned(),
        reserve: Reserve::default(),
        max_creating: NonZeroU32::new(20).unwrap(),
    }
}

pub(crate) fn draft() -> PolicyDraft {
    PolicyDraft {
        pool: "pool".into(),
        limits: NodeLimits::new(0, 10, 0).unwrap(),
        allocation: NodeAllocation::RoundRobin,
        clouds: vec![cloud_policy("bergen")],
        sleep: Duration::from_secs(30),
        idle_grace: Duration::from_mins(5),
        boot_timeout: Duration::from_mins(20),
        lost_timeout: Duration::from_mins(10),
        drain_timeout: None,
    }
}

pub(crate) fn policy(draft: PolicyDraft) -> Policy {
    Policy::try_from(draft).unwrap()
}

/// One look, as the daemon takes it.
pub(crate) fn look(snapshot: &Snapshot, memory: Memory, policy: &Policy) -> (Inventory, Memory, Plan) {
    let inventory = reconcile(snapshot, &memory, policy);
    let memory = memory.observed(snapshot, &inventory);
    let plan = plan(&inventory, snapshot, &memory, policy);
    (inventory, memory, plan)
}

/// Lists what a plan does, without its reasons: `create medium in bergen`, `drain n1`.
pub(crate) fn deeds(plan: &Plan) -> Vec<String> {
    use crate::Action;
    let deed = |action: &Action| match action {
        Action::Create { cloud, flavor, image: Some(image), .. } => {
            format!("create {flavor} in {cloud} from {image}")
        }
        Action::Create { cloud, flavor, .. } => format!("create {flavor} in {cloud}"),
        Action::Release { machine } => format!("release {machine}"),
        other => format!("{} {}", other.word(), other.node().unwrap()),
    };
    plan.steps.iter().map(|step| deed(&step.action)).collect()
}
