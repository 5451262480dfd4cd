//! Names of the servers that are made on the way to an image.
//!
//! Deliberately recognisable: a later run on the same machine deletes what an earlier one that was killed has left.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ehos_model::NodeId;
use jiff::Timestamp;

/// Whose builds are meant: of this machine and user, and of these the present run's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Maker {
    /// Machine and user.
    who: String,
    /// The present run.
    run: String,
}

impl Maker {
    /// Makes the mark of this machine and user.
    pub(crate) fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self::of(host.trim(), ehos_terminal::user())
    }

    fn of(host: &str, user: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        (host, user).hash(&mut hasher);
        Self { who: format!("{:05x}", hasher.finish() & 0xf_ffff), run: letters(5) }
    }

    /// Names a new server: `PREFIX-build-MAKER-TIME-RANDOM`, at most 63 characters.
    pub(crate) fn name(&self, prefix: &str, what: &str) -> NodeId {
        let time = Timestamp::now().strftime("%Y%m%d%H%M%S");
        let rest = format!("-{what}-{}-{time}-{}{}", self.who, self.run, letters(5));
        let prefix: String = prefix.chars().take(63 - rest.len()).collect();
        NodeId::from(format!("{prefix}{rest}"))
    }

    /// Tells whether a server was made by this machine and user.
    pub(crate) fn made(&self, node: &NodeId) -> bool {
        node.as_str().rsplit('-').nth(2).is_some_and(|maker| maker == self.who)
    }

    /// Tells whether it was made by the present run: for another cloud of the configuration, if that is the same project.
    pub(crate) fn is_making(&self, node: &NodeId) -> bool {
        self.made(node) && node.as_str().rsplit('-').next().is_some_and(|dice| dice.starts_with(&self.run))
    }
}

fn letters(count: usize) -> String {
    std::iter::repeat_with(fastrand::lowercase).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_name_that_tells_who_made_it() {
        let (ours, theirs) = (Maker::of("a", 0), Maker::of("b", 0));
        for prefix in ["ehos", "a-prefix-that-is-much-too-long-for-a-host-name-of-63-characters"] {
            let node = ours.name(prefix, "build");
            assert!(node.as_str().len() <= 63, "{node}");
            assert!(node.as_str().contains("-build-"), "{node}");
            assert!(node.as_str().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            assert!(ours.made(&node) && !theirs.made(&node), "{node}");
            let later = Maker::of("a", 0);
            assert!(later.made(&node) && ours.is_making(&node) && !later.is_making(&node), "{node}");
        }
        assert_ne!(ours.name("ehos", "build"), ours.name("ehos", "build"));
        assert!(!ours.made(&"x".into()), "a name of another form");
    }
}
