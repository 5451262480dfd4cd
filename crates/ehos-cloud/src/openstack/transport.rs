//! Carries one call to a service: token, address, microversion, time limit, and a line in the log.
//!
//! Deliberately repeats a call only after a 401, which says that nothing was done.

use std::sync::Arc;
use std::time::Instant;

use ehos_model::{CloudAccess, CloudName, Failure};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::connection::{Connection, client};
use super::keystone::{self, Token};

pub(super) use super::connection::Service;

/// The most calls in flight to one cloud.
const CALLS: usize = 20;

/// What Glance calls a JSON patch; it is the only service that is sent any.
const GLANCE_PATCH: &str = "application/openstack-images-v2.1-json-patch";

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

    /// Takes an echo of user-data out of a message: Nova quotes values that it does not like, perhaps cut short.
    fn hide_echo(&self, mut failure: Failure) -> Failure {
        if let Some(secret) = self.body.and_then(|body| body["server"]["user_data"].as_str()) {
            let start: String = secret.chars().take(16).collect();
            let hide = |word| if str::contains(word, &start) { "(user-data)" } else { word };
            failure.message = failure.message.split(' ').map(hide).collect::<Vec<_>>().join(" ");
        }
        failure
    }
}

/// The login in use, and the last one that failed.
#[derive(Default)]
struct Logins {
    current: Option<Arc<Connection>>,
    failed: Option<(Instant, Failure)>,
}

/// The way to one cloud.
pub(super) struct Transport {
    cloud: CloudName,
    access: CloudAccess,
    client: Client,
    logins: Mutex<Logins>,
    calls: Semaphore,
}

impl Transport {
    /// Prepares; connects to nothing.
    ///
    /// # Errors
    /// `Rejected` where the CA file cannot be used.
    pub(super) fn new(cloud: CloudName, access: CloudAccess) -> Result<Self, Failure> {
        let client = client(&access).map_err(|failure| failure.context(&cloud))?;
        Ok(Self { cloud, access, client, logins: Mutex::default(), calls: Semaphore::new(CALLS) })
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
        let connection = self.connected(None).await?;
        Ok(Arc::clone(&connection.token))
    }

    /// Tells whether the cloud has volumes.
    ///
    /// # Errors
    /// As [`Self::log_in`].
    pub(super) async fn has_volumes(&self) -> Result<bool, Failure> {
        Ok(self.connected(None).await?.has_volumes(&self.access))
    }

    /// Sends a call and gives its answer, which is a success.
    ///
    /// # Errors
    /// Every kind; the message names the call, or the login, whose failure is the same for all calls.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let _turn = self.calls.acquire().await.map_err(|_| Failure::transient("EHOS is stopping"))?;
        let begun = Instant::now();
        let result = Box::pin(self.exchange(call)).await;
        let (what, ms) = (call.describe(), begun.elapsed().as_millis());
        match &result {
            Ok(answer) => {
                log::debug!("{}: {what} {} in {ms} ms", self.cloud, answer.status.as_u16());
                log::trace!("{}: {what} answered {}", self.cloud, answer.masked());
            }
            Err(failure) => log::debug!("{}: failed in {ms} ms: {failure}", self.cloud),
        }
        result
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

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let named = |failure| call.hide_echo(failure).context(call.describe());
        let connection = self.connected(None).await?;
        let mut answer = self.limited(&connection, call).await.map_err(named)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let renewed = self.connected(Some(&connection)).await?;
            answer = self.limited(&renewed, call).await.map_err(named)?;
        }
        answer.failure().map_or(Ok(answer), |failure| Err(named(failure)))
    }

    /// Sends a call once, within the time limit; a login has a limit of its own.
    async fn limited(&self, connection: &Connection, call: &Call<'_>) -> Result<Answer, Failure> {
        let limit = self.access.timeout;
        timeout(limit, self.attempt(connection, call))
            .await
            .unwrap_or_else(|_| Err(Failure::transient(format!("no answer within {limit:?}"))))
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
            if call.method == Method::PATCH {
                request = request.header(CONTENT_TYPE, GLANCE_PATCH);
            }
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
        let mut logins = self.logins.lock().await;
        if let Some(current) = &logins.current
            && current.token.is_fresh()
            && stale.is_none_or(|stale| !Arc::ptr_eq(stale, current))
        {
            return Ok(Arc::clone(current));
        }
        if let Some((at, failure)) = &logins.failed
            && *at >= asked
        {
            return Err(failure.clone());
        }
        let opened = timeout(self.access.timeout, Connection::open(&self.client, &self.access)).await;
        match opened.unwrap_or_else(|_| Err(keystone::silent(&self.access))) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                logins.current = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(failure) => {
                logins.current = None;
                logins.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }
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
