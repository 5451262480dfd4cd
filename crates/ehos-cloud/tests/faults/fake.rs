//! A fake OpenStack over HTTP that misbehaves on request.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use ehos_cloud::OpenStackCloud;
use ehos_model::{CloudAccess, Domain, Interface, Login, ServerSettings};
use futures_core::Stream;
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "pa55-never-seen";
pub(crate) const TOKEN: &str = "t0ken-never-seen";
pub(crate) const POOL: &str = "pool-1";

/// What is answered in place of the usual.
#[derive(Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    /// With one more header.
    With(u16, &'static str, &'static str, Value),
    Text(u16, &'static str),
    /// Never.
    Hang,
    /// The connection ends in the middle of the body.
    Cut,
}

struct Rule {
    call: &'static str,
    reply: Reply,
    times: usize,
}

/// A call as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) call: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    /// Makes tokens; those below `valid_from` are refused.
    tokens: AtomicUsize,
    valid_from: AtomicUsize,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
    pub(crate) catalogue: Mutex<Option<Value>>,
    pub(crate) token_life: Mutex<&'static str>,
}

impl Fake {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            rules: Mutex::default(),
            seen: Mutex::default(),
            tokens: AtomicUsize::new(0),
            valid_from: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            catalogue: Mutex::default(),
            token_life: Mutex::new("2026-01-01T01:00:00.000000Z"),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    /// Answers the next `times` calls of a kind, `GET /limits` for example, in another way.
    pub(crate) fn on(&self, call: &'static str, times: usize, reply: Reply) {
        self.rules.lock().unwrap().push(Rule { call, reply, times });
    }

    /// Makes every token that was given so far worthless.
    pub(crate) fn revoke(&self) {
        self.valid_from.store(self.tokens.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(crate) fn seen(&self, call: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.call == call).cloned().collect()
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.seen(call).len()
    }

    pub(crate) fn logins(&self) -> usize {
        self.count("POST /v3/auth/tokens")
    }

    pub(crate) fn access(&self) -> CloudAccess {
        CloudAccess {
            auth_url: format!("http://{}", self.address),
            login: Login::Password {
                username: "u".into(),
                password: PASSWORD.into(),
                project_name: "p".into(),
                project_domain: Domain::Name("Default".into()),
                user_domain: Domain::Id("default".into()),
            },
            region: None,
            interface: Interface::Public,
            cacert: None,
            insecure: false,
            timeout: Duration::from_secs(20),
        }
    }

    pub(crate) fn cloud(&self) -> OpenStackCloud {
        cloud_with(self.access(), settings())
    }

    fn rule(&self, call: &str) -> Option<Reply> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.call == call && rule.times > 0)?;
        rule.times -= 1;
        Some(rule.reply.clone())
    }

    fn usual(&self, call: &str) -> Reply {
        let nova = format!("http://{}/nova/v2.1", self.address);
        let ok = |body| Reply::Json(200, body);
        match call {
            "POST /v3/auth/tokens" => self.token(),
            "GET /nova/v2.1" | "GET /nova/v2.1/" => ok(json!({"version": {"id": "v2.1", "status": "CURRENT",
                "version": "2.90", "min_version": "2.1", "links": [{"rel": "self", "href": nova}]}})),
            "GET /nova/v2.1/flavors/detail" => ok(json!({"flavors": [
                {"id": "1", "name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20, "extra_specs": {}},
                {"id": "2", "name": "g1.large", "vcpus": 8, "ram": 16384, "disk": 80,
                 "extra_specs": {"pci_passthrough:alias": "a100:2"}},
                {"id": "3", "name": null, "vcpus": null, "extra_specs": null},
            ]})),
            "GET /nova/v2.1/os-keypairs" => ok(json!({"keypairs": [{"keypair": {"name": "key"}}]})),
            "GET /nova/v2.1/limits" => ok(json!({"limits": {"absolute": {"maxTotalInstances": 10,
                "totalInstancesUsed": 1, "maxTotalCores": -1, "totalCoresUsed": 1, "maxTotalRAMSize": 9000,
                "totalRAMUsed": 2048}}})),
            "GET /nova/v2.1/servers/detail" => ok(json!({"servers": []})),
            "POST /nova/v2.1/servers" => {
                Reply::Json(202, json!({"server": {"id": "new", "adminPass": PASSWORD}}))
            }
            "GET /glance/v2/images" => ok(json!({"images": [
                {"id": "old", "name": "img", "status": "deactivated"}, {"id": "img-1", "name": "img", "status": "active"}]})),
            "GET /neutron/v2.0/networks" => {
                ok(json!({"networks": [{"id": "net-1", "name": "net"}, {"id": "x", "name": null}]}))
            }
            "GET /neutron/v2.0/security-groups" => {
                ok(json!({"security_groups": [{"id": "sg-1", "name": "sg"}]}))
            }
            "DELETE /nova/v2.1/servers/s" => Reply::Text(204, ""),
            _ => Reply::Json(404, json!({"itemNotFound": {"message": "nothing here", "code": 404}})),
        }
    }

    fn token(&self) -> Reply {
        let endpoints = |path: &str| {
            json!([
                {"interface": "admin", "region": "R", "url": "http://127.0.0.1:9/admin"},
                {"interface": "public", "region": "R", "region_id": "R", "url": format!("http://{}/{path}", self.address)},
                {"interface": "internal", "region": null, "url": format!("http://{}/{path}", self.address)},
            ])
        };
        let catalogue = self.catalogue.lock().unwrap().clone().unwrap_or_else(|| {
            json!([
                {"type": "compute", "endpoints": endpoints("nova/v2.1")},
                {"type": "image", "endpoints": endpoints("glance")},
                {"type": "network", "endpoints": endpoints("neutron/")},
            ])
        });
        self.tokens.fetch_add(1, Ordering::SeqCst);
        Reply::Json(
            201,
            json!({"token": {"issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": *self.token_life.lock().unwrap(), "project": {"id": "pid"}, "catalog": catalogue}}),
        )
    }

    fn is_valid(&self, headers: &HeaderMap) -> bool {
        let token = headers.get("x-auth-token").and_then(|value| value.to_str().ok());
        let number = token.and_then(|token| token.strip_prefix(TOKEN)?.parse::<usize>().ok());
        number.is_some_and(|number| number > self.valid_from.load(Ordering::SeqCst))
    }
}

/// Makes a cloud of pool `POOL`.
pub(crate) fn cloud_with(access: CloudAccess, settings: ServerSettings) -> OpenStackCloud {
    OpenStackCloud::new("fake".into(), POOL.into(), access, settings).unwrap()
}

pub(crate) fn settings() -> ServerSettings {
    ServerSettings {
        image: Some("img".into()),
        flavors: vec!["g1.large".into(), "m1.small".into()],
        networks: vec!["net".into()],
        key: Some("key".into()),
        security_groups: vec!["sg".into()],
        ..ServerSettings::default()
    }
}

async fn answer(State(fake): State<Arc<Fake>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let call = format!("{} {}", head.method, head.uri.path());
    fake.seen.lock().unwrap().push(Seen {
        call: call.clone(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let now = fake.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
    fake.most_in_flight.fetch_max(now, Ordering::SeqCst);
    // Lets calls pile up: without it each would be done before the next is read.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let login = call == "POST /v3/auth/tokens";
    let reply = match fake.rule(&call) {
        Some(reply) => reply,
        None if !login && !fake.is_valid(&head.headers) => Reply::Json(
            401,
            json!({"error": {"message": "The request you have made requires authentication."}}),
        ),
        None => fake.usual(&call),
    };
    let mut builder = Response::builder().header("x-openstack-request-id", "req-fake");
    if login {
        builder = builder.header("x-subject-token", format!("{TOKEN}{}", fake.tokens.load(Ordering::SeqCst)));
    }
    let response = match reply {
        Reply::Json(status, body) => builder.status(status).body(Body::from(body.to_string())),
        Reply::With(status, name, value, body) => {
            builder.status(status).header(name, value).body(Body::from(body.to_string()))
        }
        Reply::Text(status, text) => builder.status(status).body(Body::from(text)),
        Reply::Hang => std::future::pending().await,
        Reply::Cut => {
            builder.status(200).header("content-length", "500").body(Body::from_stream(Broken { polls: 0 }))
        }
    };
    fake.in_flight.fetch_sub(1, Ordering::SeqCst);
    response.unwrap()
}

/// A body that breaks off, once its beginning is on its way.
struct Broken {
    polls: u32,
}

impl Stream for Broken {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.polls += 1;
        match self.polls {
            1 => Poll::Ready(Some(Ok(r#"{"servers": [{"id": "#))),
            // The server writes out what it has when it must wait for more.
            2 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(std::io::Error::other("cut")))),
        }
    }
}
