//! What a template is told about the server it is rendered for; each field is a tag of the same name.
//!
//! Deliberately says nothing of what stands around the values in a template; which of them are safe there is for
//! [`crate::values`].

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ehos_model::{CloudName, FlavorName, NodeId, PoolId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::TemplateError;
use crate::values::{
    NAME, expect, is_domain, is_host, is_label, is_name, is_password, is_token, is_trust_domain,
};

const LABEL: &str = "lower case letters, digits and hyphens, at most 63";

/// What a node joins the pool with.
#[derive(Clone, Copy, Debug)]
pub enum Secret<'a> {
    /// Its own IDTOKEN; the tag `token`.
    Token(&'a SecretString),
    /// The password of the whole pool; the tag `password`.
    Password(&'a SecretString),
}

impl Secret<'_> {
    /// The tag that it fills.
    pub(crate) const fn tag(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Password(_) => "password",
        }
    }

    fn value(&self) -> Result<&str, TemplateError> {
        let (secret, allowed, expected): (_, fn(&str) -> bool, _) = match self {
            Self::Token(token) => (token, is_token, "the letters, digits and _-. of an IDTOKEN, on one line"),
            Self::Password(password) => (
                password,
                is_password,
                "letters, digits and ._-+=/@:, with a letter or digit first, on one line",
            ),
        };
        let value = secret.expose_secret();
        if allowed(value) {
            Ok(value)
        } else {
            Err(TemplateError::Value { tag: self.tag(), value: None, expected })
        }
    }
}

/// What one node is told.
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
    pub secret: Secret<'a>,
    /// How often its startd tells the collector of itself; whole seconds, at least 1.
    pub update_interval: Duration,
}

impl NodeFacts<'_> {
    /// Checks every value and gives them under the names of their tags.
    ///
    /// # Errors
    /// [`TemplateError::Value`] for the first value that could mean something else where it is put.
    pub(crate) fn values(&self) -> Result<Value, TemplateError> {
        let seconds = self.update_interval.as_secs();
        expect("node", self.node.as_str(), is_label, LABEL)?;
        expect("pool", self.pool.as_str(), is_name, NAME)?;
        expect("cloud", self.cloud.as_str(), is_name, NAME)?;
        expect("flavor", self.flavor.as_str(), is_name, NAME)?;
        expect("host_ip", self.host_ip, is_host, "an IP address or a host name")?;
        expect("uid_domain", self.uid_domain, is_domain, "a domain name")?;
        expect("trust_domain", self.trust_domain, is_trust_domain, "a domain name or an address")?;
        let secret = self.secret.value()?;
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
            self.secret.tag(): secret,
            "update_interval": seconds,
        }))
    }
}

/// What the pool's master is told.
#[derive(Clone, Copy, Debug)]
pub struct MasterFacts<'a> {
    /// The pool it is the master of; the name that its collector goes by.
    pub pool: &'a PoolId,
    /// Its host name.
    pub node: &'a NodeId,
    /// The pool's *`UID_DOMAIN`*; also the domain of the master's full name.
    pub uid_domain: &'a str,
    /// The pool's *`TRUST_DOMAIN`*, which its tokens name.
    pub trust_domain: &'a str,
}

impl MasterFacts<'_> {
    /// Checks every value and gives them under the names of their tags.
    ///
    /// # Errors
    /// [`TemplateError::Value`] for the first value that could mean something else where it is put.
    pub(crate) fn values(&self) -> Result<Value, TemplateError> {
        expect("node", self.node.as_str(), is_label, LABEL)?;
        expect("pool", self.pool.as_str(), is_name, NAME)?;
        expect("uid_domain", self.uid_domain, is_domain, "a domain name")?;
        expect("trust_domain", self.trust_domain, is_trust_domain, "a domain name or an address")?;
        Ok(json!({
            "pool": self.pool.as_str(),
            "node": self.node.as_str(),
            "uid_domain": self.uid_domain,
            "trust_domain": self.trust_domain,
        }))
    }
}

/// Gives a pool password the form that HTCondor keeps it in (*`SEC_PASSWORD_FILE`*), in base64.
pub(crate) fn pool_key(password: &str) -> String {
    const MASK: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];
    let bytes: Vec<u8> = password.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                secret: Secret::Token(&token),
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

    /// Held against what `condor_store_cred add -f FILE -p hunter2` of HTCondor 23.9.6 wrote.
    #[test]
    fn the_password_is_kept_as_htcondor_keeps_it() {
        assert_eq!(pool_key("hunter2"), "ttjQm7vfjA==");
    }
}
