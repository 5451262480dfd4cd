//! The name of an attribute: its spelling is kept, its letters' case is not significant.
//!
//! Deliberately ordered as HTCondor orders attributes: shorter ones first, then by letter.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An attribute's name; two that differ in the case of ASCII letters only are equal.
#[derive(Clone, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes the spelling as it is.
    pub fn new(spelling: &str) -> Self {
        Self(spelling.into())
    }

    pub(crate) fn shared(self) -> Arc<str> {
        self.0
    }

    /// Gives the spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Compares two spellings as names.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        one.bytes().map(lower).cmp(other.bytes().map(lower))
    })
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Name {
    fn from(spelling: &str) -> Self {
        Self::new(spelling)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_short_comes_first() {
        assert_eq!(Name::new("Memory"), Name::new("MEMORY"));
        assert!(Name::new("zz") < Name::new("abc"));
        assert!(Name::new("abc") < Name::new("ABD"));
        assert_eq!(compare("aVeryLongAttributeName1", "AVERYLONGATTRIBUTENAME1"), Ordering::Equal);
    }
}
