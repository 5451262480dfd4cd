//! The rules of the embedded world, one named test a rule, in virtual time.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

use std::time::Duration;

use ehos_cloud::{Cloud as _, ServerOrder};
use ehos_condor::{Cluster, Pool as _, SleepJobs};
use ehos_model::{
    Failure, FailureKind, Machine, Mebibytes, NodeId, PoolId, Quota, Resources, Role, ServerId, ServerStatus,
    Slot, elapsed,
};
use ehos_sim::{EmbeddedCloud, EmbeddedCloudSettings, EmbeddedPool, Health, World, WorldSettings};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// A world with one cloud: 5 s to boot, 2 s to join, 1 s to be deleted; the collector lags by 1 s.
fn world() -> (World, EmbeddedCloud, EmbeddedPool) {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut EmbeddedCloudSettings)) -> (World, EmbeddedCloud, EmbeddedPool) {
    let world = World::new(WorldSettings::new(7));
    let mut settings = EmbeddedCloudSettings::new("west", PoolId::from("ours"));
    settings.boot_time = 5 * SECOND..=5 * SECOND;
    settings.join_time = 2 * SECOND..=2 * SECOND;
    change(&mut settings);
    let (cloud, pool) = (world.add_cloud(settings), world.pool());
    (world, cloud, pool)
}

fn order(node: &str, flavor: &str) -> ServerOrder {
    let role = Role::Execute;
    ServerOrder::new(NodeId::from(node), role, flavor.into())
}

async fn create(cloud: &EmbeddedCloud, node: &str, flavor: &str) -> Result<ServerId, Failure> {
    cloud.create(&order(node, flavor)).await
}

async fn status(cloud: &EmbeddedCloud, id: &ServerId) -> Option<ServerStatus> {
    cloud.servers().await.unwrap().into_iter().find(|server| server.id == *id).map(|server| server.status)
}

async fn slot(pool: &EmbeddedPool, machine: &str) -> Option<Slot> {
    pool.slots().await.unwrap().into_iter().find(|slot| slot.machine.as_str() == machine)
}

async fn submit(pool: &EmbeddedPool, jobs: usize, seconds: u32, cores: u32) -> Cluster {
    let request = Resources { cores, memory: Mebibytes(512), ..Resources::default() };
    pool.submit(&SleepJobs::new(vec![seconds; jobs], request)).await.unwrap()
}

fn kind<T>(result: Result<T, Failure>) -> Option<FailureKind> {
    result.err().map(|failure| failure.kind)
}

#[tokio::test(start_paused = true)]
async fn a_server_boots_joins_and_is_gone_in_its_time() {
    let (_, cloud, pool) = world();
    let id = create(&cloud, "n1", "m1.large").await.unwrap();
    assert_eq!(status(&cloud, &id).await, Some(ServerStatus::Building));
    assert_eq!(kind(cloud.console(&id, 5).await), Some(FailureKind::Conflict));
    sleep(5 * SECOND).await;
    assert_eq!(status(&cloud, &id).await, Some(ServerStatus::Active));
    assert_eq!(cloud.console(&id, 1).await.unwrap().lines().count(), 1);
    assert_eq!(slot(&pool, "n1").await, None, "up is not yet joined");
    sleep(2 * SECOND).await;
    let joined = slot(&pool, "n1").await.unwrap();
    assert_eq!((joined.node, joined.total.cores, joined.claims), (Some(NodeId::from("n1")), 4, 0));
    cloud.delete(&id).await.unwrap();
    assert_eq!(status(&cloud, &id).await, Some(ServerStatus::Deleting));
    sleep(SECOND).await;
    assert_eq!(status(&cloud, &id).await, None);
    assert_eq!(kind(cloud.delete(&id).await), Some(FailureKind::NotFound));
}

#[tokio::test(start_paused = true)]
async fn quota_counts_all_that_is_not_gone() {
    for (row, max, flavor) in [
        ("instances", Quota { instances: limit(2), ..Quota::default() }, "m1.small"),
        ("cores", Quota { cores: limit(9), ..Quota::default() }, "m1.large"),
        ("memory", Quota { memory: limit(20 * 1024), ..Quota::default() }, "m1.large"),
    ] {
        let (_, cloud, _) = with(|settings| settings.quota = max);
        let first = create(&cloud, "n1", flavor).await.unwrap();
        create(&cloud, "n2", flavor).await.unwrap();
        assert_eq!(kind(create(&cloud, "n3", flavor).await), Some(FailureKind::Quota), "{row}");
        assert_eq!(cloud.offer().await.unwrap().quota.instances.used, 2, "{row}");
        cloud.delete(&first).await.unwrap();
        assert_eq!(kind(create(&cloud, "n3", flavor).await), Some(FailureKind::Quota), "{row}: deleting");
        sleep(2 * SECOND).await;
        create(&cloud, "n3", flavor).await.unwrap();
    }
}

fn limit(max: u64) -> ehos_model::Allowance {
    ehos_model::Allowance { max: Some(max), used: 0 }
}

#[tokio::test(start_paused = true)]
async fn others_use_of_the_quota_counts() {
    let (_, cloud, _) =
        with(|settings| settings.quota.instances = ehos_model::Allowance { max: Some(5), used: 5 });
    assert_eq!(kind(create(&cloud, "n1", "m1.small").await), Some(FailureKind::Quota));
}

#[tokio::test(start_paused = true)]
async fn jobs_run_for_their_time_on_what_has_room() {
    let (world, cloud, pool) = world();
    create(&cloud, "n1", "m1.large").await.unwrap();
    sleep(8 * SECOND).await;
    let cluster = submit(&pool, 6, 20, 1).await;
    assert_eq!(pool.demand().await.unwrap()[0].idle, 6);
    sleep(3 * SECOND).await;
    let counts = pool.jobs(cluster).await.unwrap();
    assert_eq!((counts.running, counts.idle), (4, 2), "four cores, four jobs");
    sleep(20 * SECOND).await;
    assert_eq!(pool.jobs(cluster).await.unwrap().running, 2, "the next ones follow");
    sleep(21 * SECOND).await;
    let stats = world.stats();
    assert_eq!((stats.finished, stats.idle + stats.running, stats.evicted), (6, 0, 0));
    assert_eq!(slot(&pool, "n1").await.unwrap().job_starts, 6);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fits_nowhere_waits_and_lets_others_pass() {
    let (_, cloud, pool) = world();
    create(&cloud, "n1", "m1.medium").await.unwrap();
    sleep(8 * SECOND).await;
    let wide = submit(&pool, 1, 5, 16).await;
    let narrow = submit(&pool, 1, 5, 1).await;
    sleep(3 * SECOND).await;
    assert_eq!(pool.jobs(wide).await.unwrap().idle, 1);
    assert_eq!(pool.jobs(narrow).await.unwrap().running, 1);
}

#[tokio::test(start_paused = true)]
async fn the_collector_lags_and_the_startd_knows_better() {
    let (_, cloud, pool) = with(|_| {});
    create(&cloud, "n1", "m1.large").await.unwrap();
    sleep(8 * SECOND).await;
    let cluster = submit(&pool, 1, 60, 1).await;
    while pool.jobs(cluster).await.unwrap().running == 0 {
        sleep(SECOND / 10).await;
    }
    assert!(slot(&pool, "n1").await.unwrap().is_unclaimed(), "the ad is older than the claim");
    assert_eq!(kind(pool.drain(&Machine::from("n1"), "test").await), Some(FailureKind::Conflict));
    sleep(2 * SECOND).await;
    assert_eq!(slot(&pool, "n1").await.unwrap().claims, 1);
}

#[tokio::test(start_paused = true)]
async fn a_draining_machine_takes_no_jobs_until_it_is_resumed() {
    let (_, cloud, pool) = world();
    create(&cloud, "n1", "m1.large").await.unwrap();
    sleep(8 * SECOND).await;
    let machine = Machine::from("n1");
    assert_eq!(kind(pool.resume(&machine).await), Some(FailureKind::Conflict), "it is not draining");
    pool.drain(&machine, "test").await.unwrap();
    let cluster = submit(&pool, 1, 5, 1).await;
    sleep(10 * SECOND).await;
    assert!(slot(&pool, "n1").await.unwrap().is_drained());
    assert_eq!(pool.jobs(cluster).await.unwrap().idle, 1);
    pool.resume(&machine).await.unwrap();
    sleep(4 * SECOND).await;
    assert_eq!(pool.jobs(cluster).await.unwrap().running, 1);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_busy_server_evicts_and_is_counted() {
    let (world, cloud, pool) = world();
    let id = create(&cloud, "n1", "m1.large").await.unwrap();
    let cluster = submit(&pool, 2, 60, 1).await;
    sleep(10 * SECOND).await;
    assert_eq!(pool.jobs(cluster).await.unwrap().running, 2);
    cloud.delete(&id).await.unwrap();
    assert_eq!(world.stats().evicted, 2);
    assert_eq!(pool.jobs(cluster).await.unwrap().idle, 2, "they wait again");
    sleep(60 * SECOND).await;
    assert_eq!(world.stats().finished, 0, "what was evicted does not finish");
}

#[tokio::test(start_paused = true)]
async fn the_ad_of_a_vanished_server_grows_stale_and_can_be_forgotten() {
    let (world, cloud, pool) = world();
    let id = create(&cloud, "n1", "m1.large").await.unwrap();
    let cluster = submit(&pool, 1, 30, 1).await;
    sleep(10 * SECOND).await;
    assert!(world.faults().vanish(&id));
    assert_eq!(status(&cloud, &id).await, None);
    sleep(60 * SECOND).await;
    let stale = slot(&pool, "n1").await.unwrap();
    assert!(elapsed(stale.heard, world.now()) >= 60 * SECOND);
    assert_eq!(pool.jobs(cluster).await.unwrap().running, 1, "the schedd has not noticed");
    let machine = Machine::from("n1");
    assert!(pool.drain(&machine, "test").await.unwrap_err().is_ambiguous(), "nobody answers there");
    pool.forget(&machine).await.unwrap();
    assert_eq!(slot(&pool, "n1").await, None);
    sleep(120 * SECOND).await;
    assert_eq!(pool.jobs(cluster).await.unwrap().idle, 1, "the lease is over");
    assert_eq!((world.stats().lost, world.stats().evicted), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stale_ad_expires() {
    let (world, cloud, pool) = world();
    let id = create(&cloud, "n1", "m1.small").await.unwrap();
    sleep(10 * SECOND).await;
    world.faults().vanish(&id);
    sleep(Duration::from_mins(16)).await;
    assert_eq!(pool.slots().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_collector_says_that_it_knows_nothing_yet() {
    let (world, cloud, pool) = world();
    create(&cloud, "n1", "m1.small").await.unwrap();
    sleep(10 * SECOND).await;
    world.faults().restart_collector(30 * SECOND);
    assert!(pool.slots().await.unwrap_err().is_ambiguous());
    sleep(30 * SECOND).await;
    assert!(slot(&pool, "n1").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn orders_can_be_made_to_go_wrong() {
    let (world, cloud, pool) = world();
    let (faults, name) = (world.faults(), cloud.name().clone());
    faults.lose_next_answer(&name, Duration::ZERO);
    assert!(create(&cloud, "lost", "m1.small").await.unwrap_err().is_ambiguous());
    assert_eq!(cloud.servers().await.unwrap()[0].node.as_str(), "lost", "carried out all the same");
    faults.lose_next_answer(&name, 30 * SECOND);
    assert!(create(&cloud, "late", "m1.small").await.unwrap_err().is_ambiguous());
    assert_eq!(cloud.servers().await.unwrap().len(), 1);
    sleep(30 * SECOND).await;
    assert_eq!(cloud.servers().await.unwrap().len(), 2, "carried out late");

    faults.refuse_next(&name, Failure::new(FailureKind::NoValidHost, "no host"));
    assert_eq!(kind(create(&cloud, "refused", "m1.small").await), Some(FailureKind::NoValidHost));
    assert_eq!(world.stats().servers, 2);

    faults.fail_next(&name);
    let failing = create(&cloud, "failing", "m1.small").await.unwrap();
    faults.keep_next_out(&name);
    let outside = create(&cloud, "outside", "m1.small").await.unwrap();
    sleep(20 * SECOND).await;
    assert_eq!(status(&cloud, &failing).await, Some(ServerStatus::Error));
    assert_eq!(status(&cloud, &outside).await, Some(ServerStatus::Active));
    assert_eq!(slot(&pool, "outside").await, None);
    assert_eq!(world.stats().failed, 1);

    create(&cloud, "twice", "m1.small").await.unwrap();
    create(&cloud, "twice", "m1.small").await.unwrap();
    assert_eq!(world.stats().bought_twice, 1);
}

#[tokio::test(start_paused = true)]
async fn calls_fail_or_hang_until_all_is_well_again() {
    let (world, cloud, pool) = world();
    let faults = world.faults();
    faults.cloud_health(cloud.name(), Health::Unreachable("no route".to_owned()));
    assert_eq!(cloud.servers().await.unwrap_err().message, "no route");
    faults.cloud_health(cloud.name(), Health::Hanging);
    let hung = tokio::time::timeout(60 * SECOND, cloud.offer()).await;
    assert!(hung.is_err());
    let waiting = tokio::spawn({
        let cloud = cloud.clone();
        async move { cloud.offer().await }
    });
    sleep(SECOND).await;
    faults.heal();
    waiting.await.unwrap().unwrap();
    faults.pool_health(Health::Unreachable("gone".to_owned()));
    assert!(pool.demand().await.unwrap_err().is_ambiguous());
    faults.heal();
    pool.demand().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_heard_of_even_if_nobody_listened_at_that_moment() {
    let (_, _, pool) = world();
    submit(&pool, 1, 1, 1).await;
    tokio::time::timeout(SECOND, pool.queue_changed()).await.unwrap();
    assert!(tokio::time::timeout(SECOND, pool.queue_changed()).await.is_err(), "once");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_world_however_often_it_is_looked_at() {
    let mut lives = Vec::new();
    for look in [Duration::from_millis(100), 7 * SECOND, 100 * SECOND] {
        let (world, cloud, pool) = with(|settings| {
            settings.boot_time = SECOND..=20 * SECOND;
            settings.failure_rate = 0.3;
        });
        for i in 0..20 {
            create(&cloud, &format!("n{i}"), "m1.large").await.unwrap();
        }
        submit(&pool, 50, 13, 1).await;
        let end = tokio::time::Instant::now() + 100 * SECOND;
        while tokio::time::Instant::now() < end {
            sleep(look.min(end - tokio::time::Instant::now())).await;
            pool.slots().await.unwrap();
        }
        let slots = pool.slots().await.unwrap().into_iter();
        let starts: Vec<_> = slots.map(|slot| (slot.machine, slot.job_starts)).collect();
        lives.push((world.stats(), starts));
    }
    assert_eq!(lives[0], lives[1]);
    assert_eq!(lives[0], lives[2]);
    assert!(lives[0].0.failed > 0 && lives[0].0.finished == 50, "{:?}", lives[0].0);
}
