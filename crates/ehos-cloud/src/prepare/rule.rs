//! What a security group lets in, and whether one rule makes another needless.
//!
//! Deliberately knows nothing of what goes out: that stays as the cloud has it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Which addresses a rule is about (*Neutron `ethertype`*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ethertype {
    /// *`IPv4`*.
    V4,
    /// *`IPv6`*.
    V6,
}

impl Ethertype {
    /// Gives Neutron's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// Which packets (*Neutron `protocol`, `port_range_min`, `port_range_max`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// All of them.
    Any,
    /// A protocol by its name, lower case, and the ports from and to; `None`: all ports.
    Protocol(String, Option<(u16, u16)>),
}

/// Where packets may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Anywhere (*no prefix, `0.0.0.0/0`, `::/0`*).
    Anywhere,
    /// A range of addresses (*`remote_ip_prefix`*).
    Network(Cidr),
    /// The servers of a security group, by its id (*`remote_group_id`*).
    Group(String),
    /// What we do not use, in the cloud's words: an address group for example.
    Other(String),
}

/// One thing that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which addresses.
    pub ethertype: Ethertype,
    /// Which packets.
    pub traffic: Traffic,
    /// Where from.
    pub remote: Remote,
}

impl Rule {
    /// Lets one port in.
    #[must_use]
    pub fn port(ethertype: Ethertype, protocol: &str, port: u16, remote: Remote) -> Self {
        Self { ethertype, traffic: Traffic::Protocol(protocol.to_owned(), Some((port, port))), remote }
    }

    /// Tells whether it lets in all that `other` does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let traffic = match (&self.traffic, &other.traffic) {
            (Traffic::Any, _) => true,
            (Traffic::Protocol(mine, ports), Traffic::Protocol(theirs, wanted)) => {
                mine == theirs && (ports.is_none() || within(*ports, *wanted))
            }
            (Traffic::Protocol(..), Traffic::Any) => false,
        };
        let remote = match (&self.remote, &other.remote) {
            (Remote::Anywhere, _) => true,
            (Remote::Network(mine), Remote::Network(theirs)) => mine.contains(theirs),
            (mine, theirs) => mine == theirs,
        };
        self.ethertype == other.ethertype && traffic && remote
    }
}

fn within(ports: Option<(u16, u16)>, wanted: Option<(u16, u16)>) -> bool {
    matches!((ports, wanted), (Some((from, to)), Some((first, last))) if from <= first && last <= to)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.traffic {
            Traffic::Any => write!(f, "everything")?,
            Traffic::Protocol(protocol, None) => write!(f, "{protocol}")?,
            Traffic::Protocol(protocol, Some((from, to))) if from == to => write!(f, "{from}/{protocol}")?,
            Traffic::Protocol(protocol, Some((from, to))) => write!(f, "{from}-{to}/{protocol}")?,
        }
        match &self.remote {
            Remote::Anywhere => write!(f, " from anywhere ({})", self.ethertype.as_str()),
            Remote::Network(cidr) => write!(f, " from {cidr}"),
            Remote::Group(group) => write!(f, " from group {group} ({})", self.ethertype.as_str()),
            Remote::Other(words) => write!(f, " from {words}"),
        }
    }
}

/// A range of addresses; bits behind its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// Makes a range; `None` where it is longer than an address.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if length <= 32 => {
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & front_32(length)))
            }
            IpAddr::V6(v6) if length <= 128 => {
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & front_128(length)))
            }
            _ => return None,
        };
        Some(Self { address, length })
    }

    /// Tells which addresses it is of.
    #[must_use]
    pub const fn ethertype(&self) -> Ethertype {
        if self.address.is_ipv4() { Ethertype::V4 } else { Ethertype::V6 }
    }

    /// Tells whether every address of `other` is in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.ethertype() == other.ethertype()
            && self.length <= other.length
            && Self::new(other.address, self.length) == Some(*self)
    }

    /// Gives it as a rule's other side: the range of all addresses is anywhere.
    #[must_use]
    pub const fn remote(self) -> Remote {
        if self.length == 0 { Remote::Anywhere } else { Remote::Network(self) }
    }
}

fn front_32(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn front_128(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// What is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no range of addresses; expected for example 192.0.2.0/24, 2001:db8::/32 or 198.51.100.7")]
pub struct NoCidr(String);

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Self, NoCidr> {
        let wrong = || NoCidr(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, length.unwrap_or(whole)).ok_or_else(wrong)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(network: &str) -> Remote {
        network.parse::<Cidr>().unwrap().remote()
    }

    #[test]
    fn ranges_of_addresses() {
        for (text, expected) in [
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("192.0.2.77/24", Some("192.0.2.0/24")),
            ("198.51.100.7", Some("198.51.100.7/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("10.1.2.3/0", Some("0.0.0.0/0")),
            ("2001:DB8::1/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("::1", Some("::1/128")),
            ("192.0.2.0/33", None),
            ("::/129", None),
            ("192.0.2/24", None),
            ("here", None),
            ("192.0.2.0/", None),
            ("", None),
        ] {
            let read = text.parse::<Cidr>().map(|cidr| cidr.to_string()).ok();
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_a_rule_makes_needless() {
        let ssh = |remote| Rule::port(Ethertype::V4, "tcp", 22, remote);
        let tcp = |ports, remote| Rule {
            ethertype: Ethertype::V4,
            traffic: Traffic::Protocol("tcp".into(), ports),
            remote,
        };
        let all = Rule { ethertype: Ethertype::V4, traffic: Traffic::Any, remote: Remote::Anywhere };
        for (one, other, covers, row) in [
            (ssh(Remote::Anywhere), ssh(Remote::Anywhere), true, "itself"),
            (all.clone(), ssh(Remote::Anywhere), true, "everything"),
            (ssh(Remote::Anywhere), all, false, "a part of everything"),
            (tcp(Some((1, 100)), Remote::Anywhere), ssh(Remote::Anywhere), true, "more ports"),
            (tcp(Some((23, 100)), Remote::Anywhere), ssh(Remote::Anywhere), false, "other ports"),
            (tcp(None, Remote::Anywhere), ssh(Remote::Anywhere), true, "all ports"),
            (ssh(Remote::Anywhere), tcp(None, Remote::Anywhere), false, "one of all ports"),
            (ssh(Remote::Anywhere), ssh(Remote::Group("g".into())), true, "a group is somewhere"),
            (ssh(Remote::Group("g".into())), ssh(Remote::Group("h".into())), false, "another group"),
            (ssh(from("10.0.0.0/8")), ssh(from("10.9.0.0/16")), true, "a wider range"),
            (ssh(from("10.9.0.0/16")), ssh(from("10.0.0.0/8")), false, "a narrower one"),
            (ssh(from("10.0.0.0/8")), ssh(Remote::Anywhere), false, "a range is not anywhere"),
            (
                Rule::port(Ethertype::V6, "tcp", 22, Remote::Anywhere),
                ssh(Remote::Anywhere),
                false,
                "other addresses",
            ),
            (
                Rule::port(Ethertype::V4, "udp", 22, Remote::Anywhere),
                ssh(Remote::Anywhere),
                false,
                "another protocol",
            ),
        ] {
            assert_eq!(one.covers(&other), covers, "{row}");
        }
    }

    #[test]
    fn rules_in_words() {
        let rule = |traffic, remote| Rule { ethertype: Ethertype::V4, traffic, remote }.to_string();
        let ssh = || Traffic::Protocol("tcp".into(), Some((22, 22)));
        assert_eq!(rule(ssh(), Remote::Anywhere), "22/tcp from anywhere (IPv4)");
        assert_eq!(rule(ssh(), from("10.0.0.0/8")), "22/tcp from 10.0.0.0/8");
        assert_eq!(rule(Traffic::Any, Remote::Group("g".into())), "everything from group g (IPv4)");
        let range = Traffic::Protocol("udp".into(), Some((1, 9)));
        assert_eq!(rule(range, Remote::Other("address group a".into())), "1-9/udp from address group a");
    }
}
