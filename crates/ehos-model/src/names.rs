//! Names that are not interchangeable, although each of them is a string.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name that is known to be of this kind.
            #[must_use]
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// Gives the bare name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The HTCondor pool that EHOS serves; everything bought carries it in its metadata.
    PoolId
}
name! {
    /// A cloud as the operator named it in the configuration (one project in one region).
    CloudName
}
name! {
    /// A flavor by its name in the cloud, `m1.medium` for example.
    FlavorName
}
name! {
    /// A node by the id EHOS gave it before its server was created; also the server's name.
    ///
    /// Lower case letters, digits and hyphens, at most 63 characters, so that it serves as a host name.
    NodeId
}
name! {
    /// A server by the UUID its cloud gave it.
    ServerId
}
name! {
    /// An image by the UUID its cloud gave it.
    ImageId
}
name! {
    /// The host name of a startd, as HTCondor's tools take it (*startd ad `Machine`*).
    Machine
}
