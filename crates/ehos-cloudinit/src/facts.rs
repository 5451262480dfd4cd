//! What a template is told about the node it is rendered for, and which values may stand there.
//!
//! Deliberately refuses rather than escapes: a value is put into YAML, into HTCondor's configuration and into a
//! ClassAd string inside it, and what is harmless in all three needs no escaping in any.

use std::net::IpAddr;
use std::time::Duration;

use ehos_model::{CloudName, FlavorName, NodeId, PoolId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::TemplateError;

/// The tags a template may use, in the order they are listed in messages.
pub(crate) const TAGS: [&str; 10] = [
    "pool",
    "node",
    "cloud",
    "flavor",
    "gpus",
    "host_ip",
    "uid_domain",
    "trust_domain",
    "token",
    "update_interval",
];

/// The tags without which no server becomes a node: nothing else can say who it is, where its pool is and why it
/// is let in.
pub(crate) const REQUIRED: [&str; 3] = ["node", "host_ip", "token"];

/// What one node is told; each field is a tag of the same name.
#[derive(Clone, Copy, Debug)]
pub struct NodeFacts<'a> {
    /// The pool it is bought for; `EhosPool`.
    pub pool: &'a PoolId,
    /// The node; its host name, and `EhosNode` in its slots' ads.
    pub node: &'a NodeId,
    /// The cloud it is bought from; `EhosCloud`.
    pub cloud: &'a CloudName,
    /// Its size; `EhosFlavor`.
    pub flavor: &'a FlavorName,
    /// GPUs of the flavor; HTCondor looks for them only where there are some.
    pub gpus: u32,
    /// The pool's manager as the node reaches it, address or host name.
    pub host_ip: &'a str,
    /// The manager's *`UID_DOMAIN`*; also the domain of the node's full name.
    pub uid_domain: &'a str,
    /// The manager's *`TRUST_DOMAIN`*; a token is offered only where it fits.
    pub trust_domain: &'a str,
    /// What it joins the pool with.
    pub token: &'a SecretString,
    /// How often its startd tells the collector of itself; whole seconds, at least 1.
    pub update_interval: Duration,
}

impl NodeFacts<'_> {
    /// Checks every value and gives them under the names of [`TAGS`].
    ///
    /// # Errors
    /// [`TemplateError::Value`] for the first value that could mean something else where it is put.
    pub(crate) fn values(&self) -> Result<Value, TemplateError> {
        let token = self.token.expose_secret();
        let seconds = self.update_interval.as_secs();
        expect("node", self.node.as_str(), is_label, "lower case letters, digits and hyphens, at most 63")?;
        expect("pool", self.pool.as_str(), is_name, NAME)?;
        expect("cloud", self.cloud.as_str(), is_name, NAME)?;
        expect("flavor", self.flavor.as_str(), is_name, NAME)?;
        expect("host_ip", self.host_ip, is_host, "an IP address or a host name")?;
        expect("uid_domain", self.uid_domain, is_domain, "a domain name")?;
        expect("trust_domain", self.trust_domain, is_trust_domain, "a domain name or an address")?;
        if !is_token(token) {
            let expected = "the letters, digits and _-. of an IDTOKEN, on one line";
            return Err(TemplateError::Value { tag: "token", value: None, expected });
        }
        if seconds == 0 {
            let value = Some(format!("{:?}", self.update_interval));
            return Err(TemplateError::Value {
                tag: "update_interval",
                value,
                expected: "at least one second",
            });
        }
        Ok(json!({
            "pool": self.pool.as_str(),
            "node": self.node.as_str(),
            "cloud": self.cloud.as_str(),
            "flavor": self.flavor.as_str(),
            "gpus": self.gpus,
            "host_ip": self.host_ip,
            "uid_domain": self.uid_domain,
            "trust_domain": self.trust_domain,
            "token": token,
            "update_interval": seconds,
        }))
    }
}

fn expect(
    tag: &'static str,
    value: &str,
    allowed: fn(&str) -> bool,
    expected: &'static str,
) -> Result<(), TemplateError> {
    if allowed(value) {
        return Ok(());
    }
    Err(TemplateError::Value { tag, value: Some(value.to_owned()), expected })
}

const NAME: &str = "letters, digits, spaces and ._-+/@:()= with a letter or digit first, at most 255";

/// A label of a domain name (RFC 1123), in lower case.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| is_label(&label.to_ascii_lowercase()))
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_domain(text)
}

/// HTCondor's default trust domain is the collector's address with its port.
fn is_trust_domain(text: &str) -> bool {
    is_host(text)
        || text.rsplit_once(':').is_some_and(|(host, port)| {
            is_host(host.trim_start_matches('[').trim_end_matches(']')) && port.parse::<u16>().is_ok()
        })
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// A name that means itself in plain YAML, in HTCondor's configuration and in a ClassAd string: no quote,
/// backslash, `$` or `#`, no line end, and no colon that YAML would take for a key's.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || " ._-+/@:()=".contains(c);
    text.len() <= 255
        && text.starts_with(char::is_alphanumeric)
        && text.chars().all(inner)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_is_refused() {
        type Row = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let long = "x".repeat(64);
        let rows: [Row; 6] = [
            (
                is_label,
                &["n", "ehos-execute-1a", "1a"],
                &["", "-a", "a-", "A", "a.b", "a_b", "a\n", "a b", "a: b", "\u{e6}"],
            ),
            (
                is_host,
                &["192.0.2.1", "2001:db8::1", "cm.example.org", "CM"],
                &["", "a b", "a\nb", "a:1", ".a", "a..b", "$(X)"],
            ),
            (is_domain, &["bed.test", "UiB.no"], &["", "*", "a b", "a,b", "a\n", "a$b", "-a"]),
            (
                is_trust_domain,
                &["bed.test", "192.0.2.1:9618", "[2001:db8::1]:9618", "cm:9618"],
                &["", "a b:1", "a:b", "a:1\n", "a: 1"],
            ),
            (is_token, &["eyJ.x_-y.Z"], &["", "a b", "a\n", "a=", "a:b", "\""]),
            (
                is_name,
                &["bergen", "m1.large", "Troms\u{f8} 2", "c5:large (old)", "16core/64=GB"],
                &[
                    "",
                    " a",
                    "a ",
                    "a\nb",
                    "a\r",
                    "a\"b",
                    "a'b",
                    "a\\b",
                    "a$b",
                    "$(a)",
                    "a#b",
                    "a: b",
                    "a:",
                    "-a",
                    "@a",
                    "a\u{0}",
                    "a\u{2028}b",
                    "{a",
                    "[a",
                    "&a",
                    "*a",
                    "a, b",
                    "a\tb",
                ],
            ),
        ];
        for (allowed, yes, no) in rows {
            for text in yes {
                assert!(allowed(text), "{text:?}");
            }
            for text in no {
                assert!(!allowed(text), "{text:?}");
            }
        }
        assert!(!is_label(&long) && is_label(&long[1..]));
    }

    #[test]
    fn an_error_names_the_value_but_never_the_token() {
        let (node, cloud, flavor) = (NodeId::from("n1"), CloudName::from("c"), FlavorName::from("f"));
        let pool = PoolId::from("p");
        let facts = |token: &'static str, host_ip: &'static str, seconds| {
            let token = SecretString::from(token);
            let facts = NodeFacts {
                pool: &pool,
                node: &node,
                cloud: &cloud,
                flavor: &flavor,
                gpus: 0,
                host_ip,
                uid_domain: "a.b",
                trust_domain: "a.b",
                token: &token,
                update_interval: Duration::from_secs(seconds),
            };
            assert!(!format!("{facts:?}").contains("hunter2"));
            facts.values().map_or_else(|error| format!("{error} {error:?}"), |_| String::new())
        };
        assert_eq!(facts("hunter2", "192.0.2.1", 60), "");
        let message = facts("hunter2\n", "192.0.2.1", 60);
        assert!(
            message.starts_with("the token cannot stand in") && !message.contains("hunter2"),
            "{message}"
        );
        let message = facts("hunter2", "a b", 60);
        assert!(
            message.starts_with("the host_ip \"a b\" cannot stand in") && !message.contains("hunter2"),
            "{message}"
        );
        assert!(facts("hunter2", "192.0.2.1", 0).contains("at least one second"));
    }
}
