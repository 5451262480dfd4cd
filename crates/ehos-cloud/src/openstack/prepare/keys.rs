//! Lists and imports keypairs.
//!
//! Deliberately never has the cloud make a key: the private half would travel.

use ehos_model::{Failure, FailureKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::openstack::OpenStackCloud;
use crate::openstack::lookup;
use crate::openstack::transport::{Call, Service};
use crate::openstack::wire::word;
use crate::prepare::{KeyPair, mark};

impl OpenStackCloud {
    pub(super) async fn list_keys(&self) -> Result<Vec<KeyPair>, Failure> {
        let all = lookup::list_keypairs(&self.transport).await?;
        Ok(all.iter().filter_map(|entry| self.key(entry)).collect())
    }

    /// Reads a keypair (*Nova `GET /os-keypairs`*); `None` where it has no name.
    fn key(&self, entry: &Value) -> Option<KeyPair> {
        Some(KeyPair {
            name: word(&entry["name"])?.to_owned(),
            public_key: word(&entry["public_key"]).unwrap_or_default().trim().to_owned(),
            ours: self.carries(None, entry),
        })
    }

    pub(super) async fn import(&self, name: &str, public_key: &str) -> Result<KeyPair, Failure> {
        // Nova keeps the comment, and has no other place for the pool's id.
        let marked = format!("{} {}", public_key.trim(), mark(&self.pool));
        let body = json!({"keypair": {"name": name, "public_key": marked}});
        let path = ["os-keypairs"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Compute, &path) };
        let read = |body: &Value| {
            let key = self.key(&body["keypair"]);
            key.ok_or_else(|| Failure::transient("POST /os-keypairs: accepted, but the answer has no name"))
        };
        let found = self.order_thing(&call, read, || self.named_key(name)).await?;
        if found.public_key.is_empty() || found.holds(public_key) {
            return Ok(found);
        }
        let words = format!("there is another key of the name '{name}'");
        Err(Failure::new(FailureKind::Conflict, words))
    }

    async fn named_key(&self, name: &str) -> Result<Option<KeyPair>, Failure> {
        Ok(self.list_keys().await?.into_iter().find(|key| key.name == name))
    }
}
