//! Finds the ids behind the names of the configuration: flavors, image, networks, keypair, security groups.
//!
//! Deliberately knows no defaults and prefers an id to a name; what is missing or ambiguous is named, with what
//! there is instead.

use ehos_model::{Failure, FailureKind, Flavor, FlavorName, ServerSettings};
use serde_json::Value;

use super::transport::{Call, Service, Transport};
use super::wire::{self, word};

/// The most names that a message lists.
const NAMES: usize = 20;

/// What became of one name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what: `login`, `flavor`, `image`, `network`, `key`, `security group`.
    pub what: &'static str,
    /// As it stands in the configuration.
    pub configured: String,
    /// Its id in the cloud, or why it cannot be used.
    pub found: Result<String, Failure>,
}

/// A flavor that the cloud has.
#[derive(Clone, Debug)]
pub(super) struct FoundFlavor {
    pub(super) id: String,
    pub(super) flavor: Flavor,
}

/// All that one look gave.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// A row for each name of the configuration.
    pub(super) rows: Vec<Finding>,
    /// The flavors among them that exist, with their sizes, in the order of the configuration.
    pub(super) flavors: Vec<FoundFlavor>,
}

impl Findings {
    /// Gives the findings of one kind.
    pub(super) fn of(&self, what: &'static str) -> impl Iterator<Item = &Finding> {
        self.rows.iter().filter(move |row| row.what == what)
    }
}

/// Looks everything up at once; a service that fails gives failed rows.
pub(super) async fn look_up(transport: &Transport, settings: &ServerSettings) -> Findings {
    let keys: Vec<_> = settings.key.iter().cloned().collect();
    let images: Vec<_> = settings.image.iter().cloned().collect();
    let (flavors, image, networks, keypairs, groups) = tokio::join!(
        when(&settings.flavors, list_flavors(transport)),
        when(&images, find_image(transport, settings.image.as_deref().unwrap_or_default())),
        when(&settings.networks, list_networks(transport)),
        when(&keys, list_keypairs(transport)),
        when(&settings.security_groups, list_security_groups(transport)),
    );
    let mut found = Findings::default();
    for wanted in &settings.flavors {
        let flavor = flavors.as_ref().map_err(Clone::clone).and_then(|all| pick("flavor", wanted, all));
        if let Ok(entry) = flavor {
            let flavor = Flavor { name: FlavorName::from(wanted.as_str()), size: wire::size(entry) };
            found.flavors.push(FoundFlavor { id: id(entry), flavor });
        }
        found.rows.push(Finding { what: "flavor", configured: wanted.clone(), found: flavor.map(id) });
    }
    for (what, wanted, all) in [
        ("image", &images, image),
        ("network", &settings.networks, networks),
        ("key", &keys, keypairs),
        ("security group", &settings.security_groups, groups),
    ] {
        for wanted in wanted {
            let entry = all.as_ref().map_err(Clone::clone).and_then(|all| pick(what, wanted, all));
            found.rows.push(Finding { what, configured: wanted.clone(), found: entry.map(id) });
        }
    }
    found
}

/// Asks only for what is configured.
async fn when(
    wanted: &[String],
    ask: impl Future<Output = Result<Vec<Value>, Failure>>,
) -> Result<Vec<Value>, Failure> {
    if wanted.is_empty() { Ok(Vec::new()) } else { ask.await }
}

pub(super) async fn list_flavors(transport: &Transport) -> Result<Vec<Value>, Failure> {
    let mut all = transport.list(Service::Compute, &["flavors", "detail"], "flavors", &[]).await?;
    // Older Novas keep the extra specs apart; without them a flavor merely has no GPUs.
    for flavor in all.iter_mut().filter(|flavor| flavor.get("extra_specs").is_none()) {
        let call = ["flavors", &id(flavor), "os-extra_specs"];
        if let Ok(answer) = transport.send(&Call::get(Service::Compute, &call)).await {
            let mut specs: Value = answer.json()?;
            flavor["extra_specs"] = specs["extra_specs"].take();
        }
    }
    Ok(all)
}

/// Gives the one image that is meant, or all the names there are.
///
/// Of several active images of a name the newest is meant: image builders keep the old ones.
pub(super) async fn find_image(transport: &Transport, wanted: &str) -> Result<Vec<Value>, Failure> {
    let is_id = wanted.len() >= 32 && wanted.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_id {
        match transport.send(&Call::get(Service::Image, &["images", wanted])).await {
            Ok(answer) => return usable_image(wanted, vec![answer.json()?]),
            Err(failure) if failure.kind == FailureKind::NotFound => (),
            Err(failure) => return Err(failure),
        }
    }
    let query = [("name", wanted), ("sort", "created_at:desc")];
    let named = transport.list(Service::Image, &["images"], "images", &query).await?;
    if named.is_empty() {
        return transport.list(Service::Image, &["images"], "images", &[("limit", "200")]).await;
    }
    usable_image(wanted, named)
}

fn usable_image(wanted: &str, images: Vec<Value>) -> Result<Vec<Value>, Failure> {
    let status = images.first().map(|image| image["status"].to_string()).unwrap_or_default();
    let usable = images.into_iter().find(|image| image["status"] == "active");
    usable.map(|image| vec![image]).ok_or_else(|| {
        let message = format!("image '{wanted}' cannot be used: its status is {status}");
        Failure::new(FailureKind::NotFound, message)
    })
}

async fn list_networks(transport: &Transport) -> Result<Vec<Value>, Failure> {
    let fields = [("fields", "id"), ("fields", "name")];
    transport.list(Service::Network, &["networks"], "networks", &fields).await
}

/// Lists our own project's groups: an administrator would see everybody's, each with a group `default`.
async fn list_security_groups(transport: &Transport) -> Result<Vec<Value>, Failure> {
    let token = transport.log_in().await?;
    let mut query = vec![("fields", "id"), ("fields", "name")];
    query.extend(token.project().map(|project| ("project_id", project)));
    transport.list(Service::Network, &["security-groups"], "security_groups", &query).await
}

pub(super) async fn list_keypairs(transport: &Transport) -> Result<Vec<Value>, Failure> {
    let wrapped = transport.list(Service::Compute, &["os-keypairs"], "keypairs", &[]).await?;
    Ok(wrapped.into_iter().map(|mut entry| entry["keypair"].take()).collect())
}

/// Finds the entry that is meant: by id, else by name.
pub(super) fn pick<'a>(what: &str, wanted: &str, all: &'a [Value]) -> Result<&'a Value, Failure> {
    if let Some(entry) = all.iter().find(|entry| entry["id"] == wanted) {
        return Ok(entry);
    }
    let mut named = all.iter().filter(|entry| entry["name"] == wanted);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => Err(Failure::rejected(format!(
            "there are several {what}s '{wanted}' ({}, {}, ...): give the id",
            id(one),
            id(other)
        ))),
        (None, _) => {
            let mut there: Vec<_> = all.iter().filter_map(|entry| word(&entry["name"])).collect();
            there.sort_unstable();
            let more = if there.len() > NAMES { ", ..." } else { "" };
            there.truncate(NAMES);
            let list = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            let message = format!("the cloud has no {what} '{wanted}'; it has: {list}{more}");
            Err(Failure::new(FailureKind::NotFound, message))
        }
    }
}

/// Gives an entry's id; keypairs have only a name.
fn id(entry: &Value) -> String {
    word(&entry["id"]).or_else(|| word(&entry["name"])).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_wins_over_a_name_and_what_is_missing_is_named() {
        let all = [
            json!({"id": "1", "name": "b"}),
            json!({"id": "b", "name": "x"}),
            json!({"id": "3", "name": null}),
        ];
        assert_eq!(pick("network", "b", &all).unwrap()["name"], "x", "the id wins");
        assert_eq!(pick("network", "x", &all).unwrap()["id"], "b", "by name");
        let missing = pick("network", "y", &all).unwrap_err();
        assert_eq!(missing.kind, FailureKind::NotFound);
        assert_eq!(missing.message, "the cloud has no network 'y'; it has: b, x");
        assert_eq!(pick("key", "y", &[]).unwrap_err().message, "the cloud has no key 'y'; it has: none");
        let twins = [json!({"id": "1", "name": "b"}), json!({"id": "2", "name": "b"})];
        let ambiguous = pick("network", "b", &twins).unwrap_err();
        assert_eq!(ambiguous.kind, FailureKind::Rejected);
        assert!(ambiguous.message.contains("give the id"), "{ambiguous}");
    }
}
