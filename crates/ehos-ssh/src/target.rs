//! Who logs in where, as people write it: `admin@10.0.0.5`, `[2001:db8::1]:2222`.
//!
//! Deliberately reads no `~/.ssh/config`: what a deployment does must not hang on whose account runs it.

use std::fmt;
use std::str::FromStr;

const PORT: u16 = 22;

/// A machine to log in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The user there.
    pub user: String,
    /// Its name or address, an IPv6 one without brackets.
    pub host: String,
    /// Its TCP port, from 1.
    pub port: u16,
}

/// A text that is no [`Target`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no machine to log in to: {why}; expected for example admin@10.0.0.5 or admin@[2001:db8::1]:2222"
)]
pub struct NotATarget {
    text: String,
    why: &'static str,
}

impl FromStr for Target {
    type Err = NotATarget;

    /// Reads `user@host:port`; without a user it is the one who runs this, without a port it is 22.
    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let wrong = |why| NotATarget { text: text.to_owned(), why };
        // A user's name may hold an @, a host's never does.
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (user.to_owned(), place),
            None => (own_name().ok_or_else(|| wrong("it names no user, and $USER is empty"))?, text),
        };
        let (host, port) = split(place).ok_or_else(|| wrong("a bracket is not closed"))?;
        let port = match port {
            None => PORT,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("the port is no number from 1 to 65535")),
            },
        };
        let plain = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if user.is_empty() || user.starts_with('-') || !plain(&user) {
            return Err(wrong("the user has no name"));
        }
        if host.is_empty() || host.starts_with('-') || !plain(host) || host.contains(['/', '[', ']', ',']) {
            return Err(wrong("the host has no name"));
        }
        Ok(Self { user, host: host.to_owned(), port })
    }
}

/// Splits `host:port`; more than one colon without brackets is an IPv6 address alone.
fn split(place: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = place.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        return if rest.is_empty() {
            Some((host, None))
        } else {
            Some((host, Some(rest.strip_prefix(':')?)))
        };
    }
    Some(match place.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (place, None),
    })
}

fn own_name() -> Option<String> {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self;
        match (host.contains(':'), *port) {
            (false, PORT) => write!(f, "{user}@{host}"),
            (false, _) => write!(f, "{user}@{host}:{port}"),
            (true, PORT) => write!(f, "{user}@[{host}]"),
            (true, _) => write!(f, "{user}@[{host}]:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_is_read_as_people_write_it() {
        let rows = [
            ("user and address", "admin@10.0.0.5", Some(("admin", "10.0.0.5", 22))),
            ("port", "admin@master.example.org:2222", Some(("admin", "master.example.org", 2222))),
            ("IPv6 in brackets", "a@[2001:db8::1]", Some(("a", "2001:db8::1", 22))),
            ("IPv6 with a port", "a@[2001:db8::1]:2222", Some(("a", "2001:db8::1", 2222))),
            ("IPv6 bare", "a@2001:db8::1", Some(("a", "2001:db8::1", 22))),
            ("a user with an @", "jane@example.org@host", Some(("jane@example.org", "host", 22))),
            ("no user's name", "@host", None),
            ("no host", "admin@", None),
            ("no host but a port", "admin@:22", None),
            ("port 0", "admin@host:0", None),
            ("port too large", "admin@host:65536", None),
            ("port no number", "admin@host:ssh", None),
            ("open bracket", "admin@[2001:db8::1", None),
            ("rubbish after the bracket", "admin@[2001:db8::1]22", None),
            ("an option", "admin@-oProxyCommand=x", None),
            ("a path", "admin@host/x", None),
            ("white space", "admin@a b", None),
        ];
        for (row, text, expected) in rows {
            let expected = expected.map(|(user, host, port)| Target {
                user: user.to_owned(),
                host: host.to_owned(),
                port,
            });
            assert_eq!(text.parse::<Target>().ok(), expected, "{row}: {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(user in "[a-z][a-z0-9_-]{0,8}", host in "[a-z0-9][a-z0-9.-]{0,12}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}", port in 1_u16..) {
            let target = Target { user, host, port };
            prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
        }
    }
}
