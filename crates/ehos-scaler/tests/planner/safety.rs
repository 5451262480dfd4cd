//! The rules that are never broken, over random histories of a small world: no running job is killed, nothing is
//! done with what is unknown, no ceiling is passed, and the same input gives the same plan.

use std::time::Duration;

use crate::world::{Fate, World, cloud, cloud_policy, draft, size};
use ehos_model::{
    Allowance, FailureKind, NodeAllocation, NodeLimits, Policy, PolicyDraft, Quota, ServerStatus,
};
use ehos_scaler::Memory;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Pass(u32),
    Submit {
        shape: usize,
        jobs: u64,
        seconds: u32,
    },
    Fate(Fate),
    Cloud {
        which: usize,
        down: bool,
    },
    Queue {
        down: bool,
    },
    Collector {
        down: bool,
    },
    Lag(bool),
    KillAfterExecute,
    LoseMemory,
    Strike {
        which: usize,
        status: Option<ServerStatus>,
    },
    /// A delete or a resize failed: ERROR on a server that goes on working.
    Sicken {
        which: usize,
    },
    /// An administrator drains a node, busy or not.
    DrainByHand {
        which: usize,
    },
    /// Jobs come, the cloud does this, and ehosd is killed before it can write down how its calls went.
    KillInBurst {
        fate: Fate,
        shape: usize,
        jobs: u64,
    },
    CutOff {
        which: usize,
        seconds: u32,
    },
    Max(u32),
    Others(u32),
    /// Another image or template for a cloud's nodes.
    Configure {
        which: usize,
        image: Option<usize>,
        template: Option<usize>,
    },
    /// From now on no node joins that is made of it, or every one does.
    Spoil {
        image: usize,
        spoilt: bool,
    },
    /// The smallest flavor is, or is not, configured any more.
    Small(bool),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Works),
        Just(Fate::Error),
        Just(Fate::NeverJoins),
        Just(Fate::LostCall),
        (0..100_u32).prop_map(Fate::LostAnswer),
        Just(Fate::Refused(FailureKind::Quota)),
        Just(Fate::Refused(FailureKind::NoValidHost)),
        Just(Fate::Refused(FailureKind::Auth)),
        Just(Fate::Refused(FailureKind::Rejected)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1..120_u32).prop_map(Op::Pass),
        2 => (120..2000_u32).prop_map(Op::Pass),
        6 => (0..4_usize, 1..12_u64, 10..1500_u32).prop_map(|(shape, jobs, seconds)| Op::Submit { shape, jobs, seconds }),
        3 => fate().prop_map(Op::Fate),
        2 => (0..2_usize, any::<bool>()).prop_map(|(which, down)| Op::Cloud { which, down }),
        1 => any::<bool>().prop_map(|down| Op::Queue { down }),
        2 => any::<bool>().prop_map(|down| Op::Collector { down }),
        1 => any::<bool>().prop_map(Op::Lag),
        2 => Just(Op::KillAfterExecute),
        1 => Just(Op::LoseMemory),
        1 => (0..8_usize, proptest::option::of(prop_oneof![
            Just(ServerStatus::Error), Just(ServerStatus::Shutoff), Just(ServerStatus::Deleting),
            Just(ServerStatus::Other("SUSPENDED".to_owned())),
        ])).prop_map(|(which, status)| Op::Strike { which, status }),
        1 => (0..8_usize, 30..300_u32).prop_map(|(which, seconds)| Op::CutOff { which, seconds }),
        1 => (0..8_usize).prop_map(|which| Op::Sicken { which }),
        1 => (0..8_usize).prop_map(|which| Op::DrainByHand { which }),
        2 => (fate(), 0..3_usize, 1..12_u64).prop_map(|(fate, shape, jobs)| Op::KillInBurst { fate, shape, jobs }),
        1 => (2..9_u32).prop_map(Op::Max),
        1 => (0..8_u32).prop_map(Op::Others),
        2 => (0..2_usize, proptest::option::of(0..3_usize), proptest::option::of(0..3_usize))
            .prop_map(|(which, image, template)| Op::Configure { which, image, template }),
        1 => (0..6_usize, any::<bool>()).prop_map(|(image, spoilt)| Op::Spoil { image, spoilt }),
        1 => any::<bool>().prop_map(Op::Small),
    ]
}

fn policy(max: u32, allocation: NodeAllocation) -> PolicyDraft {
    let mut bergen = cloud_policy("bergen", &["small", "large"]);
    bergen.max_creating = std::num::NonZeroU32::new(3).unwrap();
    bergen.price = Some(0.1);
    let mut oslo = cloud_policy("oslo", &["large", "gpu"]);
    oslo.nodes_max = Some(4);
    PolicyDraft {
        limits: NodeLimits::new(1, max, 1).unwrap(),
        allocation,
        clouds: vec![bergen, oslo],
        idle_grace: Duration::from_mins(2),
        ..draft()
    }
}

fn world(max: u32, allocation: NodeAllocation) -> World {
    let mut bergen = cloud(&[("small", size(2, 4, 0)), ("large", size(8, 16, 0))]);
    bergen.quota = Quota { cores: Allowance { max: Some(30), used: 0 }, ..Quota::default() };
    let oslo = cloud(&[("large", size(8, 16, 0)), ("gpu", size(8, 32, 1))]);
    let mut world = World::new(policy(max, allocation), vec![("bergen", bergen), ("oslo", oslo)]);
    world.overhead = 200;
    world
}

/// Images and templates that are configured now and then.
const IMAGES: [&str; 3] = ["image", "image-b", "image-c"];
const TEMPLATES: [&str; 3] = ["template", "template-b", "template-c"];
const CLOUDS: [&str; 2] = ["bergen", "oslo"];

const SHAPES: [ehos_model::Resources; 4] = [size(1, 1, 0), size(4, 6, 0), size(2, 8, 1), size(64, 1, 0)];

fn apply(world: &mut World, op: &Op) -> bool {
    match op {
        Op::Pass(seconds) => {
            // Ticks are at most 30 s apart, whatever happens.
            for _ in 0..seconds / 30 {
                world.advance(30);
                world.tick(false);
            }
            world.advance(seconds % 30);
        }
        Op::Submit { shape, jobs, seconds } => world.submit(SHAPES[*shape], *jobs, *seconds),
        Op::Fate(fate) => world.fates.push(fate.clone()),
        Op::Cloud { which, down } => world.clouds.values_mut().nth(*which).unwrap().down = *down,
        Op::Queue { down } => world.queue_down = *down,
        Op::Collector { down } => world.collector_down = *down,
        Op::Lag(lagging) => world.lagging = *lagging,
        Op::KillAfterExecute => return true,
        Op::LoseMemory => {
            let hidden = world.clouds.values().flat_map(|c| c.servers.values()).any(|s| s.shows > world.at);
            let old = |s: &crate::world::Startd| {
                !s.jobs.is_empty() && ehos_model::elapsed(s.heard, world.at) > Duration::from_mins(5)
            };
            // Nobody can know of a server that neither the cloud nor the memory tells of, nor that an ad is old, nor
            // that nobody listened.
            if !hidden && !world.lagging && !world.startds.values().any(old) {
                world.memory = Memory::default();
            }
        }
        Op::Strike { which, status } => {
            if let Some(node) = world.nodes().get(*which) {
                world.strike(node, status.as_ref());
            }
        }
        Op::Sicken { which } => {
            let all = world.clouds.values_mut().flat_map(|cloud| cloud.servers.values_mut());
            if let Some(server) = all.filter(|s| s.server.status == ServerStatus::Active).nth(*which) {
                server.server.status = ServerStatus::Error;
            }
        }
        Op::DrainByHand { which } => {
            if let Some(startd) = world.startds.values_mut().nth(*which) {
                startd.draining = true;
            }
        }
        Op::KillInBurst { fate, shape, jobs } => {
            world.fates = vec![fate.clone(); 4];
            world.submit(SHAPES[*shape], *jobs, 300);
            return true;
        }
        Op::CutOff { which, seconds } => {
            let until = world.at + Duration::from_secs((*seconds).into());
            if let Some(startd) = world.startds.values_mut().nth(*which) {
                startd.cut_off = startd.cut_off.max(Some(until));
            }
        }
        Op::Max(max) => {
            let allocation = world.policy.allocation;
            world.policy = Policy::try_from(policy(*max, allocation)).unwrap();
        }
        Op::Configure { which, image, template } => {
            let (image, template) = (image.map(|image| IMAGES[image]), template.map(|text| TEMPLATES[text]));
            world.configure(CLOUDS[*which], image, template);
        }
        Op::Spoil { image, spoilt } => {
            let what = IMAGES.iter().chain(&TEMPLATES).nth(*image).unwrap().to_string();
            if *spoilt {
                world.spoiled.insert(what);
            } else {
                world.spoiled.remove(&what);
            }
        }
        Op::Small(small) => {
            let mut draft = PolicyDraft::from(world.policy.clone());
            draft.clouds[0].flavors =
                if *small { vec!["small".into(), "large".into()] } else { vec!["large".into()] };
            world.policy = Policy::try_from(draft).unwrap();
        }
        Op::Others(cores) => {
            let bergen = world.clouds.get_mut("bergen").unwrap();
            let free = bergen.quota_now(ehos_model::Timestamp::MAX).cores.left();
            // Others cannot take what is not there; what we have ordered is ours.
            bergen.others.cores = (*cores).min(u32::try_from(free).unwrap() + bergen.others.cores);
        }
    }
    false
}

fn allocation() -> impl Strategy<Value = NodeAllocation> {
    prop_oneof![
        Just(NodeAllocation::RoundRobin),
        Just(NodeAllocation::Random),
        Just(NodeAllocation::FillFirst),
        Just(NodeAllocation::Cheapest),
        Just(NodeAllocation::LeastWaste),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The world panics where a plan breaks a rule.
    #[test]
    fn no_history_breaks_a_rule(allocation in allocation(), ops in proptest::collection::vec(op(), 1..60)) {
        let mut world = world(6, allocation);
        for op in &ops {
            let killed = apply(&mut world, op);
            world.tick(killed);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happened, once it is over the jobs that can run do run, and the nodes go.
    #[test]
    fn every_history_heals(allocation in allocation(), ops in proptest::collection::vec(op(), 1..30)) {
        let mut world = world(6, allocation);
        for op in &ops {
            let killed = apply(&mut world, op);
            world.tick(killed);
        }
        (world.queue_down, world.collector_down, world.lagging) = (false, false, false);
        world.fates.clear();
        world.spoiled.clear();
        for cloud in world.clouds.values_mut() {
            cloud.down = false;
            cloud.others = ehos_model::Resources::default();
            cloud.servers.retain(|_, s| !matches!(s.server.status, ServerStatus::Other(_) | ServerStatus::Deleting));
        }
        for name in CLOUDS {
            world.configure(name, Some("new"), Some("new"));
        }
        world.policy = Policy::try_from(policy(6, world.policy.allocation)).unwrap();
        world.queue.retain(|group| group.request != SHAPES[3]);
        // The longest back-off, lost and boot time-outs, and all the jobs one after the other.
        for _ in 0..2000 {
            world.advance(30);
            world.tick(false);
            if world.idle_jobs() == 0 && world.servers() <= 1 {
                break;
            }
        }
        prop_assert_eq!(world.idle_jobs(), 0);
        for _ in 0..200 {
            world.advance(30);
            world.tick(false);
        }
        prop_assert_eq!(world.servers(), 1, "nodes_min, which is also the one in reserve");
        let left = world.clouds.values().flat_map(|cloud| cloud.servers.values()).next().unwrap();
        prop_assert_eq!(left.server.image.as_ref().map(ehos_model::ImageId::as_str), Some("new"));
        prop_assert_eq!(left.server.template.as_deref(), Some("new"));
    }
}
