//! Why no image came out of a cloud.
//!
//! Deliberately words and nothing to decide on: a failed cloud stops no other.

use ehos_model::Failure;

/// Why an image was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What happened and what to do, in words for the operator.
    pub(crate) why: String,
    /// The last lines of the console that show it.
    pub(crate) console: Option<String>,
    /// Whether somebody wanted the end.
    pub(crate) interrupted: bool,
}

impl Trouble {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), console: None, interrupted: false }
    }

    pub(crate) fn interrupted() -> Self {
        Self { interrupted: true, ..Self::new("interrupted") }
    }

    /// Adds what a console says.
    pub(crate) fn with_console(self, console: &str) -> Self {
        let tail = ehos_cloudinit::tail(console, TAIL);
        Self { console: (!tail.is_empty()).then_some(tail), ..self }
    }

    /// Says during what a call failed.
    pub(crate) fn during(what: &str, failure: Failure) -> Self {
        Self::new(failure.context(what).message)
    }
}

/// How many lines of a console are shown.
const TAIL: usize = 15;

/// What came of an image that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Built, probed and written into the configuration.
    Built {
        /// Its id.
        image: String,
        /// HTCondor's version in it, where it was told.
        htcondor: Option<String>,
    },
    /// A good one was there and stood in the configuration.
    UpToDate {
        /// Its id.
        image: String,
    },
    /// A good one was there and has been written into the configuration.
    Found {
        /// Its id.
        image: String,
    },
    /// With `--dry-run`: what would be done.
    Would(String),
}
