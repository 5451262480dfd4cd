//! Reads servers, flavors and limits from Nova's JSON.
//!
//! Deliberately tolerant: an unknown word is kept, a null field has a substitute, and only an entry without an id,
//! which could be any server, spoils a listing.

use ehos_model::{
    Allowance, CloudName, Failure, FlavorName, ImageId, Mebibytes, NodeId, PoolId, Quota, Resources, Role,
    Server, ServerId, ServerStatus, Timestamp,
};
use serde_json::Value;

/// Metadata key of the pool's id.
pub(super) const POOL: &str = "ehos:pool";
/// Metadata key of the node's id.
pub(super) const NODE: &str = "ehos:node";
/// Metadata key of the role.
pub(super) const ROLE: &str = "ehos:role";
/// Metadata key of the flavor, by its name in the configuration.
pub(super) const FLAVOR: &str = "ehos:flavor";
/// Metadata key of the image's id.
pub(super) const IMAGE: &str = "ehos:image";
/// Metadata key of the fingerprint of the template that the user-data was rendered from.
pub(super) const TEMPLATE: &str = "ehos:template";
/// Metadata key of the version of EHOS that made the server.
pub(super) const VERSION: &str = "ehos:version";

/// Words in a PCI alias that tell of something else than a GPU.
const NOT_A_GPU: [&str; 6] = ["nic", "nvme", "ssd", "qat", "fpga", "sriov"];

/// Reads one entry of `GET /servers/detail`; `None` where it does not carry exactly our pool's id.
///
/// # Errors
/// `Rejected` where the entry has no id.
pub(super) fn server(cloud: &CloudName, pool: &PoolId, entry: &Value) -> Result<Option<Server>, Failure> {
    let Some(id) = word(&entry["id"]) else {
        return Err(Failure::rejected("the answer is not understood: a server has no id"));
    };
    let metadata = &entry["metadata"];
    if metadata[POOL].as_str() != Some(pool.as_str()) {
        return Ok(None);
    }
    let node = word(&metadata[NODE]).or_else(|| word(&entry["name"])).unwrap_or(id);
    let role = word(&metadata[ROLE]).map_or_else(|| Role::Other("unknown".into()), Role::from);
    // From microversion 2.47 on a server carries its flavor's name instead of a link to it.
    let flavor =
        word(&metadata[FLAVOR]).or_else(|| word(&entry["flavor"]["original_name"])).unwrap_or("unknown");
    let time = |key: &str| entry[key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    Ok(Some(Server {
        id: ServerId::from(id),
        cloud: cloud.clone(),
        node: NodeId::from(node),
        role,
        flavor: FlavorName::from(flavor),
        image: word(&metadata[IMAGE]).map(ImageId::from),
        template: word(&metadata[TEMPLATE]).map(str::to_owned),
        status: status(entry["status"].as_str(), entry["OS-EXT-STS:task_state"].as_str()),
        created: time("created").or_else(|| time("updated")).unwrap_or_else(Timestamp::now),
        fault: word(&entry["fault"]["message"]).map(str::to_owned),
    }))
}

fn status(status: Option<&str>, task: Option<&str>) -> ServerStatus {
    match (status.unwrap_or_default(), task) {
        ("DELETED" | "SOFT_DELETED", _) | (_, Some("deleting" | "soft-deleting")) => ServerStatus::Deleting,
        ("BUILD", _) => ServerStatus::Building,
        ("ACTIVE", _) => ServerStatus::Active,
        ("SHUTOFF", _) => ServerStatus::Shutoff,
        ("ERROR", _) => ServerStatus::Error,
        (other, _) => ServerStatus::Other(other.to_owned()),
    }
}

/// Reads what a server of a flavor has (*Nova `vcpus`, `ram`, `disk`; extra specs for GPUs*).
pub(super) fn size(flavor: &Value) -> Resources {
    let number = |key: &str| flavor[key].as_u64().unwrap_or_default();
    Resources {
        cores: u32::try_from(number("vcpus")).unwrap_or(u32::MAX),
        memory: Mebibytes(number("ram")),
        disk: Mebibytes::from_gibibytes(number("disk")),
        gpus: gpus(&flavor["extra_specs"]),
    }
}

/// Counts GPUs in `resources:VGPU`, `resources:CUSTOM_*GPU*` and `pci_passthrough:alias` (`a100:2,nic:1`).
fn gpus(extra_specs: &Value) -> u32 {
    let Some(specs) = extra_specs.as_object() else { return 0 };
    let count = |text: &str| text.trim().parse::<u32>().unwrap_or_default();
    let of_alias = |alias: &str| match alias.split_once(':') {
        Some((name, _)) if NOT_A_GPU.iter().any(|word| name.to_lowercase().contains(word)) => 0,
        Some((_, n)) => count(n),
        None => 0,
    };
    let of_spec = |(key, value): (&String, &Value)| {
        let value = value.as_str().unwrap_or_default();
        // `resources:` may be numbered, as in `resources1:VGPU`.
        match key.split_once(':') {
            Some(("pci_passthrough", "alias")) => value.split(',').map(of_alias).sum(),
            Some((group, class)) if group.starts_with("resources") => {
                let is_gpu =
                    matches!(class, "VGPU" | "PGPU") || class.starts_with("CUSTOM_") && class.contains("GPU");
                if is_gpu { count(value) } else { 0 }
            }
            _ => 0,
        }
    };
    specs.iter().map(of_spec).sum()
}

/// Reads `GET /limits`.
///
/// # Errors
/// `Rejected` where a number is missing: no limit must never be guessed.
pub(super) fn quota(limits: &Value) -> Result<Quota, Failure> {
    let absolute = &limits["limits"]["absolute"];
    let number = |key: &str| {
        let found = absolute[key].as_i64();
        found.ok_or_else(|| {
            Failure::rejected(format!("the answer is not understood: the limits lack '{key}'"))
        })
    };
    let allowance = |max: &str, used: &str| -> Result<Allowance, Failure> {
        // -1 is without limit.
        Ok(Allowance {
            max: u64::try_from(number(max)?).ok(),
            used: u64::try_from(number(used)?).unwrap_or_default(),
        })
    };
    Ok(Quota {
        instances: allowance("maxTotalInstances", "totalInstancesUsed")?,
        cores: allowance("maxTotalCores", "totalCoresUsed")?,
        memory: allowance("maxTotalRAMSize", "totalRAMUsed")?,
    })
}

/// Gives a string that is there and not empty.
pub(super) fn word(value: &Value) -> Option<&str> {
    value.as_str().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: &Value) -> Result<Option<Server>, Failure> {
        server(&"c".into(), &"p".into(), entry)
    }

    #[test]
    fn only_what_carries_exactly_our_id_is_ours() {
        for (metadata, ours, row) in [
            (json!({"ehos:pool": "p"}), true, "ours"),
            (json!({"ehos:pool": "pp"}), false, "another pool whose id begins alike"),
            (json!({"ehos:pool": "P"}), false, "case counts: MySQL's filter ignores it"),
            (json!({}), false, "nobody's"),
            (json!(null), false, "no metadata"),
            (json!({"ehos:pool": null}), false, "null"),
        ] {
            let entry = json!({"id": "1", "metadata": metadata});
            assert_eq!(read(&entry).unwrap().is_some(), ours, "{row}");
        }
    }

    #[test]
    fn a_broken_entry_of_ours_is_not_lost() {
        let bare = json!({"id": "u-1", "name": null, "status": null, "created": "yesterday", "fault": null,
            "flavor": null, "OS-EXT-STS:task_state": null, "metadata": {"ehos:pool": "p"}});
        let found = read(&bare).unwrap().unwrap();
        assert_eq!(found.node.as_str(), "u-1", "the id stands in for the node");
        assert_eq!(found.role, Role::Other("unknown".into()), "the scaler leaves it alone");
        assert_eq!(found.status, ServerStatus::Other(String::new()));
        let named = json!({"id": "u-1", "name": "n-1", "metadata": {"ehos:pool": "p"}});
        assert_eq!(read(&named).unwrap().unwrap().node.as_str(), "n-1", "the name is the node's id");
        assert!(
            read(&json!({"name": "x", "metadata": {}})).is_err(),
            "an entry without id spoils the listing"
        );
    }

    #[test]
    fn words_of_nova() {
        for (word, task, expected) in [
            ("BUILD", Some("spawning"), ServerStatus::Building),
            ("ACTIVE", None, ServerStatus::Active),
            ("ACTIVE", Some("deleting"), ServerStatus::Deleting),
            ("ERROR", Some("deleting"), ServerStatus::Deleting),
            ("SOFT_DELETED", None, ServerStatus::Deleting),
            ("SHUTOFF", None, ServerStatus::Shutoff),
            ("ERROR", None, ServerStatus::Error),
            ("HARD_REBOOT", None, ServerStatus::Other("HARD_REBOOT".into())),
        ] {
            assert_eq!(status(Some(word), task), expected, "{word} {task:?}");
        }
    }

    #[test]
    fn gpus_of_extra_specs() {
        for (specs, expected, row) in [
            (json!({"resources:VGPU": "1"}), 1, "virtual"),
            (json!({"resources:CUSTOM_NVIDIA_GPU_A100": "4"}), 4, "custom class"),
            (json!({"pci_passthrough:alias": "a100:2"}), 2, "passed through"),
            (json!({"pci_passthrough:alias": "a100:2, t4:1,sriov-nic:1"}), 3, "a NIC is none"),
            (json!({"hw:cpu_policy": "dedicated", "resources:CUSTOM_BAREMETAL": "1"}), 0, "other things"),
            (json!(null), 0, "none"),
        ] {
            assert_eq!(gpus(&specs), expected, "{row}");
        }
    }

    #[test]
    fn limits() {
        let full = json!({"limits": {"absolute": {"maxTotalInstances": -1, "totalInstancesUsed": 3,
            "maxTotalCores": 20, "totalCoresUsed": 25, "maxTotalRAMSize": 51200, "totalRAMUsed": 0}}});
        let quota = quota(&full).unwrap();
        assert_eq!(quota.instances, Allowance { max: None, used: 3 }, "-1 is without limit");
        assert_eq!(quota.cores.left(), 0, "overdrawn");
        assert_eq!(quota.memory_left(), Mebibytes(51200));
        let error = super::quota(&json!({"limits": {"absolute": {}}})).unwrap_err();
        assert!(error.message.contains("maxTotalInstances"), "{error}");
    }
}
