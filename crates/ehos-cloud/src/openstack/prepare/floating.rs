//! Reads the addresses of servers; gets floating IPs and has them lead to servers.
//!
//! Deliberately leaves floating IPs alone that do not carry our pool's id, free ones as well.

use std::net::IpAddr;

use ehos_model::{Failure, FailureKind, ServerId};
use reqwest::Method;
use serde_json::{Value, json};

use super::id_of;
use crate::openstack::OpenStackCloud;
use crate::openstack::transport::{Call, Service};
use crate::openstack::wire::word;
use crate::prepare::{Address, FloatingAddress, mark};

impl OpenStackCloud {
    /// Lists our floating IPs.
    pub(super) async fn list_addresses(&self) -> Result<Vec<FloatingAddress>, Failure> {
        let token = self.transport.log_in().await?;
        let all = self.list_own("floatingips", "floatingips").await?;
        all.iter().filter(|entry| self.carries(token.project(), entry)).map(floating).collect()
    }

    pub(super) async fn make_address(&self, network: Option<&str>) -> Result<FloatingAddress, Failure> {
        if let Some(free) = self.free_address().await? {
            return Ok(free);
        }
        let from = self.external(network).await?;
        let body = json!({"floatingip": {"floating_network_id": from, "description": mark(&self.pool)}});
        let path = ["floatingips"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Network, &path) };
        let read = |body: &Value| floating(&body["floatingip"]);
        let made = self.order_thing(&call, read, || self.free_address()).await?;
        self.add_tag("floatingips", &made.id).await;
        Ok(made)
    }

    async fn free_address(&self) -> Result<Option<FloatingAddress>, Failure> {
        Ok(self.list_addresses().await?.into_iter().find(|address| address.port.is_none()))
    }

    /// Finds the external network that is meant.
    async fn external(&self, wanted: Option<&str>) -> Result<String, Failure> {
        let all = self.list_networks(&[("router:external", "true")]).await?;
        let external: Vec<_> = all.into_iter().filter(|network| network.external).collect();
        let names = || {
            let names: Vec<_> = external.iter().map(|network| network.name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let meant: Vec<_> = match wanted {
            None => external.iter().collect(),
            Some(wanted) => match external.iter().find(|network| network.id == wanted) {
                Some(one) => vec![one],
                None => external.iter().filter(|network| network.name == wanted).collect(),
            },
        };
        match (&*meant, wanted) {
            ([one], _) => Ok(one.id.clone()),
            ([], Some(wanted)) => {
                let words = format!("the cloud has no external network '{wanted}'; it has: {}", names());
                Err(Failure::new(FailureKind::NotFound, words))
            }
            ([], None) => {
                Err(Failure::new(FailureKind::NotFound, "the cloud has no external network for floating IPs"))
            }
            _ => {
                Err(Failure::rejected(format!("there are several external networks ({}): name one", names())))
            }
        }
    }

    pub(super) async fn lead(&self, address: &FloatingAddress, server: &ServerId) -> Result<(), Failure> {
        let query = [("device_id", server.as_str())];
        let ports = self.transport.list(Service::Network, &["ports"], "ports", &query).await?;
        let mut why = Failure::new(FailureKind::Conflict, format!("server {server} has no port yet"));
        for port in ports.iter().filter(|port| is_like(port, address.ip)) {
            let port = id_of("port", port)?;
            let body = json!({"floatingip": {"port_id": port}});
            let path = ["floatingips", address.id.as_str()];
            let call = Call { method: Method::PUT, body: Some(&body), ..Call::get(Service::Network, &path) };
            match self.transport.send(&call).await {
                Ok(_) => return Ok(()),
                // Another port may be on a network that a router joins with the outside.
                Err(failure) if matches!(failure.kind, FailureKind::NotFound | FailureKind::Rejected) => {
                    why = failure;
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(why)
    }
}

/// Tells whether a port has an address of the same family, as a floating IP needs.
fn is_like(port: &Value, floating: IpAddr) -> bool {
    let mut addresses = port["fixed_ips"].as_array().into_iter().flatten();
    addresses.any(|fixed| {
        let ip = fixed["ip_address"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
        ip.is_some_and(|ip| ip.is_ipv4() == floating.is_ipv4())
    })
}

/// Reads a floating IP (*Neutron `GET /floatingips`*).
fn floating(entry: &Value) -> Result<FloatingAddress, Failure> {
    let ip = word(&entry["floating_ip_address"]).and_then(|ip| ip.parse().ok());
    Ok(FloatingAddress {
        id: id_of("floating IP", entry)?,
        ip: ip
            .ok_or_else(|| Failure::rejected("the answer is not understood: a floating IP has no address"))?,
        port: word(&entry["port_id"]).map(str::to_owned),
    })
}

/// Reads a server's addresses, network by network (*Nova `addresses`*).
pub(super) fn addresses(networks: &Value) -> Vec<Address> {
    let mut found = Vec::new();
    for (network, addresses) in networks.as_object().into_iter().flatten() {
        for entry in addresses.as_array().into_iter().flatten() {
            let Some(ip) = entry["addr"].as_str().and_then(|ip| ip.parse().ok()) else { continue };
            let floating = entry["OS-EXT-IPS:type"] == "floating";
            found.push(Address { network: network.clone(), ip, floating });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_server() {
        let networks = json!({
            "private": [
                {"addr": "10.0.0.7", "version": 4, "OS-EXT-IPS:type": "fixed"},
                {"addr": "203.0.113.9", "version": 4, "OS-EXT-IPS:type": "floating"},
                {"addr": "fd00::7", "version": 6},
                {"addr": "nonsense"},
            ],
            "odd": null,
        });
        let found: Vec<_> = addresses(&networks)
            .into_iter()
            .map(|address| format!("{} {} {}", address.network, address.ip, address.floating))
            .collect();
        assert_eq!(found, ["private 10.0.0.7 false", "private 203.0.113.9 true", "private fd00::7 false"]);
        assert_eq!(addresses(&Value::Null), [], "a server that has none yet");
    }

    #[test]
    fn a_floating_ip_needs_a_port_of_its_family() {
        let port = json!({"fixed_ips": [{"ip_address": "fd00::7"}]});
        assert!(!is_like(&port, "203.0.113.9".parse().unwrap()));
        assert!(is_like(&port, "2001:db8::1".parse().unwrap()));
        assert!(!is_like(&json!({"fixed_ips": null}), "203.0.113.9".parse().unwrap()), "no address yet");
    }
}
