//! The embedded cloud and pool keep what every cloud and pool promises.

use std::time::Duration;

use async_trait::async_trait;
use ehos_cloud::{Cloud as _, ServerOrder};
use ehos_condor::Pool as _;
use ehos_condor::contract::ContractWorld;
use ehos_model::{Machine, NodeId, PoolId, Role};
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
