//! Steady demand is met, and what is met stays: after convergence the plan is empty.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::{World, cloud, cloud_policy, draft, size};
use ehos_model::{NodeAllocation, NodeLimits, Policy, PolicyDraft, Resources};
use proptest::prelude::*;

fn world(min: u32, max: u32, spare: u32, allocation: NodeAllocation, overhead: u64) -> World {
    let clouds = vec![cloud_policy("bergen", &["small", "large"]), cloud_policy("oslo", &["medium", "gpu"])];
    let limits = NodeLimits::new(min, max, spare).unwrap();
    let mut world = World::new(
        PolicyDraft { limits, allocation, clouds, ..draft() },
        vec![
            ("bergen", cloud(&[("small", size(2, 4, 0)), ("large", size(8, 16, 0))])),
            ("oslo", cloud(&[("medium", size(4, 8, 0)), ("gpu", size(8, 32, 2))])),
        ],
    );
    world.overhead = overhead;
    world
}

fn shape() -> impl Strategy<Value = Resources> {
    (1..=8_u32, 1..=15_u64, prop_oneof![5 => Just(0_u32), 1 => 1..=2_u32])
        .prop_map(|(cores, gib, gpus)| size(cores, gib, gpus))
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

const FOR_EVER: u32 = 1_000_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    /// Jobs that never end all get to run; then nothing is done any more, and no node is there for nothing.
    #[test]
    fn steady_demand_is_met_and_then_nothing_is_done(
        min in 0..3_u32,
        spare in 0..3_u32,
        allocation in allocation(),
        overhead in prop_oneof![Just(0), Just(242_u64)],
        shapes in proptest::collection::vec((shape(), 1..8_u64), 1..6),
    ) {
        let mut world = world(min, 60, spare, allocation, overhead);
        for (request, jobs) in &shapes {
            world.submit(*request, *jobs, FOR_EVER);
        }
        let jobs = world.idle_jobs();
        for _ in 0..120 {
            world.tick(false);
            world.advance(30);
        }
        prop_assert_eq!(world.idle_jobs(), 0, "all of them run");
        // Jobs without GPUs may come first on a node that was bought for its GPUs, and another one is bought.
        prop_assert!(world.created <= 2 * jobs + u64::from(min.max(spare)), "{} nodes for {} jobs", world.created, jobs);
        for _ in 0..5 {
            let (inventory, plan, _) = world.tick(false);
            prop_assert_eq!(plan.steps, vec![]);
            prop_assert_eq!(plan.unmet, vec![]);
            let idle = inventory.nodes.iter().filter(|node| node.phase.word() == "idle").count();
            prop_assert!(idle <= usize::try_from(min.max(spare)).unwrap());
            world.advance(30);
        }
    }

    /// What a tick has ordered is not ordered again by the next, at whatever stage it is.
    #[test]
    fn what_is_bought_is_not_bought_again(
        allocation in allocation(),
        shapes in proptest::collection::vec((shape(), 1..30_u64), 1..6),
        wait in 0..60_u32,
    ) {
        let mut world = world(0, 60, 0, allocation, 0);
        for (request, jobs) in &shapes {
            world.submit(*request, *jobs, FOR_EVER);
        }
        // The first ticks may be held up by max_creating; while nothing joins, the rest must be nothing.
        world.join_seconds = 600;
        for _ in 0..10 {
            world.tick(false);
            world.advance(20);
        }
        let created = world.created;
        world.advance(wait);
        let (_, plan, _) = world.tick(false);
        prop_assert_eq!(world.created, created, "{:?}", plan.steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// A pool at rest becomes what its configuration says: each node goes once, none is taken back, never more than one
    /// in ten are missing at a time, and then nothing is done any more.
    #[test]
    fn what_differs_is_exchanged_once(
        min in prop_oneof![3 => 0..8_u32, 1 => 20..35_u32],
        spare in 0..8_u32,
        room in 0..4_u32,
        allocation in allocation(),
        change in 0..3_usize,
        busy in 0..6_u64,
        join in prop_oneof![Just(20_u32), Just(60), Just(300)],
    ) {
        let wanted = min.max(spare);
        let mut world = world(min, wanted.max(1) + room, spare, allocation, 0);
        world.submit(size(2, 4, 0), busy, 3600);
        for _ in 0..40 {
            world.tick(false);
            world.advance(30);
        }
        let before: BTreeSet<_> = world.nodes().into_iter().collect();
        world.join_seconds = join;
        match change {
            0 => ["bergen", "oslo"].map(|cloud| world.configure(cloud, Some("image-2"), None)),
            1 => ["bergen", "oslo"].map(|cloud| world.configure(cloud, None, Some("template-2"))),
            _ => {
                let mut draft = PolicyDraft::from(world.policy.clone());
                draft.clouds[0].flavors = vec!["large".into()];
                draft.clouds[1].flavors = vec!["gpu".into()];
                world.policy = Policy::try_from(draft).unwrap();
                [(), ()]
            }
        };
        let created = world.created;
        let mut gone = BTreeSet::new();
        let (mut quiet, mut started) = (0, 0);
        // Longer than a job runs, and than a node takes to join.
        while quiet < 130 {
            let (inventory, plan, _) = world.tick(false);
            let same = plan.steps.is_empty() && started == world.started;
            (quiet, started) = (if same { quiet + 1 } else { 0 }, world.started);
            let live = inventory.nodes.iter().filter(|node| node.phase.is_live()).count();
            let mut drained = 0;
            for step in &plan.steps {
                prop_assert_ne!(step.action.word(), "resume", "{}", step);
                // A job's end may leave one more than are wanted, new or old.
                if step.action.word() == "drain" && !step.reason.starts_with("idle for") {
                    let node = step.action.node().unwrap().clone();
                    drained += 1;
                    prop_assert!(before.contains(&node), "a new node is not exchanged: {}", step);
                    prop_assert!(gone.insert(node), "it goes twice: {}", step);
                }
            }
            let missing = inventory.nodes.iter().filter(|node| {
                (node.phase.is_leaving() && before.contains(&node.id))
                    || matches!(node.phase.word(), "building" | "joining")
            });
            if drained > 0 {
                prop_assert!(drained + missing.count() <= (live / 10).max(1), "{:?}", plan.steps);
            }
            world.advance(30);
        }
        prop_assert!(world.created - created <= u64::try_from(before.len()).unwrap());
        for server in world.clouds.values().flat_map(|cloud| cloud.servers.values()).map(|s| &s.server) {
            let flavor = server.flavor.as_str();
            match change {
                0 => prop_assert_eq!(server.image.as_ref().map(ehos_model::ImageId::as_str), Some("image-2")),
                1 => prop_assert_eq!(server.template.as_deref(), Some("template-2")),
                _ => prop_assert!(["large", "gpu"].contains(&flavor), "{} stays", flavor),
            }
        }
        prop_assert_eq!(world.tick(false).1.steps, vec![]);
    }

    /// A spoiled image never takes more nodes than those it was tried with, and what worked goes on.
    #[test]
    fn an_image_of_which_no_node_joins_does_not_spread(
        nodes in prop_oneof![3 => 2..8_u32, 1 => 20..35_u32],
        room in 0..4_u32,
        allocation in allocation(),
    ) {
        let mut world = world(nodes, nodes + room, 0, allocation, 0);
        for _ in 0..40 {
            world.tick(false);
            world.advance(30);
        }
        world.spoiled.insert("image-2".to_owned());
        for cloud in ["bergen", "oslo"] {
            world.configure(cloud, Some("image-2"), None);
        }
        let mut quiet = 0;
        // Longer than the longest back-off, and than a node has time to join.
        while quiet < 70 {
            let (inventory, plan, _) = world.tick(false);
            quiet = if plan.steps.is_empty() { quiet + 1 } else { 0 };
            let old = inventory.nodes.iter().filter(|node| node.phase.word() == "idle").count();
            prop_assert!(old + 2 * 3 >= usize::try_from(nodes).unwrap(), "three at most in each of two clouds: {}", old);
            world.advance(30);
        }
        let (inventory, plan, _) = world.tick(false);
        prop_assert_eq!(plan.steps, vec![]);
        prop_assert_eq!(inventory.nodes.len(), usize::try_from(nodes).unwrap());
        prop_assert!(inventory.nodes.iter().all(|node| node.phase.word() == "idle"));
    }
}

/// The Python EHOS made one node a loop; a burst is planned at once here.
#[test]
fn a_burst_is_planned_in_one_tick() {
    let mut world = world(0, 60, 0, NodeAllocation::FillFirst, 0);
    world.submit(size(1, 2, 0), 100, 600);
    let (_, plan, _) = world.tick(false);
    assert_eq!(plan.steps.len(), 14, "100 jobs: 8 on each of 12 large nodes, 2 on each of 2 small ones");
}

#[test]
fn jobs_end_and_the_pool_goes_back_to_its_minimum() {
    let mut world = world(1, 10, 0, NodeAllocation::RoundRobin, 242);
    world.submit(size(2, 3, 0), 30, 300);
    world.submit(size(8, 20, 2), 3, 300);
    for _ in 0..200 {
        world.tick(false);
        world.advance(30);
    }
    assert_eq!((world.finished, world.idle_jobs(), world.servers()), (33, 0, 1));
    assert_eq!(world.at - Duration::from_mins(100), "2026-01-01T00:00:00Z".parse().unwrap());
}
