//! The embedded cloud and pool keep what every cloud and pool promises.

use std::time::Duration;

use async_trait::async_trait;
use ehos_cloud::{Cloud as _, Images as _, Properties, ServerOrder};
use ehos_condor::contract::ContractWorld;
use ehos_condor::{JobCounts, Pool as _, SleepJobs};
use ehos_model::{Machine, NodeId, PoolId, Resources, Role};
use ehos_sim::{EmbeddedCloudSettings, World, WorldSettings};

const DEADLINE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn the_embedded_cloud_is_a_cloud() {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    let terms = ehos_cloud::contract::Terms {
        flavor: "m1.small".into(),
        prefix: "contract".to_owned(),
        deadline: DEADLINE,
        user_data: b"#cloud-config\n".to_vec().into(),
    };
    let held = ehos_cloud::contract::check(&cloud, &cloud.seen_by(PoolId::from("theirs")), &terms).await;
    assert!(held.unwrap().len() >= 8);
    assert_eq!(world.stats().servers, 0, "the check leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn the_embedded_cloud_makes_images() {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    let terms = ehos_cloud::contract::Terms {
        flavor: "m1.small".into(),
        prefix: "contract".to_owned(),
        deadline: DEADLINE,
        user_data: Vec::new().into(),
    };
    let stranger = cloud.seen_by(PoolId::from("theirs"));
    let held = ehos_cloud::contract::images::check(&cloud, &stranger, &terms, "embedded").await;
    assert!(held.unwrap().len() >= 6);
    tokio::time::sleep(DEADLINE).await;
    assert_eq!(world.stats().servers, 0, "the check leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn the_account_of_an_embedded_cloud_is_made_ready() {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    let terms = ehos_cloud::contract::Terms {
        flavor: "m1.small".into(),
        prefix: "contract".to_owned(),
        deadline: DEADLINE,
        user_data: Vec::new().into(),
    };
    let keys = ehos_cloud::contract::prepare::Keys {
        one: "ssh-ed25519 AAAA contract@here".to_owned(),
        other: "ssh-ed25519 BBBB contract@here".to_owned(),
    };
    let stranger = cloud.seen_by(PoolId::from("theirs"));
    let held = ehos_cloud::contract::prepare::check(&cloud, &stranger, &terms, &keys).await;
    assert!(held.unwrap().len() >= 12);
    assert_eq!(world.stats().servers, 0, "the check leaves nothing behind");
}

#[expect(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]
/// Boots the given image as a probe and gives the job that probes it time to run.
async fn probed(world: &World, cloud: &ehos_sim::EmbeddedCloud, image: &str) -> (JobCounts, usize) {
    let node = NodeId::from("contract-probe");
    let base = ServerOrder {
        image: Some(image.into()),
        ..ServerOrder::new(node.clone(), Role::Build, "m1.small".into())
    };
    cloud.create(&base).await.unwrap();
    let pool = world.pool();
    let ordinary = pool.submit(&SleepJobs::new(vec![1], Resources::default())).await.unwrap();
    let probe = SleepJobs { probe: Some(node), ..SleepJobs::new(vec![1], Resources::default()) };
    let probe = pool.submit(&probe).await.unwrap();
    tokio::time::sleep(DEADLINE).await;
    let left = pool.jobs(probe).await.unwrap();
    assert_eq!(pool.jobs(ordinary).await.unwrap().idle, 1, "no other job runs on a probe, or without a node");
    for cluster in [probe, ordinary] {
        pool.remove(cluster).await.unwrap();
        pool.remove(cluster).await.unwrap();
        assert_eq!(pool.jobs(cluster).await.unwrap(), JobCounts::default(), "taken out of the queue");
    }
    (left, pool.slots().await.unwrap().len())
}

#[tokio::test(start_paused = true)]
async fn a_probe_joins_and_runs_its_own_job_alone() {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    assert_eq!(
        probed(&world, &cloud, "embedded").await,
        (JobCounts { idle: 1, ..JobCounts::default() }, 0),
        "no probe"
    );
    let base = cloud.servers().await.unwrap()[0].id.clone();
    let image = cloud.make_image(&base, "image", &Properties::new()).await.unwrap();
    tokio::time::sleep(DEADLINE).await;
    cloud.delete(&base).await.unwrap();
    assert_eq!(probed(&world, &cloud, image.as_str()).await, (JobCounts::default(), 1), "it has run");
}

struct OneMachine(Machine);

#[async_trait]
impl ContractWorld for OneMachine {
    async fn machine(&self) -> Machine {
        self.0.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn the_embedded_pool_is_a_pool() {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    let node = NodeId::from("contract-1");
    let order = ServerOrder::new(node.clone(), Role::Execute, "m1.large".into());
    cloud.create(&order).await.unwrap();
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while world.pool().slots().await.unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the machine joins");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ehos_condor::contract::check(&world.pool(), &OneMachine(Machine::new(node.as_str()))).await.unwrap();
    assert_eq!((world.stats().finished, world.stats().evicted), (3, 0));
}
