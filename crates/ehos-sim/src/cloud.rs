//! An embedded cloud behind the trait [`Cloud`].
//!
//! Deliberately thin: what a call does is the table's matter.

use async_trait::async_trait;
use ehos_cloud::{Cloud, ServerOrder};
use ehos_model::{CloudName, CloudOffer, Failure, FailureKind, PoolId, Server, ServerId, ServerStatus};

use crate::faults::Health;
use crate::servers::Order;
use crate::world::World;

/// A cloud of an embedded world, as one pool sees it.
#[derive(Clone)]
pub struct EmbeddedCloud {
    pub(crate) world: World,
    pub(crate) name: CloudName,
    pub(crate) pool: PoolId,
}

impl EmbeddedCloud {
    pub(crate) fn new(world: World, name: CloudName, pool: PoolId) -> Self {
        Self { world, name, pool }
    }

    /// Gives the same cloud as another pool sees it that shares the project.
    #[must_use]
    pub fn seen_by(&self, pool: PoolId) -> Self {
        Self { pool, ..self.clone() }
    }

    pub(crate) async fn call(&self) -> Result<(), Failure> {
        self.world
            .call(|state| state.clouds.get(&self.name).map_or(Health::Well, |cloud| cloud.health.clone()))
            .await
    }
}

#[async_trait]
impl Cloud for EmbeddedCloud {
    fn name(&self) -> &CloudName {
        &self.name
    }

    async fn servers(&self) -> Result<Vec<Server>, Failure> {
        self.call().await?;
        let state = self.world.state();
        let ours = state.servers.values().filter(|one| one.cloud == self.name && one.pool == self.pool);
        Ok(ours
            .map(|record| Server {
                id: record.id.clone(),
                cloud: record.cloud.clone(),
                node: record.node.clone(),
                role: record.role.clone(),
                flavor: record.flavor.name.clone(),
                image: Some(record.image.clone()),
                template: record.template.clone(),
                status: record.status.clone(),
                created: state.timestamp(record.created),
                fault: record.fault.clone(),
            })
            .collect())
    }

    async fn offer(&self) -> Result<CloudOffer, Failure> {
        self.call().await?;
        let state = self.world.state();
        let Some(cloud) = state.clouds.get(&self.name) else {
            return Err(Failure::rejected(format!("there is no cloud {}", self.name)));
        };
        Ok(CloudOffer {
            cloud: self.name.clone(),
            flavors: cloud.offered(),
            image: Some(cloud.settings.image.clone()),
            quota: state.quota(cloud),
        })
    }

    async fn create(&self, order: &ServerOrder) -> Result<ServerId, Failure> {
        self.call().await?;
        let mut state = self.world.state();
        let configured = state.clouds.get(&self.name).map(|cloud| cloud.settings.image.clone());
        let Some(image) = order.image.clone().or(configured) else {
            return Err(Failure::rejected(format!("there is no cloud {}", self.name)));
        };
        state.create(Order {
            cloud: self.name.clone(),
            pool: self.pool.clone(),
            node: order.node.clone(),
            role: order.role.clone(),
            flavor: order.flavor.clone(),
            image,
            template: order.template.clone(),
        })
    }

    async fn delete(&self, server: &ServerId) -> Result<(), Failure> {
        self.call().await?;
        self.world.state().delete(&self.name, server)
    }

    async fn console(&self, server: &ServerId, lines: u32) -> Result<String, Failure> {
        self.call().await?;
        let state = self.world.state();
        let Some(record) = state.servers.get(server).filter(|server| server.cloud == self.name) else {
            return Err(Failure::new(FailureKind::NotFound, format!("server {server} does not exist")));
        };
        if !matches!(record.status, ServerStatus::Active | ServerStatus::Shutoff) {
            return Err(Failure::new(FailureKind::Conflict, format!("server {server} has no console")));
        }
        let log: Vec<_> = record.console.iter().flat_map(|words| words.lines()).collect();
        let skip = log.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
        Ok(log[skip..].join("\n"))
    }
}
