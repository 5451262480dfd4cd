//! Makes an account ready: Neutron's, Nova's and Cinder's calls for what servers need around them.
//!
//! Deliberately deletes only what carries our pool's id, and looks once more before it does.

mod account;
mod floating;
mod groups;
mod keys;
mod volumes;

use async_trait::async_trait;
use ehos_model::{Failure, FailureKind, Flavor, FlavorName, ServerId};
use reqwest::Method;
use serde_json::{Value, json};

use super::transport::{Call, Service};
use super::wire::{self, word};
use super::{OpenStackCloud, lookup};
use crate::prepare::{
    Address, FloatingAddress, FoundRule, KeyPair, Network, OfferedImage, Prepare, Resource, Rule,
    SecurityGroup, Volume, mark,
};

/// The most characters of a tag (*Neutron*, before 2024).
const TAG_MAX: usize = 60;

#[async_trait]
impl Prepare for OpenStackCloud {
    async fn networks(&self) -> Result<Vec<Network>, Failure> {
        self.list_networks(&[]).await
    }

    async fn flavors(&self) -> Result<Vec<Flavor>, Failure> {
        let all = lookup::list_flavors(&self.transport).await?;
        let mut flavors: Vec<_> = all
            .iter()
            .filter(|flavor| flavor["OS-FLV-DISABLED:disabled"] != true)
            .filter_map(|entry| {
                let name = FlavorName::from(word(&entry["name"])?);
                Some(Flavor { name, size: wire::size(entry) })
            })
            .collect();
        flavors.sort_by_key(|flavor| (flavor.size.cores, flavor.size.memory, flavor.size.disk));
        Ok(flavors)
    }

    async fn offered_images(&self) -> Result<Vec<OfferedImage>, Failure> {
        self.list_images().await
    }

    async fn security_groups(&self) -> Result<Vec<SecurityGroup>, Failure> {
        self.list_groups().await
    }

    async fn make_security_group(&self, name: &str) -> Result<SecurityGroup, Failure> {
        self.make_group(name).await
    }

    async fn add_rule(&self, group: &SecurityGroup, rule: &Rule) -> Result<(), Failure> {
        self.let_in(group, rule).await
    }

    async fn remove_rule(&self, group: &SecurityGroup, rule: &FoundRule) -> Result<(), Failure> {
        if !group.ours && !rule.ours {
            let words = format!("the rule '{}' of the security group {} is not ours", rule.rule, group.name);
            return Err(Failure::rejected(words));
        }
        done(self.delete_at(Service::Network, &["security-group-rules", &rule.id]).await)
    }

    async fn keypairs(&self) -> Result<Vec<KeyPair>, Failure> {
        self.list_keys().await
    }

    async fn import_key(&self, name: &str, public_key: &str) -> Result<KeyPair, Failure> {
        self.import(name, public_key).await
    }

    async fn addresses(&self, server: &ServerId) -> Result<Vec<Address>, Failure> {
        let answer = self.transport.send(&Call::get(Service::Compute, &["servers", server.as_str()])).await?;
        Ok(floating::addresses(&answer.json::<Value>()?["server"]["addresses"]))
    }

    async fn make_floating_ip(&self, network: Option<&str>) -> Result<FloatingAddress, Failure> {
        self.make_address(network).await
    }

    async fn associate(&self, address: &FloatingAddress, server: &ServerId) -> Result<(), Failure> {
        self.lead(address, server).await
    }

    async fn volumes(&self) -> Result<Vec<Volume>, Failure> {
        self.list_volumes().await
    }

    async fn make_volume(&self, name: &str, size: u64) -> Result<Volume, Failure> {
        self.order_volume(name, size).await
    }

    async fn attach(&self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        self.attach_volume(volume, server).await
    }

    async fn detach(&self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        let path = ["servers", server.as_str(), "os-volume_attachments", volume];
        self.delete_at(Service::Compute, &path).await.map_err(volumes::not_ready)
    }

    async fn ours(&self) -> Result<Vec<Resource>, Failure> {
        self.list_ours().await
    }

    async fn remove(&self, resource: &Resource) -> Result<(), Failure> {
        done(self.remove_ours(resource).await)
    }
}

impl OpenStackCloud {
    /// Orders a thing; where the answer is lost, or it is there already, looks for what has been made.
    async fn order_thing<T, F: Future<Output = Result<Option<T>, Failure>>>(
        &self,
        call: &Call<'_>,
        read: impl Fn(&Value) -> Result<T, Failure>,
        look: impl Fn() -> F,
    ) -> Result<T, Failure> {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        let sent = match self.transport.send(call).await {
            Ok(answer) => answer.json::<Value>().and_then(|body| read(&body)),
            Err(failure) => Err(failure),
        };
        match sent {
            // A refusal has made nothing. An answer that cannot be read comes after something was made.
            Err(failure) if matches!(failure.kind, FailureKind::Quota | FailureKind::Auth) => Err(failure),
            Err(failure) => look().await.ok().flatten().ok_or(failure),
            made => made,
        }
    }

    /// Lists what belongs to our own project: an administrator would see everybody's.
    async fn list_own(&self, path: &str, key: &str) -> Result<Vec<Value>, Failure> {
        let token = self.transport.log_in().await?;
        let query: Vec<_> = token.project().map(|project| ("project_id", project)).into_iter().collect();
        self.transport.list(Service::Network, &[path], key, &query).await
    }

    /// Tells whether an entry carries our pool's id, in any of the ways in which services let things be labelled, and
    /// is of our project, where it says so.
    fn carries(&self, project: Option<&str>, entry: &Value) -> bool {
        let owner = ["project_id", "tenant_id", "owner", "os-vol-tenant-attr:tenant_id"]
            .iter()
            .find_map(|key| word(&entry[*key]));
        if owner.is_some() && project.is_some() && owner != project {
            return false;
        }
        let mark = mark(&self.pool);
        let pool = self.pool.as_str();
        let in_key = |key: &str| key.trim_end().strip_suffix(&*mark).is_some_and(|key| key.ends_with(' '));
        let tag = self.tag();
        entry["metadata"][wire::POOL] == pool
            || entry[crate::images::POOL] == pool
            || entry["description"] == mark.as_str()
            || entry["tags"].as_array().is_some_and(|tags| tags.iter().any(|found| *found == *tag))
            || word(&entry["public_key"]).is_some_and(in_key)
    }

    fn tag(&self) -> String {
        format!("{}={}", wire::POOL, self.pool)
    }

    /// Tags something of Neutron, whose description tells it already: a tag can be searched for.
    async fn add_tag(&self, collection: &str, id: &str) {
        let tag = self.tag();
        if tag.len() > TAG_MAX {
            return;
        }
        let path = [collection, id, "tags", &tag];
        let call = Call { method: Method::PUT, body: Some(&json!({})), ..Call::get(Service::Network, &path) };
        if let Err(failure) = self.transport.send(&call).await {
            log::debug!("{}: {id} stays without a tag: {failure}", self.name);
        }
    }

    async fn delete_at(&self, service: Service, path: &[&str]) -> Result<(), Failure> {
        self.transport.send(&Call { method: Method::DELETE, ..Call::get(service, path) }).await.map(drop)
    }
}

/// Takes what is gone for removed.
fn done(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives an entry's id.
///
/// # Errors
/// `Rejected` where it has none.
fn id_of(what: &str, entry: &Value) -> Result<String, Failure> {
    let id = word(&entry["id"]).map(str::to_owned);
    id.ok_or_else(|| Failure::rejected(format!("the answer is not understood: a {what} has no id")))
}

fn name_of(entry: &Value) -> String {
    word(&entry["name"]).unwrap_or_default().to_owned()
}
