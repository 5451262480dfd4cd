//! Holds one login: the token, the services' addresses, and the microversion agreed on with Nova.
//!
//! Deliberately immutable: when the token is refused or ages, all of it is made anew.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use ::openstack::EndpointFilters;
use ::openstack::session::{ServiceType, Session};
use ehos_model::{CloudAccess, Failure};
use reqwest::{Client, Url, redirect};
use tokio::sync::OnceCell;

use super::keystone::{self, Token};

/// The longest a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(10);

/// The Nova microversion we speak, 2.61 (Rocky, 2018): flavors come with their extra specs, networks may be `auto`.
const MICROVERSION: (u16, u16) = (2, 61);

/// A service of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Compute,
    Image,
    Network,
    Volume,
}

/// What catalogues call Cinder, the official word first.
const VOLUME_TYPES: [&str; 4] = ["block-storage", "volumev3", "block-store", "volume"];

impl ServiceType for Service {
    fn catalog_type(&self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => VOLUME_TYPES[0],
        }
    }

    /// Only Nova has versions that we choose from; the others have had one address for ten years.
    fn version_discovery_supported(&self) -> bool {
        *self == Self::Compute
    }
}

/// A login and what hangs on it.
pub(super) struct Connection {
    pub(super) token: Arc<Token>,
    session: Session,
    microversion: OnceCell<Option<String>>,
}

impl Connection {
    /// Logs in; asks nothing else.
    ///
    /// # Errors
    /// As [`Token::log_in`].
    pub(super) async fn open(client: &Client, access: &CloudAccess) -> Result<Self, Failure> {
        let token = Arc::new(Token::log_in(client, access).await?);
        let mut filters = EndpointFilters::default();
        filters.interfaces = keystone::interface(access.interface).into();
        filters.region.clone_from(&access.region);
        let session = Session::new_with_client(client.clone(), keystone::Shared(Arc::clone(&token)))
            .await
            .map_err(|error| keystone::session_failure(&error))?
            .with_endpoint_filters(filters);
        Ok(Self { token, session, microversion: OnceCell::new() })
    }

    /// Gives a service's address with its version.
    ///
    /// The catalogue's word is taken where it names a version: what a service calls itself is often wrong behind
    /// a proxy.
    pub(super) async fn base(&self, service: Service, access: &CloudAccess) -> Result<Url, Failure> {
        let interface = keystone::interface(access.interface).to_string();
        if service == Service::Volume {
            return self.volumes(&interface, access);
        }
        let mut url = self.token.endpoint(service.catalog_type(), &interface, access.region.as_deref())?;
        let versioned = url.path().split('/').any(|part| part.starts_with("v2"));
        match service {
            _ if versioned => return Ok(url),
            Service::Compute => {
                let none: [&str; 0] = [];
                let found = self.session.get_endpoint(service, none).await;
                return found.map_err(|error| keystone::session_failure(&error));
            }
            Service::Image => url.path_segments_mut().map(|mut path| _ = path.pop_if_empty().push("v2")),
            Service::Network | Service::Volume => {
                url.path_segments_mut().map(|mut path| _ = path.pop_if_empty().push("v2.0"))
            }
        }
        .map_err(|()| Failure::rejected(format!("the catalogue's address {url} cannot be used")))?;
        Ok(url)
    }

    /// Tells whether the catalogue has Cinder, in a version that is spoken today.
    pub(super) fn has_volumes(&self, access: &CloudAccess) -> bool {
        self.volumes(&keystone::interface(access.interface).to_string(), access).is_ok()
    }

    /// Finds Cinder's third version by any of its names: the old ones may lead to versions long gone.
    fn volumes(&self, interface: &str, access: &CloudAccess) -> Result<Url, Failure> {
        let mut refused = None;
        for kind in VOLUME_TYPES.into_iter().filter(|kind| self.token.has(kind)) {
            let mut url = match self.token.endpoint(kind, interface, access.region.as_deref()) {
                Ok(url) => url,
                Err(failure) => {
                    refused = refused.or(Some(failure));
                    continue;
                }
            };
            let version = url.path_segments().and_then(|mut parts| parts.find_map(version));
            match (version, self.token.project()) {
                (Some(3), _) => return Ok(url),
                (None, Some(project)) => {
                    if let Ok(mut path) = url.path_segments_mut() {
                        path.pop_if_empty().extend(["v3", project]);
                    }
                    return Ok(url);
                }
                _ => (),
            }
        }
        Err(refused.unwrap_or_else(|| {
            let names = VOLUME_TYPES.join(", ");
            Failure::rejected(format!("the cloud has no volumes: its catalogue has no Cinder v3 ({names})"))
        }))
    }

    /// Agrees with Nova on a microversion, once a login; `None` where it has none.
    pub(super) async fn microversion(&self) -> Result<Option<&str>, Failure> {
        let ask = async || {
            let range = self.session.get_api_versions(Service::Compute).await;
            let range =
                range.map_err(|error| keystone::session_failure(&error).context("Nova's versions"))?;
            Ok(range.map(|(_, newest)| {
                let (major, minor) = MICROVERSION.min((newest.0, newest.1));
                format!("{major}.{minor}")
            }))
        };
        self.microversion.get_or_try_init(ask).await.map(Option::as_deref)
    }
}

/// Reads the version in a segment of an address, `v3` for example.
fn version(segment: &str) -> Option<u32> {
    segment.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Makes the HTTP client of a cloud.
///
/// # Errors
/// `Rejected` where the CA file cannot be used.
pub(super) fn client(access: &CloudAccess) -> Result<Client, Failure> {
    // Elsewhere than to the same host a token must not follow, and a POST that follows becomes a GET.
    let same_host = redirect::Policy::custom(|attempt| match attempt.previous().last() {
        Some(from) if from.origin() == attempt.url().origin() && attempt.previous().len() < 4 => {
            attempt.follow()
        }
        _ => attempt.stop(),
    });
    let mut builder = Client::builder()
        .connect_timeout(CONNECT.min(access.timeout))
        .redirect(same_host)
        .user_agent(concat!("ehos/", env!("CARGO_PKG_VERSION")))
        .danger_accept_invalid_certs(access.insecure);
    if let Some(path) = &access.cacert {
        let unusable = |why: &dyn Display| Failure::rejected(format!("cacert {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
        if certificates.is_empty() {
            return Err(unusable(&"holds no certificate in PEM form"));
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| Failure::rejected(format!("the HTTP client cannot be made: {error}")))
}
