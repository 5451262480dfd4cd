//! Knowing something, and knowing that one does not.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A fact that was asked for: seen, or unknown. Unknown is never the same as empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed<T> {
    /// The answer came.
    Seen {
        /// When it was asked for.
        at: Timestamp,
        /// The answer.
        value: T,
    },
    /// No answer that can be trusted came.
    Unknown {
        /// Since when it has been unknown.
        since: Timestamp,
        /// Why, in words for the operator.
        why: String,
    },
}

impl<T> Observed<T> {
    /// Gives the value, if it was seen.
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen { value, .. } => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// Gives the reason, if it is unknown.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Seen { .. } => None,
            Self::Unknown { why, .. } => Some(why),
        }
    }
}
