//! The questions and commands that make an account of a cloud ready for a pool, and clear it again.
//!
//! Deliberately apart from [`Cloud`]: the daemon buys servers and changes nothing of the account they run in.

mod rule;

use std::net::IpAddr;

use async_trait::async_trait;
use ehos_model::{Failure, Flavor, PoolId, ServerId};

pub use self::rule::{Cidr, Ethertype, Remote, Rule, Traffic};
use crate::{Cloud, Image};

/// A network (*Neutron `networks`*).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "Neutron tells of them one by one")]
pub struct Network {
    /// *`id`*.
    pub id: String,
    /// *`name`*; empty where it has none.
    pub name: String,
    /// Leads out of the cloud (*`router:external`*): floating IPs come from it.
    pub external: bool,
    /// Everybody, or our project by name, may use it (*`shared`*).
    pub shared: bool,
    /// It is our own project's (*`project_id`*).
    pub own: bool,
    /// Its administrator has it switched on (*`admin_state_up`*).
    pub up: bool,
    /// How many subnets it has (*`subnets`*); without one no server gets an address.
    pub subnets: usize,
}

impl Network {
    /// Tells whether nodes can be plugged into it: ours or shared, up, with addresses, and inside the cloud.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        (self.own || self.shared) && self.up && self.subnets > 0 && !self.external
    }
}

/// An image, with what tells which system it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedImage {
    /// What every image has.
    pub image: Image,
    /// *Glance `os_distro`*: `debian`.
    pub distro: Option<String>,
    /// *Glance `os_version`*: `13`.
    pub version: Option<String>,
    /// *Glance `architecture` or `hw_architecture`*: `x86_64`.
    pub architecture: Option<String>,
    /// Bytes (*Glance `size`*).
    pub size: u64,
    /// It was made of a server (*Glance `image_type`: `snapshot`*).
    pub is_snapshot: bool,
}

/// A security group of our project (*Neutron `security_groups`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// *`id`*.
    pub id: String,
    /// *`name`*; several groups may have the same.
    pub name: String,
    /// We have made it: it carries our pool's id.
    pub ours: bool,
    /// What it lets in; what it lets out is left as it is.
    pub rules: Vec<FoundRule>,
}

/// A rule of a group (*Neutron `security_group_rules`*, direction `ingress`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRule {
    /// *`id`*.
    pub id: String,
    /// We have added it: it carries our pool's id.
    pub ours: bool,
    /// What it lets in.
    pub rule: Rule,
}

/// A keypair of our user (*Nova `os-keypairs`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// Its name, which is its id, too.
    pub name: String,
    /// As in an `authorized_keys` file (*`public_key`*); empty where the cloud does not tell.
    pub public_key: String,
    /// We have imported it for this pool: the comment of the key says so.
    pub ours: bool,
}

impl KeyPair {
    /// Tells whether it holds this key; comments do not count.
    #[must_use]
    pub fn holds(&self, public_key: &str) -> bool {
        let bare = |key: &str| key.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        let mine = bare(&self.public_key);
        mine.len() == 2 && mine == bare(public_key)
    }
}

/// An address of a server (*Nova `addresses`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The name of its network.
    pub network: String,
    /// The address.
    pub ip: IpAddr,
    /// It is a floating IP (*`OS-EXT-IPS:type`*); else one of the server's own.
    pub floating: bool,
}

/// A floating IP that carries our pool's id (*Neutron `floatingips`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatingAddress {
    /// *`id`*.
    pub id: String,
    /// *`floating_ip_address`*.
    pub ip: IpAddr,
    /// The port it leads to (*`port_id`*); `None`: it is free.
    pub port: Option<String>,
}

/// How far a volume is (*Cinder `status`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeStatus {
    /// On its way to another one: *`creating`, `attaching`, `detaching`, `deleting`*, and words we do not know.
    Changing(String),
    /// *`available`*: it can be attached or deleted.
    Available,
    /// *`in-use`*: it is attached.
    InUse,
    /// *`error`, `error_deleting`* and the like; it can only be deleted.
    Broken(String),
}

/// A volume that carries our pool's id (*Cinder `volumes`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// *`id`*.
    pub id: String,
    /// *`name`*.
    pub name: String,
    /// GiB.
    pub size: u64,
    /// How far it is.
    pub status: VolumeStatus,
    /// The server it is attached to (*`attachments`*).
    pub server: Option<ServerId>,
    /// What that server's kernel is said to call it (*`device`*): a hint, no more.
    pub device: Option<String>,
}

/// What can carry our pool's id, in the order in which it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A server, of any role.
    Server,
    /// A floating IP.
    FloatingIp,
    /// A volume.
    Volume,
    /// An image.
    Image,
    /// A rule that we have added to a security group of others.
    SecurityGroupRule,
    /// A security group.
    SecurityGroup,
    /// A keypair.
    KeyPair,
}

impl ResourceKind {
    /// Gives its word for the operator.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::FloatingIp => "floating IP",
            Self::Volume => "volume",
            Self::Image => "image",
            Self::SecurityGroupRule => "security group rule",
            Self::SecurityGroup => "security group",
            Self::KeyPair => "keypair",
        }
    }
}

/// Something in the project that carries our pool's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Its id; of a keypair its name.
    pub id: String,
    /// Its name; of a floating IP the address, of a rule its group and what it lets in.
    pub name: String,
}

impl Resource {
    /// Names something.
    #[must_use]
    pub fn new(kind: ResourceKind, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, id: id.into(), name: name.into() }
    }
}

/// A cloud whose account can be made ready.
///
/// What is made carries our pool's id from the call that makes it. Each `make_` and `import_` finds what an earlier
/// call has made, also one whose answer was lost, and may be repeated.
#[async_trait]
pub trait Prepare: Cloud {
    /// Lists the networks that our project can see.
    ///
    /// # Errors
    /// Never a part of the list: what cannot be read whole is a failure.
    async fn networks(&self) -> Result<Vec<Network>, Failure>;

    /// Lists all flavors that can be used, the smallest first.
    ///
    /// # Errors
    /// As [`Self::networks`].
    async fn flavors(&self) -> Result<Vec<Flavor>, Failure>;

    /// Lists all images that can be seen, public, shared and our own, the newest first.
    ///
    /// # Errors
    /// As [`Self::networks`].
    async fn offered_images(&self) -> Result<Vec<OfferedImage>, Failure>;

    /// Lists our project's security groups with their rules.
    ///
    /// # Errors
    /// As [`Self::networks`].
    async fn security_groups(&self) -> Result<Vec<SecurityGroup>, Failure>;

    /// Finds the security group of a name, ours before another's, or makes it.
    ///
    /// # Errors
    /// `Quota`.
    async fn make_security_group(&self, name: &str) -> Result<SecurityGroup, Failure>;

    /// Has a group let in what a rule says; one that it has already is no failure.
    ///
    /// # Errors
    /// `NotFound` where the group is gone, `Quota`.
    async fn add_rule(&self, group: &SecurityGroup, rule: &Rule) -> Result<(), Failure>;

    /// Takes a rule out of a group; one that is gone already is no failure.
    ///
    /// # Errors
    /// `Rejected` where neither the group nor the rule is ours.
    async fn remove_rule(&self, group: &SecurityGroup, rule: &FoundRule) -> Result<(), Failure>;

    /// Lists our user's keypairs.
    ///
    /// # Errors
    /// As [`Self::networks`].
    async fn keypairs(&self) -> Result<Vec<KeyPair>, Failure>;

    /// Imports a public key, or finds it by its name; our pool's id becomes part of its comment.
    ///
    /// # Errors
    /// `Conflict` where there is another key of that name, `Rejected` where it is no key, `Quota`.
    async fn import_key(&self, name: &str, public_key: &str) -> Result<KeyPair, Failure>;

    /// Lists a server's addresses; empty until it has some.
    ///
    /// # Errors
    /// `NotFound` where it is gone.
    async fn addresses(&self, server: &ServerId) -> Result<Vec<Address>, Failure>;

    /// Finds a free floating IP of ours, or gets one from an external network, by name or id; `None`: the only one.
    ///
    /// # Errors
    /// `NotFound` where there is no such network, `Rejected` where there are several, `Quota`, and `Conflict` where
    /// the network has no address left.
    async fn make_floating_ip(&self, network: Option<&str>) -> Result<FloatingAddress, Failure>;

    /// Has a floating IP lead to a server; that it does so already is no failure.
    ///
    /// # Errors
    /// `Conflict` where the server has no port yet, `NotFound` where no router joins the networks or the IP is gone.
    async fn associate(&self, address: &FloatingAddress, server: &ServerId) -> Result<(), Failure>;

    /// Lists the volumes that carry our pool's id.
    ///
    /// # Errors
    /// `Rejected` where the cloud has no Cinder.
    async fn volumes(&self) -> Result<Vec<Volume>, Failure>;

    /// Finds the volume of ours that has this name, or orders one of `size` GiB; it may still be on its way.
    ///
    /// # Errors
    /// `Rejected` where the cloud has no Cinder, `Quota`.
    async fn make_volume(&self, name: &str, size: u64) -> Result<Volume, Failure>;

    /// Has a volume attached to a server; that it is so already is no failure.
    ///
    /// # Errors
    /// `Conflict` where one of the two is not ready for it, `NotFound` where one is gone.
    async fn attach(&self, volume: &str, server: &ServerId) -> Result<(), Failure>;

    /// Has a volume detached from a server.
    ///
    /// # Errors
    /// `NotFound` where it is not attached, `Conflict` where one of the two is not ready for it.
    async fn detach(&self, volume: &str, server: &ServerId) -> Result<(), Failure>;

    /// Lists all that carries our pool's id, in the order in which it can be removed.
    ///
    /// # Errors
    /// As [`Self::networks`].
    async fn ours(&self) -> Result<Vec<Resource>, Failure>;

    /// Has a thing deleted that carries our pool's id; one that is gone already is no failure.
    ///
    /// # Errors
    /// `Conflict` where something still needs it: a server that is going, an image that nodes run from. `Rejected` where
    /// it is not ours.
    async fn remove(&self, resource: &Resource) -> Result<(), Failure>;
}

/// Gives the words by which a description, or the comment of a key, carries a pool's id.
#[must_use]
pub fn mark(pool: &PoolId) -> String {
    format!("made by EHOS for pool {pool}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_plugged_into_what_is_inside_and_has_addresses() {
        let good = Network {
            id: "1".into(),
            name: "private".into(),
            external: false,
            shared: false,
            own: true,
            up: true,
            subnets: 1,
        };
        for (network, usable, row) in [
            (good.clone(), true, "our own"),
            (Network { own: false, shared: true, ..good.clone() }, true, "a shared one"),
            (Network { own: false, ..good.clone() }, false, "another project's, as administrators see them"),
            (Network { external: true, ..good.clone() }, false, "one that leads out"),
            (Network { up: false, ..good.clone() }, false, "switched off"),
            (Network { subnets: 0, ..good }, false, "without addresses"),
        ] {
            assert_eq!(network.is_usable(), usable, "{row}");
        }
    }

    #[test]
    fn a_key_is_the_same_whatever_its_comment() {
        let pair = |key: &str| KeyPair { name: "k".into(), public_key: key.into(), ours: false };
        for (there, given, same, row) in [
            ("ssh-ed25519 AAAA me@here", "ssh-ed25519 AAAA", true, "another comment"),
            ("ssh-ed25519  AAAA\n", "ssh-ed25519 AAAA x y", true, "other blanks"),
            ("ssh-ed25519 AAAA", "ssh-ed25519 AAAB", false, "another key"),
            ("ssh-rsa AAAA", "ssh-ed25519 AAAA", false, "another kind"),
            ("", "", false, "a cloud that does not tell"),
        ] {
            assert_eq!(pair(there).holds(given), same, "{row}");
        }
    }

    #[test]
    fn children_go_before_what_they_need() {
        let mut order = [ResourceKind::SecurityGroup, ResourceKind::Volume, ResourceKind::Server];
        order.sort();
        assert_eq!(order, [ResourceKind::Server, ResourceKind::Volume, ResourceKind::SecurityGroup]);
    }
}
