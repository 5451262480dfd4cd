//! The few ways in which a call to a pool or a cloud fails that somebody decides on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a call failed, in the kinds that lead to different actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The project's quota is used up.
    Quota,
    /// No host of the cloud has room.
    NoValidHost,
    /// What was named does not exist (any more).
    NotFound,
    /// It is in a state that does not allow the call: a busy slot asked to drain, a server being deleted.
    Conflict,
    /// Not logged in, or not allowed.
    Auth,
    /// It may work later: time-out, connection lost, 429, 5xx. The call may have been carried out.
    Transient {
        /// How long the other side asked us to wait.
        retry_after: Option<Duration>,
    },
    /// It will not work however often it is tried: 400, an answer that is not understood.
    Rejected,
}

/// A failed call: what kind of failure, and what to tell the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What can be decided on.
    pub kind: FailureKind,
    /// What happened, in words, without secrets; ends with the request id where the cloud gave one.
    pub message: String,
}

impl Failure {
    /// Makes a failure of a kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Makes one that may pass by itself.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Transient { retry_after: None }, message)
    }

    /// Makes one that will not pass by itself.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Rejected, message)
    }

    /// Puts a few words in front of the message.
    #[must_use]
    pub fn context(mut self, words: impl fmt::Display) -> Self {
        self.message = format!("{words}: {}", self.message);
        self
    }

    /// Tells whether the call may have been carried out in spite of the failure.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        matches!(self.kind, FailureKind::Transient { .. })
    }
}
