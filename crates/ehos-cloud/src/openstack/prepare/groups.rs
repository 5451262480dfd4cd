//! Reads, makes and fills security groups.
//!
//! Deliberately touches only what comes in: what goes out stays as Neutron has set it up.

use ehos_model::{Failure, FailureKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::{id_of, name_of};
use crate::openstack::OpenStackCloud;
use crate::openstack::transport::{Call, Service};
use crate::openstack::wire::word;
use crate::prepare::{Cidr, Ethertype, FoundRule, Remote, Rule, SecurityGroup, Traffic, mark};

/// Protocols that somebody may have given by their number (*IANA protocol numbers*).
const NUMBERS: [(&str, &str); 4] = [("6", "tcp"), ("17", "udp"), ("1", "icmp"), ("58", "ipv6-icmp")];

impl OpenStackCloud {
    pub(super) async fn list_groups(&self) -> Result<Vec<SecurityGroup>, Failure> {
        let token = self.transport.log_in().await?;
        let all = self.list_own("security-groups", "security_groups").await?;
        all.iter().map(|entry| self.group(token.project(), entry)).collect()
    }

    /// Reads a group (*Neutron `GET /security-groups`*).
    pub(super) fn group(&self, project: Option<&str>, entry: &Value) -> Result<SecurityGroup, Failure> {
        let rules = entry["security_group_rules"].as_array().into_iter().flatten();
        let inward = rules.filter(|rule| rule["direction"] == "ingress");
        let found = |entry: &Value| {
            Ok(FoundRule {
                id: id_of("security group rule", entry)?,
                ours: self.carries(project, entry),
                rule: rule(entry),
            })
        };
        Ok(SecurityGroup {
            id: id_of("security group", entry)?,
            name: name_of(entry),
            ours: self.carries(project, entry),
            rules: inward.map(found).collect::<Result<_, Failure>>()?,
        })
    }

    pub(super) async fn make_group(&self, name: &str) -> Result<SecurityGroup, Failure> {
        let body = json!({"security_group": {"name": name, "description": mark(&self.pool)}});
        let path = ["security-groups"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Network, &path) };
        let token = self.transport.log_in().await?;
        let read = |body: &Value| self.group(token.project(), &body["security_group"]);
        let group = self.order_thing(&call, read, || self.named_group(name)).await?;
        if group.ours {
            self.add_tag("security-groups", &group.id).await;
        }
        Ok(group)
    }

    async fn named_group(&self, name: &str) -> Result<Option<SecurityGroup>, Failure> {
        let mut named: Vec<_> =
            self.list_groups().await?.into_iter().filter(|group| group.name == name).collect();
        // Where two have been made at once, everybody must mean the same one.
        named.sort_by(|a, b| b.ours.cmp(&a.ours).then_with(|| a.id.cmp(&b.id)));
        Ok(named.into_iter().next())
    }

    pub(super) async fn let_in(&self, group: &SecurityGroup, rule: &Rule) -> Result<(), Failure> {
        let mut body = json!({"security_group_rule": {
            "security_group_id": group.id,
            "direction": "ingress",
            "ethertype": rule.ethertype.as_str(),
            "description": mark(&self.pool),
        }});
        let fields = &mut body["security_group_rule"];
        if let Traffic::Protocol(protocol, ports) = &rule.traffic {
            fields["protocol"] = json!(protocol);
            if let Some((from, to)) = ports {
                fields["port_range_min"] = json!(from);
                fields["port_range_max"] = json!(to);
            }
        }
        match &rule.remote {
            Remote::Anywhere if rule.ethertype == Ethertype::V4 => {
                fields["remote_ip_prefix"] = json!("0.0.0.0/0");
            }
            Remote::Anywhere => fields["remote_ip_prefix"] = json!("::/0"),
            Remote::Network(cidr) => fields["remote_ip_prefix"] = json!(cidr.to_string()),
            Remote::Group(id) => fields["remote_group_id"] = json!(id),
            Remote::Other(words) => {
                return Err(Failure::rejected(format!("no rule can be made for '{words}'")));
            }
        }
        let path = ["security-group-rules"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Network, &path) };
        match self.transport.send(&call).await {
            // Somebody was quicker, or an answer of ours was lost.
            Err(failure) if failure.kind == FailureKind::Conflict => Ok(()),
            other => other.map(drop),
        }
    }
}

/// Reads a rule (*Neutron `security_group_rules`*).
fn rule(entry: &Value) -> Rule {
    let ethertype = if entry["ethertype"] == "IPv6" { Ethertype::V6 } else { Ethertype::V4 };
    let port = |key: &str| entry[key].as_u64().and_then(|port| u16::try_from(port).ok());
    let ports = match (port("port_range_min"), port("port_range_max")) {
        (Some(from), Some(to)) => Some((from, to)),
        (Some(one), None) | (None, Some(one)) => Some((one, one)),
        (None, None) => None,
    };
    let number = entry["protocol"].as_u64().map(|number| number.to_string());
    let protocol = word(&entry["protocol"]).map(str::to_lowercase).or(number);
    let traffic = match protocol.as_deref() {
        None | Some("any" | "0") => Traffic::Any,
        Some(protocol) => {
            let known = NUMBERS.iter().find(|(number, _)| *number == protocol);
            Traffic::Protocol(known.map_or(protocol, |(_, name)| name).to_owned(), ports)
        }
    };
    Rule { ethertype, traffic, remote: remote(entry) }
}

fn remote(entry: &Value) -> Remote {
    if let Some(group) = word(&entry["remote_group_id"]) {
        return Remote::Group(group.to_owned());
    }
    if let Some(group) = word(&entry["remote_address_group_id"]) {
        return Remote::Other(format!("address group {group}"));
    }
    match word(&entry["remote_ip_prefix"]) {
        None => Remote::Anywhere,
        Some(prefix) => prefix.parse().map_or_else(|_| Remote::Other(prefix.to_owned()), Cidr::remote),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_in_all_their_spellings() {
        for (entry, expected, row) in [
            (
                json!({"ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}),
                "22/tcp from anywhere (IPv4)",
                "no prefix",
            ),
            (
                json!({"ethertype": "IPv6", "protocol": "TCP", "port_range_min": 22, "port_range_max": 22,
                    "remote_ip_prefix": "::/0"}),
                "22/tcp from anywhere (IPv6)",
                "the widest prefix",
            ),
            (
                json!({"ethertype": "IPv4", "protocol": "17", "port_range_min": 1, "port_range_max": 9,
                    "remote_ip_prefix": "10.1.2.3/8"}),
                "1-9/udp from 10.0.0.0/8",
                "a number, and a prefix with too many bits",
            ),
            (json!({"protocol": 6}), "tcp from anywhere (IPv4)", "a bare number"),
            (json!({"remote_group_id": "g"}), "everything from group g (IPv4)", "a group"),
            (json!({"remote_address_group_id": "a"}), "everything from address group a", "an address group"),
            (json!({"remote_ip_prefix": "what"}), "everything from what", "no prefix at all"),
            (json!(null), "everything from anywhere (IPv4)", "nothing"),
        ] {
            assert_eq!(rule(&entry).to_string(), expected, "{row}");
        }
    }
}
