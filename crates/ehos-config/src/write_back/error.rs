//! Why a value was not written back.
//!
//! Deliberately never holds the value.

use std::path::PathBuf;

use crate::{Problem, Problems};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// There is nothing to write into.
    #[error("no configuration file is given")]
    NoFile,
    /// The key is unknown, or takes no text.
    #[error("`{key}` is no key that programs write")]
    Key {
        /// Which.
        key: String,
    },
    /// The key does not take the value, or it would be read as another one.
    #[error("`{key}` cannot be set to the new value: {why}")]
    Value {
        /// Which.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// No file has the cloud; one without a login would be of no use.
    #[error("no file has the cloud `{cloud}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Cloud {
        /// Which.
        cloud: String,
        /// The one that was probably meant.
        near: Option<String>,
    },
    /// A file is not YAML.
    #[error("{0}")]
    Broken(Problems),
    /// The value's place is written in a way in which it cannot be set alone.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// A file cannot be read.
    #[error("{} cannot be read", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something other than a file is there.
    #[error("{} is {what}, so nothing can be written into it", file.display())]
    NotAFile {
        /// Where.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another program is writing.
    #[error("another program has had {} locked for more than 10 s; try again when it has ended", file.display())]
    Locked {
        /// Which.
        file: PathBuf,
    },
    /// Somebody changed it in the meantime.
    #[error("{} was changed by somebody else while this ran; nothing was written, try again", file.display())]
    Changed {
        /// Which.
        file: PathBuf,
    },
    /// This user may not write it.
    #[error("{} is read-only for this user", file.display())]
    ReadOnly {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The new file would belong to somebody else.
    #[error("{} belongs to another user or group, which cannot be kept; run this as root", file.display())]
    Owner {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The new file or the backup cannot be written; the file itself is as it was.
    #[error("{} cannot be written, so {} is left as it was", part.display(), file.display())]
    Write {
        /// What was to be replaced.
        file: PathBuf,
        /// What could not be written.
        part: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
