//! The account of an embedded cloud: networks, security groups, keys, floating IPs and volumes.
//!
//! Deliberately without effect on servers: no packet is let through or kept out, and a volume holds nothing.

mod account;

use async_trait::async_trait;
use ehos_cloud::prepare::{
    Address, FloatingAddress, FoundRule, KeyPair, Network, OfferedImage, Rule, SecurityGroup, Volume,
};
use ehos_cloud::{Cloud as _, Images as _, Prepare, Resource, ResourceKind};
use ehos_model::{Failure, FailureKind, Flavor, ImageId, ServerId};

pub(crate) use self::account::Account;
use crate::cloud::EmbeddedCloud;
use crate::images::BASE;

impl EmbeddedCloud {
    /// Gives the cloud these networks in place of `private` and `public`.
    pub fn set_networks(&self, networks: Vec<Network>) {
        self.with(|account| account.networks = networks);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        let mut state = self.world.state();
        let now = state.now;
        let account = state.accounts.entry(self.name.clone()).or_default();
        account.advance(now);
        act(account)
    }

    /// Asks for a server of this cloud, whosever it is.
    fn server(&self, id: &ServerId) -> Result<(), Failure> {
        let state = self.world.state();
        let found = state.servers.get(id).is_some_and(|server| server.cloud == self.name);
        if found { Ok(()) } else { Err(missing("server", id.as_str())) }
    }

    /// Says whether a server or an image is of our pool.
    async fn is_ours(&self, resource: &Resource) -> Result<bool, Failure> {
        if resource.kind == ResourceKind::Server {
            self.server(&ServerId::from(&*resource.id))?;
            return Ok(self.servers().await?.iter().any(|one| *one.id.as_str() == *resource.id));
        }
        let image = ImageId::from(&*resource.id);
        self.image(&image).await?;
        Ok(self.images().await?.iter().any(|one| one.id == image))
    }
}

fn missing(what: &str, id: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("{what} {id} does not exist"))
}

#[async_trait]
impl Prepare for EmbeddedCloud {
    async fn networks(&self) -> Result<Vec<Network>, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.networks.clone()))
    }

    async fn flavors(&self) -> Result<Vec<Flavor>, Failure> {
        self.call().await?;
        let state = self.world.state();
        let cloud = state.clouds.get(&self.name);
        let mut flavors = cloud.map(|cloud| cloud.settings.flavors.clone()).unwrap_or_default();
        flavors.sort_by_key(|flavor| (flavor.size.cores, flavor.size.memory, flavor.size.disk));
        Ok(flavors)
    }

    async fn offered_images(&self) -> Result<Vec<OfferedImage>, Failure> {
        let base = self.find_image(BASE).await?;
        let state = self.world.state();
        let mut all: Vec<_> = state
            .all_images(&self.name)
            .into_iter()
            .map(|image| OfferedImage {
                image,
                distro: None,
                version: None,
                architecture: None,
                size: 0,
                is_snapshot: true,
            })
            .collect();
        all.push(OfferedImage {
            image: base,
            distro: Some("debian".to_owned()),
            version: Some("13".to_owned()),
            architecture: Some("x86_64".to_owned()),
            size: 0,
            is_snapshot: false,
        });
        Ok(all)
    }

    async fn security_groups(&self) -> Result<Vec<SecurityGroup>, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.groups(&self.pool)))
    }

    async fn make_security_group(&self, name: &str) -> Result<SecurityGroup, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.make_group(&self.pool, name)))
    }

    async fn add_rule(&self, group: &SecurityGroup, rule: &Rule) -> Result<(), Failure> {
        self.call().await?;
        self.with(|account| account.add_rule(&self.pool, &group.id, rule))
    }

    async fn remove_rule(&self, group: &SecurityGroup, rule: &FoundRule) -> Result<(), Failure> {
        self.call().await?;
        if !group.ours && !rule.ours {
            return Err(Failure::rejected(format!("the rule '{}' is not ours", rule.rule)));
        }
        self.with(|account| account.remove_rule(&rule.id));
        Ok(())
    }

    async fn keypairs(&self) -> Result<Vec<KeyPair>, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.keypairs(&self.pool)))
    }

    async fn import_key(&self, name: &str, public_key: &str) -> Result<KeyPair, Failure> {
        self.call().await?;
        self.with(|account| account.import_key(&self.pool, name, public_key))
    }

    async fn addresses(&self, server: &ServerId) -> Result<Vec<Address>, Failure> {
        self.call().await?;
        self.server(server)?;
        Ok(self.with(|account| account.addresses(server)))
    }

    async fn make_floating_ip(&self, network: Option<&str>) -> Result<FloatingAddress, Failure> {
        self.call().await?;
        self.with(|account| account.make_address(&self.pool, network))
    }

    async fn associate(&self, address: &FloatingAddress, server: &ServerId) -> Result<(), Failure> {
        self.call().await?;
        if self.server(server).is_err() {
            return Err(Failure::new(FailureKind::Conflict, format!("server {server} has no port yet")));
        }
        self.with(|account| account.associate(&address.id, server))
    }

    async fn volumes(&self) -> Result<Vec<Volume>, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.volumes(&self.pool)))
    }

    async fn make_volume(&self, name: &str, size: u64) -> Result<Volume, Failure> {
        self.call().await?;
        Ok(self.with(|account| account.make_volume(&self.pool, name, size)))
    }

    async fn attach(&self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        self.call().await?;
        self.server(server)?;
        self.with(|account| account.attach(volume, server))
    }

    async fn detach(&self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        self.call().await?;
        self.with(|account| account.detach(volume, server))
    }

    async fn ours(&self) -> Result<Vec<Resource>, Failure> {
        let servers = self.servers().await?;
        let images = self.images().await?;
        let mut ours = self.with(|account| account.ours(&self.pool));
        ours.extend(
            servers
                .into_iter()
                .map(|one| Resource::new(ResourceKind::Server, one.id.as_str(), one.node.as_str())),
        );
        ours.extend(
            images.into_iter().map(|one| Resource::new(ResourceKind::Image, one.id.as_str(), one.name)),
        );
        ours.sort();
        Ok(ours)
    }

    async fn remove(&self, resource: &Resource) -> Result<(), Failure> {
        let result = match resource.kind {
            ResourceKind::Server | ResourceKind::Image => match self.is_ours(resource).await {
                Ok(true) if resource.kind == ResourceKind::Server => {
                    self.delete(&ServerId::from(&*resource.id)).await
                }
                Ok(true) => self.delete_image(&ImageId::from(&*resource.id)).await,
                Ok(false) => Err(account::not_ours(resource)),
                Err(failure) => Err(failure),
            },
            _ => {
                self.call().await?;
                // What hangs on a server goes free with it.
                let alive: Vec<_> = self.world.state().servers.keys().cloned().collect();
                self.with(|account| account.remove(&self.pool, resource, &alive))
            }
        };
        match result {
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
            other => other,
        }
    }
}
