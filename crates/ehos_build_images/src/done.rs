//! What came of an image that was wanted.
//!
//! Deliberately says nothing of failures: those are a [`ehos_boot::Trouble`].

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
