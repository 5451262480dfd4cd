//! Lists networks, images, and all that is ours; removes what is ours.
//!
//! Deliberately asks for a thing once more before it deletes it: its label decides, not where the name comes from.

use ehos_model::{Failure, ServerId};
use serde_json::Value;

use super::{id_of, name_of};
use crate::openstack::OpenStackCloud;
use crate::openstack::images;
use crate::openstack::transport::{Call, Service};
use crate::openstack::wire::word;
use crate::prepare::{Network, OfferedImage, Resource, ResourceKind};
use crate::{Cloud as _, Images as _};

impl OpenStackCloud {
    pub(super) async fn list_networks(&self, query: &[(&str, &str)]) -> Result<Vec<Network>, Failure> {
        let token = self.transport.log_in().await?;
        let all = self.transport.list(Service::Network, &["networks"], "networks", query).await?;
        all.iter().map(|entry| network(token.project(), entry)).collect()
    }

    pub(super) async fn list_images(&self) -> Result<Vec<OfferedImage>, Failure> {
        let query = [("sort", "created_at:desc")];
        let all = self.transport.list(Service::Image, &["images"], "images", &query).await?;
        all.iter().map(image).collect()
    }

    pub(super) async fn list_ours(&self) -> Result<Vec<Resource>, Failure> {
        let token = self.transport.log_in().await?;
        let (servers, addresses, volumes, images, groups, keys) = tokio::try_join!(
            self.servers(),
            self.list_addresses(),
            self.list_volumes_if_any(),
            self.images(),
            self.list_own("security-groups", "security_groups"),
            self.list_keys(),
        )?;
        let mut ours = Vec::new();
        ours.extend(
            servers.iter().map(|one| Resource::new(ResourceKind::Server, one.id.as_str(), one.node.as_str())),
        );
        ours.extend(
            addresses.iter().map(|one| Resource::new(ResourceKind::FloatingIp, &*one.id, one.ip.to_string())),
        );
        ours.extend(volumes.into_iter().map(|one| Resource::new(ResourceKind::Volume, one.id, one.name)));
        ours.extend(
            images.into_iter().map(|one| Resource::new(ResourceKind::Image, one.id.as_str(), one.name)),
        );
        let (mine, others): (Vec<_>, Vec<_>) =
            groups.iter().partition(|group| self.carries(token.project(), group));
        for group in others {
            let rules = self.group(token.project(), group)?.rules;
            ours.extend(rules.into_iter().filter(|rule| rule.ours).map(|rule| {
                let name = format!("{} of {}", rule.rule, name_of(group));
                Resource::new(ResourceKind::SecurityGroupRule, rule.id, name)
            }));
        }
        for group in mine {
            let id = id_of("security group", group)?;
            ours.push(Resource::new(ResourceKind::SecurityGroup, id, name_of(group)));
        }
        let keys = keys.into_iter().filter(|key| key.ours);
        ours.extend(keys.map(|key| Resource::new(ResourceKind::KeyPair, &*key.name, &*key.name)));
        Ok(ours)
    }

    /// Has a thing deleted, once it has been seen to be ours.
    pub(super) async fn remove_ours(&self, resource: &Resource) -> Result<(), Failure> {
        let (service, collection, key) = match resource.kind {
            ResourceKind::Server => (Service::Compute, "servers", "server"),
            ResourceKind::FloatingIp => (Service::Network, "floatingips", "floatingip"),
            ResourceKind::Volume => (Service::Volume, "volumes", "volume"),
            ResourceKind::Image => (Service::Image, "images", ""),
            ResourceKind::SecurityGroupRule => {
                (Service::Network, "security-group-rules", "security_group_rule")
            }
            ResourceKind::SecurityGroup => (Service::Network, "security-groups", "security_group"),
            ResourceKind::KeyPair => (Service::Compute, "os-keypairs", "keypair"),
        };
        let path = [collection, resource.id.as_str()];
        let answer = self.transport.send(&Call::get(service, &path)).await?;
        let body: Value = answer.json()?;
        let entry = if key.is_empty() { &body } else { &body[key] };
        if !self.carries(self.transport.log_in().await?.project(), entry) {
            let words = format!("the {} {} is not ours", resource.kind.as_str(), resource.name);
            return Err(Failure::rejected(words));
        }
        match resource.kind {
            ResourceKind::Server => self.delete(&ServerId::from(&*resource.id)).await,
            ResourceKind::Volume => self.delete_at(service, &path).await.map_err(super::volumes::not_ready),
            _ => self.delete_at(service, &path).await,
        }
    }
}

/// Reads a network (*Neutron `GET /networks`*).
fn network(project: Option<&str>, entry: &Value) -> Result<Network, Failure> {
    let owner = word(&entry["project_id"]).or_else(|| word(&entry["tenant_id"]));
    Ok(Network {
        id: id_of("network", entry)?,
        name: name_of(entry),
        external: entry["router:external"] == true,
        shared: entry["shared"] == true,
        own: owner.is_some() && owner == project,
        // Where the cloud does not tell it is not switched off.
        up: entry["admin_state_up"] != false,
        subnets: entry["subnets"].as_array().map_or(0, Vec::len),
    })
}

/// Reads an image (*Glance `GET /images`*).
fn image(entry: &Value) -> Result<OfferedImage, Failure> {
    let text = |key: &str| word(&entry[key]).map(str::to_owned);
    Ok(OfferedImage {
        image: images::read(entry)?,
        distro: text("os_distro"),
        version: text("os_version"),
        architecture: text("architecture").or_else(|| text("hw_architecture")),
        size: entry["size"].as_u64().unwrap_or_default(),
        is_snapshot: entry["image_type"] == "snapshot",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_network_is_read_whatever_is_missing() {
        let bare = network(Some("p"), &json!({"id": "n", "name": null, "subnets": null})).unwrap();
        assert_eq!((bare.name.as_str(), bare.up, bare.own, bare.is_usable()), ("", true, false, false));
        let old = network(Some("p"), &json!({"id": "n", "tenant_id": "p", "subnets": ["s"]})).unwrap();
        assert!(old.is_usable(), "a Neutron that knows tenants alone");
        assert!(network(None, &json!({"name": "n"})).is_err(), "a network without an id could be any");
        let nobody = network(None, &json!({"id": "n"})).unwrap();
        assert!(!nobody.own, "neither owner nor project known");
    }

    #[test]
    fn an_image_tells_its_system() {
        let full = image(&json!({"id": "i", "os_distro": "debian", "os_version": "13", "size": 7,
            "hw_architecture": "x86_64", "image_type": "snapshot"}))
        .unwrap();
        assert_eq!((full.distro.as_deref(), full.version.as_deref()), (Some("debian"), Some("13")));
        assert_eq!((full.architecture.as_deref(), full.size, full.is_snapshot), (Some("x86_64"), 7, true));
        let bare = image(&json!({"id": "i", "os_distro": "", "size": null})).unwrap();
        assert_eq!((bare.distro, bare.size, bare.is_snapshot), (None, 0, false));
    }
}
