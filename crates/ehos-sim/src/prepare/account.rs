//! What an embedded cloud's account holds beside servers and images.
//!
//! Deliberately keeps to the marks that the real services keep, the comment of a key for example.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ehos_cloud::prepare::{
    Address, FloatingAddress, FoundRule, KeyPair, Network, Rule, SecurityGroup, Volume, VolumeStatus, mark,
};
use ehos_cloud::{Resource, ResourceKind};
use ehos_model::{Failure, FailureKind, PoolId, ServerId};

use super::missing;
use crate::state::Moment;

/// From the accepted call to a volume that is there, or attached, or free again.
const CHANGES: Duration = Duration::from_secs(1);

/// All of it.
pub(crate) struct Account {
    pub(super) networks: Vec<Network>,
    groups: Vec<Group>,
    keys: Vec<KeyPair>,
    addresses: Vec<Floating>,
    volumes: Vec<Disk>,
    /// Numbers what is made.
    serial: u32,
    now: Moment,
}

struct Group {
    id: String,
    name: String,
    pool: PoolId,
    rules: Vec<Ingress>,
}

struct Ingress {
    id: String,
    pool: PoolId,
    rule: Rule,
}

struct Floating {
    id: String,
    ip: IpAddr,
    pool: PoolId,
    server: Option<ServerId>,
}

struct Disk {
    id: String,
    name: String,
    pool: PoolId,
    size: u64,
    server: Option<ServerId>,
    settled: Moment,
}

impl Default for Account {
    fn default() -> Self {
        let network = |name: &str, external| Network {
            id: format!("network-{name}"),
            name: name.to_owned(),
            external,
            shared: false,
            own: !external,
            up: true,
            subnets: 1,
        };
        Self {
            networks: vec![network("private", false), network("public", true)],
            groups: Vec::new(),
            keys: Vec::new(),
            addresses: Vec::new(),
            volumes: Vec::new(),
            serial: 0,
            now: Moment::ZERO,
        }
    }
}

impl Account {
    pub(super) fn advance(&mut self, now: Moment) {
        self.now = now;
    }

    fn id(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}-{}", self.serial)
    }

    pub(super) fn groups(&self, pool: &PoolId) -> Vec<SecurityGroup> {
        self.groups.iter().map(|group| group.seen_by(pool)).collect()
    }

    pub(super) fn make_group(&mut self, pool: &PoolId, name: &str) -> SecurityGroup {
        let mut named = self.groups(pool);
        named.retain(|group| group.name == name);
        named.sort_by_key(|group| !group.ours);
        named.into_iter().next().unwrap_or_else(|| {
            let id = self.id("group");
            let group = Group { id, name: name.to_owned(), pool: pool.clone(), rules: Vec::new() };
            let seen = group.seen_by(pool);
            self.groups.push(group);
            seen
        })
    }

    pub(super) fn add_rule(&mut self, pool: &PoolId, group: &str, rule: &Rule) -> Result<(), Failure> {
        let id = self.id("rule");
        let found = self.groups.iter_mut().find(|one| one.id == group);
        let Some(found) = found else { return Err(missing("security group", group)) };
        if !found.rules.iter().any(|one| one.rule == *rule) {
            found.rules.push(Ingress { id, pool: pool.clone(), rule: rule.clone() });
        }
        Ok(())
    }

    pub(super) fn remove_rule(&mut self, id: &str) {
        for group in &mut self.groups {
            group.rules.retain(|rule| rule.id != id);
        }
    }

    pub(super) fn keypairs(&self, pool: &PoolId) -> Vec<KeyPair> {
        let mark = mark(pool);
        let seen = |key: &KeyPair| KeyPair { ours: key.public_key.ends_with(&mark), ..key.clone() };
        self.keys.iter().map(seen).collect()
    }

    pub(super) fn import_key(
        &mut self,
        pool: &PoolId,
        name: &str,
        public_key: &str,
    ) -> Result<KeyPair, Failure> {
        if let Some(there) = self.keypairs(pool).into_iter().find(|key| key.name == name) {
            let words = format!("there is another key of the name '{name}'");
            let same = there.holds(public_key);
            return if same { Ok(there) } else { Err(Failure::new(FailureKind::Conflict, words)) };
        }
        let kind = public_key.split_whitespace().next().unwrap_or_default();
        if !kind.starts_with("ssh-") && !kind.starts_with("ecdsa-") {
            return Err(Failure::rejected("the public key is invalid"));
        }
        let public_key = format!("{} {}", public_key.trim(), mark(pool));
        let key = KeyPair { name: name.to_owned(), public_key, ours: true };
        self.keys.push(key.clone());
        Ok(key)
    }

    /// Gives a server an address of its own, which follows from its id, and those that lead to it.
    pub(super) fn addresses(&self, server: &ServerId) -> Vec<Address> {
        let sum =
            server.as_str().bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31) + u16::from(byte) % 31);
        let [high, low] = sum.to_be_bytes();
        let inside = self.networks.iter().find(|network| network.is_usable());
        let network = inside.map(|network| network.name.clone()).unwrap_or_default();
        let own = IpAddr::V4(Ipv4Addr::new(10, 0, high, low));
        let mut all = vec![Address { network: network.clone(), ip: own, floating: false }];
        let leading = self.addresses.iter().filter(|address| address.server.as_ref() == Some(server));
        all.extend(leading.map(|one| Address { network: network.clone(), ip: one.ip, floating: true }));
        all
    }

    pub(super) fn make_address(
        &mut self,
        pool: &PoolId,
        network: Option<&str>,
    ) -> Result<FloatingAddress, Failure> {
        let free = |address: &&Floating| address.pool == *pool && address.server.is_none();
        if let Some(address) = self.addresses.iter().find(free) {
            return Ok(address.seen());
        }
        let external: Vec<_> = self.networks.iter().filter(|network| network.external).collect();
        let meant = external
            .iter()
            .filter(|one| network.is_none_or(|wanted| one.name == wanted || one.id == wanted))
            .count();
        match meant {
            0 => return Err(missing("external network", network.unwrap_or("of any name"))),
            1 => (),
            _ => return Err(Failure::rejected("there are several external networks: name one")),
        }
        let id = self.id("floating");
        let last = u8::try_from(self.serial % 256).unwrap_or_default();
        let ip = IpAddr::V4(Ipv4Addr::new(203, 0, 113, last));
        let address = Floating { id, ip, pool: pool.clone(), server: None };
        let seen = address.seen();
        self.addresses.push(address);
        Ok(seen)
    }

    pub(super) fn associate(&mut self, id: &str, server: &ServerId) -> Result<(), Failure> {
        let found = self.addresses.iter_mut().find(|address| address.id == id);
        let Some(found) = found else { return Err(missing("floating IP", id)) };
        found.server = Some(server.clone());
        Ok(())
    }

    pub(super) fn volumes(&self, pool: &PoolId) -> Vec<Volume> {
        self.volumes.iter().filter(|disk| disk.pool == *pool).map(|disk| disk.seen(self.now)).collect()
    }

    pub(super) fn make_volume(&mut self, pool: &PoolId, name: &str, size: u64) -> Volume {
        if let Some(there) = self.volumes(pool).into_iter().find(|volume| volume.name == name) {
            return there;
        }
        let (id, settled) = (self.id("volume"), self.now.saturating_add(CHANGES));
        let disk = Disk { id, name: name.to_owned(), pool: pool.clone(), size, server: None, settled };
        let seen = disk.seen(self.now);
        self.volumes.push(disk);
        seen
    }

    pub(super) fn attach(&mut self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        let now = self.now;
        let disk = self.disk(volume)?;
        if disk.server.as_ref() == Some(server) {
            return Ok(());
        }
        if disk.server.is_some() || disk.settled > now {
            return Err(Failure::new(FailureKind::Conflict, format!("volume {volume} is not available")));
        }
        disk.server = Some(server.clone());
        disk.settled = now.saturating_add(CHANGES);
        Ok(())
    }

    pub(super) fn detach(&mut self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        let now = self.now;
        let disk = self.disk(volume)?;
        if disk.server.as_ref() != Some(server) {
            return Err(missing("attachment of", volume));
        }
        disk.server = None;
        disk.settled = now.saturating_add(CHANGES);
        Ok(())
    }

    fn disk(&mut self, id: &str) -> Result<&mut Disk, Failure> {
        self.volumes.iter_mut().find(|disk| disk.id == id).ok_or_else(|| missing("volume", id))
    }

    /// Lists what is a pool's, without servers and images.
    pub(super) fn ours(&self, pool: &PoolId) -> Vec<Resource> {
        let mut ours = Vec::new();
        for address in self.addresses.iter().filter(|one| one.pool == *pool) {
            ours.push(Resource::new(ResourceKind::FloatingIp, &*address.id, address.ip.to_string()));
        }
        for disk in self.volumes.iter().filter(|one| one.pool == *pool) {
            ours.push(Resource::new(ResourceKind::Volume, &*disk.id, &*disk.name));
        }
        for group in &self.groups {
            if group.pool == *pool {
                ours.push(Resource::new(ResourceKind::SecurityGroup, &*group.id, &*group.name));
                continue;
            }
            for each in group.rules.iter().filter(|rule| rule.pool == *pool) {
                let name = format!("{} of {}", each.rule, group.name);
                ours.push(Resource::new(ResourceKind::SecurityGroupRule, &*each.id, name));
            }
        }
        for key in self.keypairs(pool).into_iter().filter(|key| key.ours) {
            ours.push(Resource::new(ResourceKind::KeyPair, &*key.name, &*key.name));
        }
        ours
    }

    /// Takes one of these things away, if it is the pool's; `alive` are the servers that still hold what hangs on them.
    pub(super) fn remove(
        &mut self,
        pool: &PoolId,
        resource: &Resource,
        alive: &[ServerId],
    ) -> Result<(), Failure> {
        let id = resource.id.as_str();
        if !self.exists(resource) {
            return Err(missing(resource.kind.as_str(), id));
        }
        if !self.ours(pool).iter().any(|one| one.kind == resource.kind && one.id == id) {
            return Err(not_ours(resource));
        }
        match resource.kind {
            ResourceKind::FloatingIp => self.addresses.retain(|one| one.id != id),
            ResourceKind::SecurityGroupRule => self.remove_rule(id),
            ResourceKind::SecurityGroup => self.groups.retain(|one| one.id != id),
            ResourceKind::KeyPair => self.keys.retain(|one| one.name != id),
            ResourceKind::Volume => {
                let held = self.disk(id)?.server.as_ref().is_some_and(|server| alive.contains(server));
                if held {
                    let words = format!("volume {id} is attached");
                    return Err(Failure::new(FailureKind::Conflict, words));
                }
                self.volumes.retain(|one| one.id != id);
            }
            ResourceKind::Server | ResourceKind::Image => (),
        }
        Ok(())
    }

    fn exists(&self, resource: &Resource) -> bool {
        let id = resource.id.as_str();
        match resource.kind {
            ResourceKind::FloatingIp => self.addresses.iter().any(|one| one.id == id),
            ResourceKind::Volume => self.volumes.iter().any(|one| one.id == id),
            ResourceKind::SecurityGroup => self.groups.iter().any(|one| one.id == id),
            ResourceKind::SecurityGroupRule => {
                self.groups.iter().flat_map(|group| &group.rules).any(|one| one.id == id)
            }
            ResourceKind::KeyPair => self.keys.iter().any(|one| one.name == id),
            ResourceKind::Server | ResourceKind::Image => false,
        }
    }
}

pub(super) fn not_ours(resource: &Resource) -> Failure {
    Failure::rejected(format!("the {} {} is not ours", resource.kind.as_str(), resource.name))
}

impl Group {
    fn seen_by(&self, pool: &PoolId) -> SecurityGroup {
        let ours = self.pool == *pool;
        let seen =
            |one: &Ingress| FoundRule { id: one.id.clone(), ours: one.pool == *pool, rule: one.rule.clone() };
        SecurityGroup {
            id: self.id.clone(),
            name: self.name.clone(),
            ours,
            rules: self.rules.iter().map(seen).collect(),
        }
    }
}

impl Floating {
    fn seen(&self) -> FloatingAddress {
        let port = self.server.as_ref().map(|server| format!("port-{server}"));
        FloatingAddress { id: self.id.clone(), ip: self.ip, port }
    }
}

impl Disk {
    fn seen(&self, now: Moment) -> Volume {
        let status = match (&self.server, self.settled > now) {
            (None, true) => VolumeStatus::Changing("changing".to_owned()),
            (None, false) => VolumeStatus::Available,
            (Some(_), true) => VolumeStatus::Changing("attaching".to_owned()),
            (Some(_), false) => VolumeStatus::InUse,
        };
        Volume {
            id: self.id.clone(),
            name: self.name.clone(),
            size: self.size,
            status,
            server: self.server.clone(),
            device: self.server.as_ref().map(|_| "/dev/vdb".to_owned()),
        }
    }
}
