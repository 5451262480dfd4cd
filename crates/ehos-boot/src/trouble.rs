//! Why something that was wanted of a cloud did not come about.
//!
//! Deliberately words and nothing to decide on.

use ehos_model::Failure;

/// Why it did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened and what to do, in words for the operator.
    pub why: String,
    /// The last lines of the console that show it.
    pub console: Option<String>,
    /// Whether somebody wanted the end.
    pub interrupted: bool,
}

impl Trouble {
    /// Puts it in words.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), console: None, interrupted: false }
    }

    /// Says that somebody wanted the end.
    #[must_use]
    pub fn interrupted() -> Self {
        Self { interrupted: true, ..Self::new("interrupted") }
    }

    /// Adds what a console says.
    #[must_use]
    pub fn with_console(self, console: &str) -> Self {
        let tail = ehos_cloudinit::tail(console, TAIL);
        Self { console: (!tail.is_empty()).then_some(tail), ..self }
    }

    /// Says during what a call failed.
    #[must_use]
    pub fn during(what: &str, failure: Failure) -> Self {
        Self::new(failure.context(what).message)
    }
}

/// How many lines of a console are shown.
const TAIL: usize = 15;
