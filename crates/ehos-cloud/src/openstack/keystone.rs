//! Logs in to Keystone and finds the services' addresses in the token's catalogue.
//!
//! Deliberately never renews a token in place: a new login gives a new [`Token`], and with it fresh addresses.
//! The `openstack` crate's own password login is not used, since it knows no domain ids, keeps a revoked token
//! alive, hides why a connection failed and prints the password in its `Debug`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::openstack::auth::AuthType;
use ::openstack::{EndpointFilters, Error, ErrorKind, InterfaceType};
use async_trait::async_trait;
use ehos_model::{CloudAccess, Domain, Failure, FailureKind, Interface, Login, Timestamp};
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, Answer};

/// A token is renewed this long before its end, or when two thirds of a short life are over.
const RENEW_AHEAD: Duration = Duration::from_mins(10);

/// What a login gave: a token, whose it is, and where the services are.
pub(super) struct Token {
    header: HeaderValue,
    project: Option<String>,
    renew_at: Instant,
    catalogue: Vec<Service>,
}

/// The answer's body (*Keystone `POST /v3/auth/tokens`, `token`*).
#[derive(Deserialize)]
struct Body {
    token: BodyToken,
}

#[derive(Deserialize)]
struct BodyToken {
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    project: Option<Project>,
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    interface: String,
    #[serde(alias = "region_id")]
    region_name: Option<String>,
    region: Option<String>,
    url: String,
}

impl Endpoint {
    fn region(&self) -> Option<&str> {
        self.region.as_deref().or(self.region_name.as_deref())
    }
}

impl Token {
    /// Logs in.
    ///
    /// # Errors
    /// `Auth` where Keystone refuses, `Transient` where it cannot be reached, `Rejected` where what answers is no
    /// Keystone v3.
    pub(super) async fn log_in(client: &Client, access: &CloudAccess) -> Result<Self, Failure> {
        let begun = Instant::now();
        let request = client.post(address(&access.auth_url)).json(&request_body(&access.login));
        let response = request.send().await.map_err(|error| unreachable(access, &error))?;
        let header = response.headers().get("x-subject-token").cloned();
        let answer = Answer::read(response).await.map_err(named)?;
        log::debug!(
            "POST {} {} in {} ms",
            address(&access.auth_url),
            answer.status,
            begun.elapsed().as_millis()
        );
        if let Some(failure) = answer.failure() {
            return Err(named(explained(access, answer.status, failure)));
        }
        let Body { token } = answer.json().map_err(named)?;
        let mut header = header
            .ok_or_else(|| named(Failure::rejected("the answer has no x-subject-token: no Keystone v3?")))?;
        header.set_sensitive(true);
        // The cloud's clock may differ from ours, so only the length of the token's life is taken from it.
        let life = match (token.issued_at, token.expires_at) {
            (Some(from), Some(to)) => Duration::try_from(to.duration_since(from)).unwrap_or_default(),
            _ => RENEW_AHEAD * 2,
        };
        let renew_at = begun + life.saturating_sub(RENEW_AHEAD.min(life / 3));
        let project = token.project.map(|project| project.id);
        Ok(Self { header, project, renew_at, catalogue: token.catalog })
    }

    /// Tells whether it is good for one more call, as far as can be known without asking.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }

    /// Gives the value of `X-Auth-Token`, marked as sensitive.
    pub(super) const fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Gives the id of the project that the token is for.
    pub(super) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Tells whether the catalogue has a service of this type.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.catalogue.iter().any(|service| service.kind == kind && !service.endpoints.is_empty())
    }

    /// Finds a service's address in the catalogue.
    ///
    /// # Errors
    /// `Rejected`, saying what the catalogue has instead.
    pub(super) fn endpoint(&self, kind: &str, interface: &str, region: Option<&str>) -> Result<Url, Failure> {
        let all = || self.catalogue.iter().filter(|service| service.kind == kind).flat_map(|s| &s.endpoints);
        let mut fitting = all()
            .filter(|endpoint| endpoint.interface.trim_end_matches("URL") == interface)
            .filter(|endpoint| region.is_none() || endpoint.region() == region);
        let Some(endpoint) = fitting.next() else {
            let mut has: Vec<_> =
                all().map(|e| format!("{} in {}", e.interface, e.region().unwrap_or("no region"))).collect();
            has.dedup();
            let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
            let wanted = region.map_or_else(String::new, |region| format!(" in region '{region}'"));
            return Err(Failure::rejected(format!(
                "the catalogue has no {interface} address of the {kind} service{wanted}; it has {has}"
            )));
        };
        if let Some(other) = fitting.find(|other| other.region() != endpoint.region()) {
            return Err(Failure::rejected(format!(
                "the catalogue has several regions ({}, {}, ...): say which as region_name",
                endpoint.region().unwrap_or("none"),
                other.region().unwrap_or("none")
            )));
        }
        Url::parse(&endpoint.url).map_err(|error| {
            Failure::rejected(format!("the catalogue's address of the {kind} service: {error}"))
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("project", &self.project).finish_non_exhaustive()
    }
}

/// Plugs a token into the `openstack` crate's session.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<Token>);

#[async_trait]
impl AuthType for Shared {
    async fn authenticate(&self, _: &Client, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        Ok(request.header("x-auth-token", self.0.header.clone()))
    }

    async fn get_endpoint(&self, _: &Client, kind: &str, filters: &EndpointFilters) -> Result<Url, Error> {
        let interface = filters.interfaces.first().copied().unwrap_or_default().to_string();
        self.0
            .endpoint(kind, &interface, filters.region.as_deref())
            .map_err(|failure| Error::new(ErrorKind::EndpointNotFound, failure.message))
    }

    async fn refresh(&self, _: &Client) -> Result<(), Error> {
        Ok(())
    }
}

/// Says that a failure is the login's, whichever call wanted it.
fn named(failure: Failure) -> Failure {
    failure.context("login")
}

/// Says which address gave no answer, in the words of the configuration.
fn unreachable(access: &CloudAccess, error: &reqwest::Error) -> Failure {
    if !error.is_connect() {
        return named(answer::unreachable(error));
    }
    Failure::transient(format!("cannot reach {} (auth_url): {}", access.auth_url, answer::root_cause(error)))
}

/// Says what no answer within the time limit means.
pub(super) fn silent(access: &CloudAccess) -> Failure {
    Failure::transient(format!(
        "cannot reach {} (auth_url): no answer within {:?}",
        access.auth_url, access.timeout
    ))
}

/// Adds to Keystone's words which lines of the configuration they are about.
fn explained(access: &CloudAccess, status: StatusCode, failure: Failure) -> Failure {
    match (status, &access.login) {
        (StatusCode::UNAUTHORIZED, Login::Password { .. }) => {
            failure.context("username, password, project or domain are refused")
        }
        (StatusCode::UNAUTHORIZED, Login::ApplicationCredential { .. }) => {
            failure.context("the application credential is refused")
        }
        (StatusCode::NOT_FOUND, _) => {
            let hint = format!("; is {} (auth_url) Keystone's address, ending in /v3?", access.auth_url);
            // Not `NotFound`: the server that a call is about has not been asked for.
            Failure::rejected(failure.message + &hint)
        }
        _ => failure,
    }
}

/// Gives the address to log in at, whether `auth_url` ends in `/v3` or not.
fn address(auth_url: &str) -> String {
    let base = auth_url.trim_end_matches('/');
    let base = base.strip_suffix("/auth/tokens").unwrap_or(base);
    let version = if base.ends_with("/v3") { "" } else { "/v3" };
    format!("{base}{version}/auth/tokens")
}

fn request_body(login: &Login) -> Value {
    let domain = |domain: &Domain| match domain {
        Domain::Name(name) => json!({"name": name}),
        Domain::Id(id) => json!({"id": id}),
    };
    match login {
        Login::Password { username, password, project_name, project_domain, user_domain } => json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": username, "domain": domain(user_domain), "password": password.expose_secret(),
            }}},
            "scope": {"project": {"name": project_name, "domain": domain(project_domain)}},
        }}),
        // The scope is part of the credential.
        Login::ApplicationCredential { id, secret } => json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": id, "secret": secret.expose_secret()},
        }}}),
    }
}

/// Gives the `openstack` crate's word for an interface.
pub(super) const fn interface(interface: Interface) -> InterfaceType {
    match interface {
        Interface::Public => InterfaceType::Public,
        Interface::Internal => InterfaceType::Internal,
        Interface::Admin => InterfaceType::Admin,
    }
}

/// Translates a failure of the `openstack` crate's session.
pub(super) fn session_failure(error: &Error) -> Failure {
    let kind = match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::AccessDenied => FailureKind::Auth,
        ErrorKind::ProtocolError | ErrorKind::InternalServerError | ErrorKind::OperationTimedOut => {
            FailureKind::Transient { retry_after: None }
        }
        _ => FailureKind::Rejected,
    };
    Failure::new(kind, error.to_string())
}
