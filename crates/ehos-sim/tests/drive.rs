//! The scaler against the embedded world in virtual time: demand is met, the pool shrinks again, no job is killed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic as the tests do")]

use std::num::NonZeroU32;
use std::time::Duration;

use ehos_cloud::Cloud as _;
use ehos_condor::{Pool as _, SleepJobs};
use ehos_model::{
    Allowance, CloudName, CloudPolicy, Failure, FailureKind, Mebibytes, NodeAllocation, NodeLimits, Policy,
    PolicyDraft, PoolId, Quota, Reserve, Resources,
};
use ehos_scaler::{Action, Note};
use ehos_sim::drive::{Driver, Tick};
use ehos_sim::{EmbeddedCloudSettings, Health, World, WorldSettings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const CLOUDS: [&str; 2] = ["east", "west"];
const IMAGES: [&str; 3] = ["embedded", "second", "third"];
const MIN: u32 = 1;
const MAX: u32 = 8;

fn policy(allocation: NodeAllocation) -> Policy {
    let cloud = |name: &str| CloudPolicy {
        name: CloudName::from(name),
        nodes_max: None,
        priority: 0,
        price: None,
        flavors: vec!["m1.medium".into(), "m1.large".into()],
        prefix: "sim".to_owned(),
        reserve: Reserve::default(),
        max_creating: NonZeroU32::new(20).unwrap(),
    };
    Policy::try_from(PolicyDraft {
        pool: PoolId::from("ours"),
        limits: NodeLimits::new(MIN, MAX, 1).unwrap(),
        allocation,
        clouds: CLOUDS.map(cloud).into(),
        sleep: 5 * SECOND,
        idle_grace: 15 * SECOND,
        boot_timeout: 2 * MINUTE,
        lost_timeout: 3 * MINUTE,
        drain_timeout: None,
    })
    .unwrap()
}

fn world(seed: u64, call_time: Duration, failure_rate: f64) -> World {
    let world = World::new(WorldSettings { call_time, ..WorldSettings::new(seed) });
    configure(&world, "embedded", failure_rate);
    world
}

/// Has all nodes to come be made from an image.
fn configure(world: &World, image: &str, failure_rate: f64) {
    for name in CLOUDS {
        let limit = |max| Allowance { max: Some(max), used: 0 };
        let quota = Quota { instances: limit(6), cores: limit(20), memory: limit(40 * 1024) };
        let settings = EmbeddedCloudSettings::new(name, PoolId::from("ours"));
        world.add_cloud(EmbeddedCloudSettings { quota, failure_rate, image: image.into(), ..settings });
    }
}

async fn submit(world: &World, jobs: usize, seconds: u32, cores: u32, gibibytes: u64) {
    let memory = Mebibytes::from_gibibytes(gibibytes);
    let request = Resources { cores, memory, ..Resources::default() };
    // A pool made unreachable refuses, and the user tries again another day.
    _ = world.pool().submit(&SleepJobs::new(vec![seconds; jobs], request)).await;
}

/// Holds a tick against the rules that are never broken.
fn rules(world: &World, policy: &Policy, tick: &Tick) -> Result<(), String> {
    let stats = world.stats();
    let steps = &tick.plan.steps;
    let any = |test: fn(&Action) -> bool| steps.iter().any(|step| test(&step.action));
    let creates = any(|action| matches!(action, Action::Create { .. }));
    let drains = any(|action| matches!(action, Action::Drain { .. }));
    let deletes = any(|action| matches!(action, Action::Delete(_)));
    let cloud_of = |action: &Action| match action {
        Action::Create { cloud, .. } => Some(cloud.clone()),
        Action::Delete(deletable) => Some(deletable.cloud().clone()),
        _ => None,
    };
    let blind = tick.snapshot.clouds.iter().filter(|(_, view)| view.servers.seen().is_none());
    let blind: Vec<_> = blind.map(|(name, _)| name.clone()).collect();
    let acts_blindly =
        steps.iter().filter_map(|step| cloud_of(&step.action)).any(|cloud| blind.contains(&cloud));
    for (broken, rule) in [
        (stats.evicted > 0, "1: a running job is never killed"),
        (tick.snapshot.demand.seen().is_none() && (creates || drains), "2: unknown demand"),
        (tick.snapshot.slots.seen().is_none() && (drains || deletes), "2: unknown slots"),
        (acts_blindly, "2: an unknown cloud gets no action"),
        (stats.most_servers > u64::from(policy.limits.max()), "3: never more than nodes_max"),
        (policy.clouds.iter().any(|cloud| overfull(world, cloud)), "3: never more than a cloud's nodes_max"),
        (stats.bought_twice > 0, "4: nothing is bought twice"),
        (steps.iter().any(|step| step.reason.is_empty()), "8: each step has a reason"),
    ] {
        if broken {
            return Err(format!("rule {rule}: {stats:?}"));
        }
    }
    Ok(())
}

fn overfull(world: &World, cloud: &CloudPolicy) -> bool {
    let nodes = world.nodes(&PoolId::from("ours"));
    let there = nodes.iter().filter(|node| node.cloud == cloud.name).count();
    cloud.nodes_max.is_some_and(|max| there > usize::try_from(max).unwrap())
}

fn story(tick: &Tick, world: &World) -> String {
    let nodes: Vec<_> =
        tick.inventory.nodes.iter().map(|node| format!("{}:{}", node.id, node.phase.word())).collect();
    let steps: Vec<_> = tick
        .outcomes
        .iter()
        .map(|outcome| format!("\n    {} -> {:?}", outcome.step, outcome.result))
        .collect();
    let unmet = &tick.plan.unmet;
    format!("{} {nodes:?} {:?}{}\n    unmet {unmet:?}", tick.snapshot.at, world.stats(), steps.concat())
}

/// Ticks for a while, holding every tick against the rules; `wished` ends it early.
async fn run(
    driver: &mut Driver,
    world: &World,
    limit: Duration,
    tale: &mut Vec<String>,
    mut wished: impl FnMut(&World) -> bool,
) -> Result<(), String> {
    let end = tokio::time::Instant::now() + limit;
    while !wished(world) {
        if tokio::time::Instant::now() >= end {
            return Err(format!("not within {limit:?}: {:?}", world.stats()));
        }
        let tick = driver.tick().await;
        tale.push(story(&tick, world));
        rules(world, driver.policy(), &tick)?;
        driver.wait(&tick).await;
    }
    Ok(())
}

fn tell(seed: u64, problem: &str, tale: &[String]) -> ! {
    let last = tale.len().saturating_sub(40);
    panic!("seed {seed}: {problem}\n{}", tale[last..].join("\n"))
}

/// Submits a mixed load, sees it done and the pool back at its minimum, where nothing more is to do.
async fn there_and_back(seed: u64, allocation: NodeAllocation, call_time: Duration) {
    let world = world(seed, call_time, 0.0);
    let mut driver = Driver::new(&world, policy(allocation), seed);
    let mut tale = Vec::new();
    submit(&world, 12, 20, 1, 1).await;
    submit(&world, 4, 20, 4, 8).await;
    submit(&world, 9, 40, 2, 1).await;
    // 46 cores are asked for, 20 s the one half and 40 s the other; booting and joining take up to 10 s.
    let done = run(&mut driver, &world, 2 * MINUTE, &mut tale, |world| world.stats().finished == 25).await;
    done.unwrap_or_else(|problem| tell(seed, &problem, &tale));
    let stats = world.stats();
    assert!(
        stats.most_servers > u64::from(MIN) && stats.bought <= u64::from(MAX),
        "bought too few or too many: {stats:?}"
    );
    let back = |world: &World| world.stats().servers == u64::from(MIN);
    let shrunk = run(&mut driver, &world, 2 * MINUTE, &mut tale, back).await;
    shrunk.unwrap_or_else(|problem| tell(seed, &problem, &tale));
    tokio::time::sleep(5 * MINUTE).await;
    for _ in 0..10 {
        let tick = driver.tick().await;
        let steps: Vec<_> =
            tick.plan.steps.iter().filter(|step| !matches!(step.action, Action::Release { .. })).collect();
        assert!(steps.is_empty(), "seed {seed}: {steps:?}");
        driver.wait(&tick).await;
    }
}

#[tokio::test(start_paused = true)]
async fn demand_is_met_and_the_pool_shrinks_again() {
    for allocation in [NodeAllocation::RoundRobin, NodeAllocation::Random, NodeAllocation::FillFirst] {
        for seed in 0..5 {
            there_and_back(seed, allocation, Duration::ZERO).await;
            there_and_back(seed, allocation, SECOND / 3).await;
        }
    }
}

/// A trickle of short jobs against a planner without patience: nodes are claimed while they are being drained.
#[tokio::test(start_paused = true)]
async fn whoever_is_first_at_an_idle_node_the_job_lives() {
    let (mut conflicts, mut resumed, mut finished) = (0, 0, 0);
    for seed in 0..10 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let world = world(seed, SECOND / 3, 0.0);
        let policy = policy(NodeAllocation::RoundRobin);
        let hasty = PolicyDraft { idle_grace: Duration::ZERO, sleep: SECOND, ..PolicyDraft::from(policy) };
        let mut driver = Driver::new(&world, Policy::try_from(hasty).unwrap(), seed);
        let mut tale = Vec::new();
        for _ in 0..300 {
            if dice.u32(0..3) == 0 {
                submit(&world, dice.usize(1..6), dice.u32(0..12), dice.u32(1..3), 1).await;
            }
            let tick = driver.tick().await;
            tale.push(story(&tick, &world));
            rules(&world, driver.policy(), &tick).unwrap_or_else(|problem| tell(seed, &problem, &tale));
            for outcome in &tick.outcomes {
                match (&outcome.step.action, &outcome.result) {
                    (Action::Drain { .. }, Err(failure)) if failure.kind == FailureKind::Conflict => {
                        conflicts += 1;
                    }
                    (Action::Resume { .. }, Ok(())) => resumed += 1,
                    _ => {}
                }
            }
            driver.wait(&tick).await;
        }
        finished += world.stats().finished;
    }
    assert!(conflicts > 10 && resumed > 10, "the races were run: {conflicts} conflicts, {resumed} resumed");
    assert!(finished > 1000, "and jobs: {finished}");
}

/// Lists what the servers of all clouds were made from, and told.
async fn made_of(world: &World) -> Vec<(String, Option<String>)> {
    let mut made_of = Vec::new();
    for name in CLOUDS {
        for server in world.cloud(&name.into()).unwrap().servers().await.unwrap() {
            made_of.push((server.image.unwrap().to_string(), server.template));
        }
    }
    made_of
}

/// A policy that keeps nodes whatever the queue says.
fn keeping(nodes: u32, max: u32) -> Policy {
    let draft = PolicyDraft::from(policy(NodeAllocation::RoundRobin));
    Policy::try_from(PolicyDraft { limits: NodeLimits::new(nodes, max, 0).unwrap(), ..draft }).unwrap()
}

/// Ticks for a while with jobs trickling in; gives the most nodes that were sent away for what they are in one tick.
async fn trickle(
    driver: &mut Driver,
    world: &World,
    ticks: u32,
    dice: &mut fastrand::Rng,
    tale: &mut Vec<String>,
) -> usize {
    let mut most = 0;
    for tick in 0..ticks {
        if tick % 4 == 0 {
            submit(world, dice.usize(0..3), dice.u32(1..40), 2, 2).await;
        }
        let tick = driver.tick().await;
        tale.push(story(&tick, world));
        rules(world, driver.policy(), &tick).unwrap_or_else(|problem| tell(0, &problem, tale));
        let differs = |step: &&ehos_scaler::Step| {
            matches!(step.action, Action::Drain { .. }) && step.reason.starts_with("it was ")
        };
        most = most.max(tick.plan.steps.iter().filter(differs).count());
        driver.wait(&tick).await;
    }
    most
}

/// Nodes are exchanged beneath the jobs, one at a time, for another image and for another template.
#[tokio::test(start_paused = true)]
async fn a_new_image_and_a_new_template_come_to_all_nodes_and_no_job_is_killed() {
    for (row, max) in [("with a place to spare", 6), ("without one", 5)] {
        let mut dice = fastrand::Rng::with_seed(7);
        let world = world(7, SECOND / 3, 0.0);
        let mut driver = Driver::new(&world, keeping(5, max), 7);
        let mut tale = vec![row.to_owned()];
        driver.set_template("first");
        trickle(&mut driver, &world, 40, &mut dice, &mut tale).await;
        configure(&world, "second", 0.0);
        assert_eq!(trickle(&mut driver, &world, 400, &mut dice, &mut tale).await, 1, "{row}");
        let told = |template: &str| ("second".to_owned(), Some(template.to_owned()));
        assert_eq!(made_of(&world).await, vec![told("first"); 5], "{row}");
        driver.set_template("second");
        assert_eq!(trickle(&mut driver, &world, 400, &mut dice, &mut tale).await, 1, "{row}");
        assert_eq!(made_of(&world).await, vec![told("second"); 5], "{row}");
        assert!(world.stats().finished > 100, "{row}: jobs ran all the while: {:?}", world.stats());
    }
}

/// An image of which no node joins costs a few nodes for a while; then the old one is used again, and jobs go on.
#[tokio::test(start_paused = true)]
async fn a_spoilt_image_is_set_aside_and_the_pool_goes_on() {
    let mut dice = fastrand::Rng::with_seed(3);
    let world = world(3, SECOND / 3, 0.0);
    let mut driver = Driver::new(&world, keeping(5, 8), 3);
    let mut tale = Vec::new();
    trickle(&mut driver, &world, 40, &mut dice, &mut tale).await;
    world.faults().spoil_image(&"bad".into());
    configure(&world, "bad", 0.0);
    trickle(&mut driver, &world, 1500, &mut dice, &mut tale).await;
    let before = world.stats();
    let tick = driver.tick().await;
    let aside = |note: &Note| {
        matches!(note, Note::Image { image, instead: Some(old), failed, .. }
            if image.as_str() == "bad" && old.as_str() == "embedded" && failed.len() == 3)
    };
    assert!(tick.plan.notes.len() == 2 && tick.plan.notes.iter().all(aside), "{:?}", tick.plan.notes);
    // Jobs more than the nodes that are there can run: new ones come, of the old image.
    submit(&world, 16, 20, 2, 2).await;
    let back = |world: &World| world.stats().idle + world.stats().running == 0;
    let done = run(&mut driver, &world, 5 * MINUTE, &mut tale, back).await;
    done.unwrap_or_else(|problem| tell(3, &problem, &tale));
    let after = world.stats();
    assert!(after.finished >= before.finished + 16 && after.bought > before.bought, "{after:?}");
    assert!(
        made_of(&world).await.iter().all(|(image, _)| image == "embedded"),
        "none of the bad one is left"
    );
}

/// Makes trouble by the dice.
async fn trouble(world: &World, driver: &mut Driver, dice: &mut fastrand::Rng, tale: &mut Vec<String>) {
    let faults = world.faults();
    let cloud = CloudName::from(*dice.choice(&CLOUDS).unwrap());
    let trouble = match dice.u32(0..36) {
        0 => {
            faults.cloud_health(&cloud, Health::Unreachable("trouble".to_owned()));
            "unreachable"
        }
        1 => {
            faults.cloud_health(&cloud, Health::Hanging);
            "hanging"
        }
        2 => {
            faults.pool_health(Health::Unreachable("trouble".to_owned()));
            "pool unreachable"
        }
        3 => {
            faults.restart_collector(dice.u32(1..90) * SECOND);
            "collector restarts"
        }
        4 => {
            // Less than the two minutes after which an order that no listing shows is taken for void.
            faults.lose_next_answer(&cloud, dice.u32(0..100) * SECOND);
            "answer lost"
        }
        5 => {
            faults.fail_next(&cloud);
            "server fails"
        }
        6 => {
            faults.keep_next_out(&cloud);
            "server never joins"
        }
        7 => {
            let kind =
                dice.choice([FailureKind::Quota, FailureKind::NoValidHost, FailureKind::Rejected]).unwrap();
            faults.refuse_next(&cloud, Failure::new(kind, "trouble"));
            "order refused"
        }
        8 => {
            let servers = world.cloud(&cloud).unwrap();
            let listed = tokio::time::timeout(SECOND, servers.servers()).await;
            if let Some(server) = listed.ok().and_then(Result::ok).and_then(|all| dice.choice(all)) {
                faults.vanish(&server.id);
            }
            "server vanishes"
        }
        // An order that no cloud shows and no memory knows cannot be counted by anybody.
        9 if world.stats().late == 0 => {
            driver.lose_memory();
            "memory lost"
        }
        10 => {
            let tick = driver.tick_killed_after(dice.usize(0..3)).await;
            tale.push(story(&tick, world));
            "killed"
        }
        11..=17 => {
            faults.heal();
            "healed"
        }
        18..=22 => {
            let (jobs, seconds) = (dice.usize(1..10), dice.u32(1..120));
            let (cores, memory) = *dice.choice(&[(1, 1), (2, 2), (4, 8), (1, 4)]).unwrap();
            tokio::time::timeout(SECOND, submit(world, jobs, seconds, cores, memory)).await.ok();
            "jobs"
        }
        23 => {
            configure(world, dice.choice(IMAGES).unwrap(), 0.1);
            "another image"
        }
        24 => {
            faults.spoil_image(&(*dice.choice(&IMAGES).unwrap()).into());
            "image spoilt"
        }
        _ => return,
    };
    tale.push(format!("    *** {trouble} ({cloud})"));
}

/// An operator's wishes by the dice, such that every job of [`trouble`] can run.
fn any_policy(dice: &mut fastrand::Rng) -> Policy {
    let allocation = [NodeAllocation::RoundRobin, NodeAllocation::Random, NodeAllocation::FillFirst];
    let mut draft = PolicyDraft::from(policy(*dice.choice(&allocation).unwrap()));
    let max = dice.u32(1..12);
    // Up to the ceiling: nodes that are kept and too small for the jobs must make room.
    draft.limits = NodeLimits::new(dice.u32(0..=max.min(4)), max, dice.u32(0..=max.min(4))).unwrap();
    draft.idle_grace = dice.u32(0..60) * SECOND;
    for cloud in &mut draft.clouds {
        cloud.nodes_max = dice.bool().then(|| dice.u32(2..6));
        cloud.max_creating = NonZeroU32::new(dice.u32(1..6)).unwrap();
        cloud.priority = dice.i32(0..2);
        cloud.reserve.cores = dice.u32(0..10);
    }
    Policy::try_from(draft).unwrap()
}

/// How many servers a pool without jobs may have in the end.
fn at_rest(policy: &Policy) -> std::ops::RangeInclusive<u64> {
    let room: u32 = policy.clouds.iter().map(|cloud| cloud.nodes_max.unwrap_or(6).min(6)).sum();
    let wanted = policy.limits.min().max(policy.limits.spare());
    u64::from(wanted.min(room).min(3))..=u64::from(wanted)
}

/// A hundred and fifty ticks in trouble, then peace: all jobs end, and the pool is small again.
async fn troubled(seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let world = world(seed, Duration::from_millis(dice.u64(0..500)), 0.1);
    let policy = any_policy(&mut dice);
    let mut driver = Driver::new(&world, policy.clone(), seed);
    let mut tale = vec![format!("{policy:?}")];
    submit(&world, 10, 60, 1, 1).await;
    for _ in 0..150 {
        trouble(&world, &mut driver, &mut dice, &mut tale).await;
        let tick = driver.tick().await;
        tale.push(story(&tick, &world));
        rules(&world, &policy, &tick).unwrap_or_else(|problem| tell(seed, &problem, &tale));
        driver.wait(&tick).await;
    }
    world.faults().heal();
    let calm = |world: &World| {
        let stats = world.stats();
        stats.idle + stats.running == 0
            && stats.servers == stats.machines
            && at_rest(&policy).contains(&stats.servers)
    };
    let done = run(&mut driver, &world, 6 * HOUR, &mut tale, calm).await;
    done.unwrap_or_else(|problem| tell(seed, &format!("{problem} {policy:?}"), &tale));
}

/// How many worlds are troubled: more where somebody asks, as after a change of the scaler.
fn seeds() -> u64 {
    std::env::var("EHOS_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

#[tokio::test(start_paused = true)]
async fn trouble_of_fifty_kinds_ends_well() {
    for seed in 0..seeds() {
        troubled(seed).await;
    }
}
