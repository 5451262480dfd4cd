//! Measures `reconcile` and `plan` for 10 000 nodes, 1 000 groups of jobs, 20 flavors and 5 clouds.
//!
//! Prints a row for each of three worlds and, as its last line, the figures of the slowest: `plan_ms=… reconcile_ms=…`,
//! each the median of 31 runs.
#![expect(clippy::print_stdout, reason = "it prints a table")]
#![expect(clippy::unwrap_used, reason = "a benchmark of made-up facts")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use ehos_model::{
    Activity, Autocluster, CloudName, CloudOffer, CloudPolicy, CloudView, Demand, Flavor, FlavorName,
    Machine, Mebibytes, NodeAllocation, NodeId, NodeLimits, Observed, Policy, PolicyDraft, Quota, Reserve,
    Resources, Role, Server, ServerId, ServerStatus, Slot, SlotKind, SlotState, Snapshot, Timestamp,
};
use ehos_scaler::{Memory, plan, reconcile};

const NODES: u64 = 10_000;
const GROUPS: u64 = 1_000;
const FLAVORS: u64 = 20;
const CLOUDS: u64 = 5;

/// How much of the pool is in use.
#[derive(Clone, Copy)]
enum Load {
    /// Every node has a fragment free.
    Fragments,
    /// Two of three nodes are idle.
    Idle,
    /// Every node is full and there is money for 2 000 more.
    Full,
}

fn main() {
    let mut slowest = (0.0_f64, 0.0_f64);
    for (load, name) in
        [(Load::Fragments, "fragments"), (Load::Idle, "idle"), (Load::Full, "full, buying 2000")]
    {
        let (snapshot, policy) = world(load);
        let memory = Memory::default();
        let inventory = reconcile(&snapshot, &memory, &policy);
        let memory = memory.observed(&snapshot, &inventory);
        let reconcile_ms = median(|| reconcile(&snapshot, &memory, &policy));
        let observed_ms = median(|| memory.clone().observed(&snapshot, &inventory));
        let plan_ms = median(|| plan(&inventory, &snapshot, &memory, &policy));
        let made = plan(&inventory, &snapshot, &memory, &policy);
        println!(
            "{name:20} plan {plan_ms:7.2} ms  reconcile {reconcile_ms:7.2} ms  observed {observed_ms:7.2} ms  \
             ({} steps, {} shapes unmet)",
            made.steps.len(),
            made.unmet.len()
        );
        slowest = (slowest.0.max(plan_ms), slowest.1.max(reconcile_ms));
    }
    println!("plan_ms={:.2} reconcile_ms={:.2}", slowest.0, slowest.1);
}

fn median<T>(work: impl Fn() -> T) -> f64 {
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(work());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn flavor(i: u64) -> Flavor {
    let cores = u32::try_from(2 + 2 * (i % 8)).unwrap();
    let memory = Mebibytes::from_gibibytes(u64::from(cores) * (2 << (i / 8)));
    let gpus = u32::from(i % 10 == 9);
    let size = Resources { cores, memory, disk: Mebibytes::from_gibibytes(80), gpus };
    Flavor { name: FlavorName::new(format!("flavor-{i}")), size }
}

fn world(load: Load) -> (Snapshot, Policy) {
    let at: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let begun: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let cloud = |i: u64| CloudName::new(format!("cloud-{}", i % CLOUDS));
    let flavors: Vec<Flavor> = (0..FLAVORS).map(flavor).collect();
    let mut servers: Vec<Vec<Server>> = (0..CLOUDS).map(|_| Vec::new()).collect();
    let mut slots = Vec::new();
    for i in 0..NODES {
        let node = NodeId::new(format!("ehos-execute-20260101000000-{i:010}"));
        let flavor = &flavors[usize::try_from(i * 7 % FLAVORS).unwrap()];
        servers[usize::try_from(i % CLOUDS).unwrap()].push(Server {
            id: ServerId::new(format!("00000000-0000-0000-0000-{i:012}")),
            cloud: cloud(i),
            node: node.clone(),
            role: Role::Execute,
            flavor: flavor.name.clone(),
            image: Some("image".into()),
            template: Some("template".to_owned()),
            status: ServerStatus::Active,
            created: begun,
            fault: None,
        });
        slots.push(slot(i, &node, cloud(i), flavor, load, begun, at));
    }
    let demand = (0..GROUPS).map(|i| {
        let cores = u32::try_from(1 + i % 14).unwrap();
        let request = Resources {
            cores,
            memory: Mebibytes(512 + 97 * i),
            disk: Mebibytes(100 + i),
            gpus: u32::from(i % 25 == 0),
        };
        let autocluster = Autocluster::of(&request, None);
        Demand { autocluster, request, requirements: None, idle: 100, oldest_idle: None }
    });
    let clouds = (0..CLOUDS).zip(servers).map(|(i, servers)| {
        let offer = CloudOffer {
            cloud: cloud(i),
            flavors: flavors.clone(),
            image: Some("image".into()),
            quota: Quota::default(),
        };
        (
            cloud(i),
            CloudView {
                servers: Observed::Seen { at, value: servers },
                offer: Observed::Seen { at, value: offer },
                template: Some("template".to_owned()),
            },
        )
    });
    let snapshot = Snapshot {
        at,
        seed: 7,
        demand: Observed::Seen { at, value: demand.collect() },
        slots: Observed::Seen { at, value: slots },
        clouds: clouds.collect(),
    };
    (snapshot, policy(&flavors, load))
}

fn slot(
    i: u64,
    node: &NodeId,
    cloud: CloudName,
    flavor: &Flavor,
    load: Load,
    started: Timestamp,
    heard: Timestamp,
) -> Slot {
    let total = flavor.size;
    let (free, claims) = match load {
        Load::Idle if !i.is_multiple_of(3) => (total, 0),
        Load::Full => (Resources::default(), 4),
        Load::Fragments | Load::Idle => {
            let part = |n: u32, k: u64| u32::try_from(u64::from(n) * k / 5).unwrap_or(n);
            // Cores here, memory there: what is hard for a packer.
            let memory = Mebibytes(total.memory.0 * (4 - i % 5) / 5);
            (Resources { cores: part(total.cores, i % 5), memory, ..total }, 2)
        }
    };
    Slot {
        name: format!("slot1@{node}"),
        machine: Machine::new(node.as_str()),
        pool: Some("pool".into()),
        node: Some(node.clone()),
        cloud: Some(cloud),
        flavor: Some(flavor.name.clone()),
        kind: SlotKind::Partitionable,
        state: SlotState::Unclaimed,
        activity: Activity::Idle,
        total,
        free,
        claims,
        draining: false,
        job_starts: i,
        heard,
        started,
        state_since: started,
    }
}

fn policy(flavors: &[Flavor], load: Load) -> Policy {
    let max = match load {
        Load::Full => 12_000,
        Load::Fragments | Load::Idle => 10_000,
    };
    let clouds = (0..CLOUDS).map(|i| CloudPolicy {
        name: CloudName::new(format!("cloud-{i}")),
        nodes_max: None,
        priority: 0,
        price: None,
        flavors: flavors.iter().map(|flavor| flavor.name.clone()).collect(),
        prefix: "ehos".to_owned(),
        reserve: Reserve::default(),
        max_creating: NonZeroU32::new(1000).unwrap(),
    });
    Policy::try_from(PolicyDraft {
        pool: "pool".into(),
        limits: NodeLimits::new(10, max, 10).unwrap(),
        allocation: NodeAllocation::RoundRobin,
        clouds: clouds.collect(),
        sleep: Duration::from_secs(30),
        idle_grace: Duration::from_secs(0),
        boot_timeout: Duration::from_mins(20),
        lost_timeout: Duration::from_mins(10),
        drain_timeout: None,
    })
    .unwrap()
}
