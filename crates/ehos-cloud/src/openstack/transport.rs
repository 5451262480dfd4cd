//! Carries one call to a service: token, address, microversion, time limit, and a line in the log.
//!
//! Deliberately repeats a call only after a 401, which says that nothing was done.

use std::sync::Arc;
use std::time::Instant;

use ::openstack::EndpointFilters;
use ::openstack::session::{ServiceType, Session};
use ehos_model::{CloudAccess, CloudName, Failure};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::answer::{self, Answer};
use super::keystone::{self, Token};

/// The most calls in flight to one cloud.
const CALLS: usize = 20;

/// The longest a connection may take to come up.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(10);

/// The Nova microversion we speak, 2.61 (Queens, 2018): flavors come with their extra specs, networks may be `auto`.
const MICROVERSION: (u16, u16) = (2, 61);

/// A service of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Compute,
    Image,
    Network,
}

impl ServiceType for Service {
    fn catalog_type(&self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
        }
    }

    /// Only Nova has versions that we choose from; the others have had one address for ten years.
    fn version_discovery_supported(&self) -> bool {
        *self == Self::Compute
    }
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) service: Service,
    /// Below the service's version, in segments.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
}

impl<'a> Call<'a> {
    pub(super) const fn get(service: Service, path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, service, path, query: &[], body: None }
    }

    fn describe(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }
}

/// A login and what hangs on it.
struct Connection {
    token: Arc<Token>,
    session: Session,
    microversion: OnceCell<Option<String>>,
}

#[derive(Default)]
struct Slot {
    current: Option<Arc<Connection>>,
    failed: Option<(Instant, Failure)>,
}

/// The way to one cloud.
pub(super) struct Transport {
    cloud: CloudName,
    access: CloudAccess,
    client: Client,
    slot: Mutex<Slot>,
    calls: Semaphore,
}

impl Transport {
    /// Prepares; connects to nothing.
    ///
    /// # Errors
    /// `Rejected` where the CA file cannot be used.
    pub(super) fn new(cloud: CloudName, access: CloudAccess) -> Result<Self, Failure> {
        let client = client(&access).map_err(|failure| failure.context(&cloud))?;
        Ok(Self { cloud, access, client, slot: Mutex::default(), calls: Semaphore::new(CALLS) })
    }

    /// Gives Keystone's address as configured.
    pub(super) fn auth_url(&self) -> &str {
        &self.access.auth_url
    }

    /// Logs in, if that is not done already.
    ///
    /// # Errors
    /// `Auth`, `Transient`, `Rejected`.
    pub(super) async fn log_in(&self) -> Result<Arc<Token>, Failure> {
        let connection =
            self.limited(Box::pin(self.connected(None))).await.map_err(|failure| failure.context("login"))?;
        Ok(Arc::clone(&connection.token))
    }

    /// Sends a call and gives its answer, which is a success.
    ///
    /// # Errors
    /// Every kind; the message names the call.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let _turn = self.calls.acquire().await.map_err(|_| Failure::transient("EHOS is stopping"))?;
        let begun = Instant::now();
        let result = self.limited(Box::pin(self.exchange(call))).await;
        let (what, ms) = (call.describe(), begun.elapsed().as_millis());
        match &result {
            Ok(answer) => {
                log::debug!("{}: {what} {} in {ms} ms", self.cloud, answer.status.as_u16());
                log::trace!("{}: {what} answered {}", self.cloud, answer.masked());
            }
            Err(failure) => log::debug!("{}: {what} failed in {ms} ms: {failure}", self.cloud),
        }
        result.map_err(|failure| failure.context(what))
    }

    /// Reads a list to its last page.
    ///
    /// # Errors
    /// As [`Self::send`]; never a part of the list.
    pub(super) async fn list(
        &self,
        service: Service,
        path: &[&str],
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            if let Some(marker) = &marker {
                query.push(("marker", marker));
            }
            let answer = self.send(&Call { query: &query, ..Call::get(service, path) }).await?;
            let named = |failure: Failure| failure.context(format!("GET /{}", path.join("/")));
            let mut page: Value = answer.json().map_err(named)?;
            let Some(Value::Array(found)) = page.get_mut(key).map(Value::take) else {
                return Err(named(Failure::rejected(format!(
                    "the answer is not understood: it has no list '{key}'"
                ))));
            };
            let last = found.is_empty();
            items.extend(found);
            match next_marker(&page, key) {
                Some(next) if !last && Some(&next) != marker.as_ref() => marker = Some(next),
                Some(next) if Some(&next) == marker.as_ref() => {
                    return Err(named(Failure::rejected("the list does not end: its pages repeat")));
                }
                _ => return Ok(items),
            }
        }
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.access.timeout, work).await.unwrap_or_else(|_| {
            Err(Failure::transient(format!("no answer within {:?}", self.access.timeout)))
        })
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let connection = self.connected(None).await.map_err(|failure| failure.context("login"))?;
        let mut answer = self.attempt(&connection, call).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let renewed =
                self.connected(Some(&connection)).await.map_err(|failure| failure.context("login"))?;
            answer = self.attempt(&renewed, call).await?;
        }
        answer.failure().map_or(Ok(answer), Err)
    }

    async fn attempt(&self, connection: &Connection, call: &Call<'_>) -> Result<Answer, Failure> {
        let url = self.address(connection, call).await?;
        let mut request = self.client.request(call.method.clone(), url).query(call.query);
        request = request.header("x-auth-token", connection.token.header().clone());
        if call.service == Service::Compute
            && let Some(version) = connection.microversion().await?
        {
            request = request.header("openstack-api-version", format!("compute {version}"));
        }
        if let Some(body) = call.body {
            log::trace!("{}: {} with {}", self.cloud, call.describe(), answer::masked(body));
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| answer::unreachable(&error))?;
        Answer::read(response).await
    }

    async fn address(&self, connection: &Connection, call: &Call<'_>) -> Result<Url, Failure> {
        let mut url = connection.base(call.service, &self.access).await?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(call.path);
        }
        Ok(url)
    }

    /// Gives the login in use; makes one if there is none, if it ages, or if it is the `stale` one.
    ///
    /// Whoever waits here while another logs in gets what that login gave, be it a failure.
    async fn connected(&self, stale: Option<&Arc<Connection>>) -> Result<Arc<Connection>, Failure> {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        if let Some(current) = &slot.current
            && current.token.is_fresh()
            && stale.is_none_or(|stale| !Arc::ptr_eq(stale, current))
        {
            return Ok(Arc::clone(current));
        }
        if let Some((at, failure)) = &slot.failed
            && *at >= asked
        {
            return Err(failure.clone());
        }
        match Connection::open(&self.client, &self.access).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                slot.current = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(failure) => {
                slot.current = None;
                slot.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }
}

impl Connection {
    async fn open(client: &Client, access: &CloudAccess) -> Result<Self, Failure> {
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
    async fn base(&self, service: Service, access: &CloudAccess) -> Result<Url, Failure> {
        let interface = keystone::interface(access.interface).to_string();
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
            Service::Network => url.path_segments_mut().map(|mut path| _ = path.pop_if_empty().push("v2.0")),
        }
        .map_err(|()| Failure::rejected(format!("the catalogue's address {url} cannot be used")))?;
        Ok(url)
    }

    /// Agrees with Nova on a microversion, once a login; `None` where it has none.
    async fn microversion(&self) -> Result<Option<&str>, Failure> {
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

/// Makes the HTTP client of a cloud.
fn client(access: &CloudAccess) -> Result<Client, Failure> {
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
        let unusable =
            |why: &dyn std::fmt::Display| Failure::rejected(format!("cacert {}: {why}", path.display()));
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

/// Finds the marker in a page's link to the next one (*Nova, Neutron `KEY_links`; Glance `next`*).
fn next_marker(page: &Value, key: &str) -> Option<String> {
    let links = page.get(format!("{key}_links")).and_then(Value::as_array);
    let next = links.and_then(|links| links.iter().find(|link| link["rel"] == "next"));
    let href = next.map_or(&page["next"], |link| &link["href"]).as_str()?;
    let base = Url::parse("http://cloud/").ok()?;
    let link = base.join(href).ok()?;
    link.query_pairs().find(|(name, _)| name == "marker").map(|(_, marker)| marker.into_owned())
}
