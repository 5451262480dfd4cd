//! How to log in to a cloud, and how servers are made there.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::Mebibytes;

/// A Keystone domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// By name.
    Name(String),
    /// By id.
    Id(String),
}

/// Who logs in.
#[derive(Clone, Debug)]
pub enum Login {
    /// A user with a password, in a project.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretString,
        /// The project's name.
        project_name: String,
        /// The domain of the project.
        project_domain: Domain,
        /// The domain of the user.
        user_domain: Domain,
    },
    /// An application credential.
    ApplicationCredential {
        /// Its id.
        id: String,
        /// Its secret.
        secret: SecretString,
    },
}

/// Which of a service's endpoints is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interface {
    /// The one for everybody.
    #[default]
    Public,
    /// The one inside the data centre.
    Internal,
    /// The administrators' one.
    Admin,
}

/// Where a cloud is and who logs in.
#[derive(Clone, Debug)]
pub struct CloudAccess {
    /// Keystone's address, with or without `/v3`.
    pub auth_url: String,
    /// Who.
    pub login: Login,
    /// Which region of the catalogue; any, if there is only one.
    pub region: Option<String>,
    /// Which endpoints.
    pub interface: Interface,
    /// A CA to trust beside the system's, PEM.
    pub cacert: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// The longest one call may take.
    pub timeout: Duration,
}

/// Whether a node gets a floating IP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FloatingIp {
    /// None: nodes reach the master by themselves.
    #[default]
    None,
    /// One from the only external network.
    Auto,
    /// One from this pool.
    Pool(String),
}

/// How the servers of a cloud are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// The nodes' image, id or name; `None` until images are built.
    pub image: Option<String>,
    /// The flavors to choose from, by name or id, in order.
    pub flavors: Vec<String>,
    /// Networks, by name or id.
    pub networks: Vec<String>,
    /// The keypair.
    pub key: Option<String>,
    /// Security groups, by name or id.
    pub security_groups: Vec<String>,
    /// Floating IP.
    pub floating_ip: FloatingIp,
    /// Size of a scratch volume.
    pub scratch_size: Option<Mebibytes>,
}
