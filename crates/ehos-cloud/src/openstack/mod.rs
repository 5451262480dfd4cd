//! A cloud that is one project in one region of an OpenStack.
//!
//! Deliberately keeps nothing but a login and the ids of what the configuration names: which servers there are is
//! asked anew each time.

mod answer;
mod connection;
mod images;
mod keystone;
mod lookup;
mod prepare;
mod transport;
mod wire;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use ehos_model::{
    CloudAccess, CloudName, CloudOffer, Failure, FailureKind, FloatingIp, ImageId, PoolId, Server, ServerId,
    ServerSettings,
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use self::lookup::Finding;
use self::lookup::{Findings, FoundFlavor, look_up};
use self::transport::{Call, Service, Transport};
use crate::{Cloud, ServerOrder};

/// How long the ids behind the configured names are taken for true by [`Cloud::offer`].
const IDS_AGE: Duration = Duration::from_mins(10);

/// The most base64 characters of user-data that Nova takes.
const USER_DATA_LIMIT: usize = 65_535;

/// A cloud that is an OpenStack.
pub struct OpenStackCloud {
    name: CloudName,
    pool: PoolId,
    settings: ServerSettings,
    transport: Transport,
    ids: Mutex<Option<Arc<Ids>>>,
    warned: std::sync::Mutex<HashSet<String>>,
}

/// The ids behind the configured names.
struct Ids {
    flavors: Vec<FoundFlavor>,
    image: Result<Option<ImageId>, Failure>,
    networks: Vec<String>,
    security_groups: Vec<String>,
    found: Instant,
}

impl OpenStackCloud {
    /// Describes a cloud; the first call logs in, so that a cloud that is down now may come up later.
    ///
    /// # Errors
    /// `Rejected` where `cacert` cannot be used.
    pub fn new(
        name: CloudName,
        pool: PoolId,
        access: CloudAccess,
        settings: ServerSettings,
    ) -> Result<Self, Failure> {
        let transport = Transport::new(name.clone(), access)?;
        if settings.scratch_size.is_some() {
            log::warn!("{name}: scratch_size is ignored: scratch volumes cannot be made yet");
        }
        if settings.floating_ip != FloatingIp::None {
            log::warn!("{name}: floating_ip is ignored: floating IPs cannot be given out yet");
        }
        Ok(Self {
            name,
            pool,
            settings,
            transport,
            ids: Mutex::default(),
            warned: std::sync::Mutex::default(),
        })
    }

    /// Logs in and looks up each name of the configuration; one row each, the login first.
    ///
    /// Where the login fails, it is the only row.
    pub async fn verify(&self) -> Vec<Finding> {
        let login = self.transport.log_in().await;
        let row = Finding {
            what: "login",
            configured: self.transport.auth_url().to_owned(),
            found: login.map(|token| token.project().map_or_else(String::new, |id| format!("project {id}"))),
        };
        if row.found.is_err() {
            return vec![row];
        }
        let mut rows = vec![row];
        rows.extend(look_up(&self.transport, &self.settings).await.rows);
        rows
    }

    /// Gives the ids, looked up if they are older than `age`.
    async fn ids(&self, age: Duration) -> Result<Arc<Ids>, Failure> {
        let mut ids = self.ids.lock().await;
        if let Some(ids) = ids.as_ref().filter(|ids| ids.found.elapsed() < age) {
            return Ok(Arc::clone(ids));
        }
        let found = Arc::new(self.check(&look_up(&self.transport, &self.settings).await)?);
        *ids = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Decides what can be done without: a flavor, or the image; all else must be there.
    fn check(&self, findings: &Findings) -> Result<Ids, Failure> {
        for flavor in findings.of("flavor") {
            match &flavor.found {
                Err(failure) if failure.kind == FailureKind::NotFound => self.warn_once(failure),
                Err(failure) => return Err(failure.clone()),
                Ok(_) => (),
            }
        }
        let image = match findings.of("image").next().map(|row| &row.found) {
            Some(Ok(id)) => Ok(Some(ImageId::from(id.as_str()))),
            Some(Err(failure)) if failure.kind == FailureKind::NotFound => {
                self.warn_once(failure);
                Err(Failure::rejected(failure.message.clone()))
            }
            Some(Err(failure)) => return Err(failure.clone()),
            None => Ok(None),
        };
        let all = |what| findings.of(what).map(|row| row.found.clone()).collect::<Result<Vec<_>, _>>();
        let needed = |what| {
            all(what).map_err(|failure| match failure.kind {
                FailureKind::NotFound => Failure::rejected(failure.message),
                _ => failure,
            })
        };
        needed("key")?;
        Ok(Ids {
            flavors: findings.flavors.clone(),
            image,
            networks: needed("network")?,
            security_groups: needed("security group")?,
            found: Instant::now(),
        })
    }

    fn warn_once(&self, failure: &Failure) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(failure.message.clone()) {
            log::warn!("{}: {failure}", self.name);
        }
    }

    /// Writes the body of `POST /servers`.
    fn order(&self, ids: &Ids, order: &ServerOrder) -> Result<Value, Failure> {
        let Some(flavor) = ids.flavors.iter().find(|found| found.flavor.name == order.flavor) else {
            return Err(Failure::rejected(format!("the cloud has no flavor '{}'", order.flavor)));
        };
        let image = match &order.image {
            Some(image) => image.clone(),
            None => ids.image.clone()?.ok_or_else(|| Failure::rejected("no image is configured"))?,
        };
        let mut server = json!({
            "name": order.node,
            "flavorRef": flavor.id,
            "imageRef": image,
            "metadata": {
                wire::POOL: self.pool,
                wire::NODE: order.node,
                wire::ROLE: order.role.as_str(),
                wire::FLAVOR: order.flavor,
                wire::IMAGE: image,
                wire::VERSION: env!("CARGO_PKG_VERSION"),
            },
            // Nova chooses where none is configured; from 2.37 on it wants to be told so.
            "networks": if ids.networks.is_empty() {
                json!("auto")
            } else {
                ids.networks.iter().map(|id| json!({"uuid": id})).collect()
            },
        });
        if let Some(template) = &order.template {
            server["metadata"][wire::TEMPLATE] = json!(template);
        }
        if let Some(key) = &self.settings.key {
            server["key_name"] = json!(key);
        }
        if !ids.security_groups.is_empty() {
            server["security_groups"] = ids.security_groups.iter().map(|id| json!({"name": id})).collect();
        }
        let user_data = order.user_data.expose_secret();
        if !user_data.is_empty() {
            let encoded = base64::engine::general_purpose::STANDARD.encode(user_data);
            if encoded.len() > USER_DATA_LIMIT {
                let message =
                    format!("the user-data takes {} characters, Nova takes {USER_DATA_LIMIT}", encoded.len());
                return Err(Failure::rejected(message));
            }
            server["user_data"] = Value::String(encoded);
        }
        Ok(json!({"server": server}))
    }
}

#[async_trait]
impl Cloud for OpenStackCloud {
    fn name(&self) -> &CloudName {
        &self.name
    }

    async fn servers(&self) -> Result<Vec<Server>, Failure> {
        let ours = json!({wire::POOL: self.pool}).to_string();
        let path = ["servers", "detail"];
        let entries = self.transport.list(Service::Compute, &path, "servers", &[("metadata", &ours)]).await?;
        entries.iter().filter_map(|entry| wire::server(&self.name, &self.pool, entry).transpose()).collect()
    }

    async fn offer(&self) -> Result<CloudOffer, Failure> {
        let limits = async {
            let answer = self.transport.send(&Call::get(Service::Compute, &["limits"])).await?;
            answer
                .json()
                .and_then(|limits| wire::quota(&limits))
                .map_err(|failure| failure.context("GET /limits"))
        };
        let (ids, quota) = tokio::try_join!(self.ids(IDS_AGE), limits)?;
        Ok(CloudOffer {
            cloud: self.name.clone(),
            flavors: ids.flavors.iter().map(|found| found.flavor.clone()).collect(),
            image: ids.image.clone().ok().flatten(),
            quota,
        })
    }

    async fn create(&self, order: &ServerOrder) -> Result<ServerId, Failure> {
        // Whatever age the ids have: a look-up would cost the waiting job time, and Nova says if one is wrong.
        let ids = self.ids(Duration::MAX).await?;
        let body = self.order(&ids, order)?;
        let call =
            Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Compute, &["servers"]) };
        let answer = match self.transport.send(&call).await {
            Ok(answer) => answer,
            Err(mut failure) => {
                if matches!(failure.kind, FailureKind::NotFound | FailureKind::Rejected) {
                    *self.ids.lock().await = None;
                    failure.kind = FailureKind::Rejected;
                }
                return Err(failure);
            }
        };
        // The order was accepted: an answer that cannot be read must not look like a refusal.
        let id = answer
            .json::<Value>()
            .ok()
            .and_then(|body| wire::word(&body["server"]["id"]).map(ServerId::from));
        id.ok_or_else(|| Failure::transient("POST /servers: accepted, but the answer has no server id"))
    }

    async fn delete(&self, server: &ServerId) -> Result<(), Failure> {
        let path = ["servers", server.as_str()];
        self.transport.send(&Call { method: Method::DELETE, ..Call::get(Service::Compute, &path) }).await?;
        Ok(())
    }

    async fn console(&self, server: &ServerId, lines: u32) -> Result<String, Failure> {
        let answer = self.act(server, &json!({"os-getConsoleOutput": {"length": lines}})).await?;
        let answer: Value = answer.json()?;
        Ok(answer["output"].as_str().unwrap_or_default().to_owned())
    }
}

impl fmt::Debug for OpenStackCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStackCloud")
            .field("name", &self.name)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
