//! What every cloud behind [`Cloud`] must do, as one check for the embedded cloud and for a real one.
//!
//! Deliberately sees a cloud only through the trait; it makes at most two servers and deletes them again, also
//! when a check fails.

pub mod images;
pub mod prepare;

use std::time::{Duration, Instant};

use ehos_model::{CloudOffer, FailureKind, FlavorName, NodeId, Role, Server, ServerId, ServerStatus};
use secrecy::SecretSlice;

use crate::{Cloud, ServerOrder};

/// How long to wait between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// What the check works with.
#[derive(Clone, Debug)]
pub struct Terms {
    /// A flavor that the cloud has.
    pub flavor: FlavorName,
    /// Begins the names of the servers that are made; lower case, unlike any other's.
    pub prefix: String,
    /// The longest a server may take to become ACTIVE, and to be gone.
    pub deadline: Duration,
    /// What one of the two servers is told at boot; the other gets nothing.
    pub user_data: SecretSlice<u8>,
}

/// A rule that the cloud breaks.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{rule}: {seen}")]
pub struct Broken {
    rule: &'static str,
    seen: String,
}

/// A rule that was seen to hold, and how long what it took.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The rule.
    pub rule: &'static str,
    /// How long it took.
    pub took: Duration,
}

type Checked<T> = Result<T, Broken>;

/// Checks `cloud`; `stranger` is the same cloud as another pool sees it.
///
/// # Errors
/// The first rule that is broken. What was made is deleted all the same.
pub async fn check(cloud: &dyn Cloud, stranger: &dyn Cloud, terms: &Terms) -> Checked<Vec<Held>> {
    let mut made = Vec::new();
    let mut held = Vec::new();
    let result = rules(cloud, stranger, terms, &mut made, &mut held).await;
    for server in &made {
        // Gone already, if all went well.
        _ = cloud.delete(server).await;
    }
    result.map(|()| held)
}

async fn rules(
    cloud: &dyn Cloud,
    stranger: &dyn Cloud,
    terms: &Terms,
    made: &mut Vec<ServerId>,
    held: &mut Vec<Held>,
) -> Checked<()> {
    let mut begun = Instant::now();
    let mut passed = |rule| {
        held.push(Held { rule, took: begun.elapsed() });
        begun = Instant::now();
    };
    let before = offer(cloud).await?;
    offered(&before, terms)?;
    passed("an offer has the flavor with its size, an image and a quota");

    refusals(cloud, terms).await?;
    passed("an unknown flavor is rejected; an unknown server is not found");

    let bare = order(terms, "bare", SecretSlice::default());
    let told = order(terms, "told", terms.user_data.clone());
    let bare_id = create(cloud, &bare, made).await?;
    passed("an order is accepted");
    listed(cloud, &bare, &bare_id).await?;
    passed("what was ordered is in the next listing, with all its metadata");
    let told_id = create(cloud, &told, made).await?;
    unseen(stranger, &[&bare_id, &told_id]).await?;
    passed("another pool does not see it");

    let rule = "used quota grows by what was ordered, within the deadline";
    grown(cloud, terms, rule, before.quota.instances.used + 2).await?;
    passed(rule);

    for id in [&bare_id, &told_id] {
        until(cloud, terms, "it becomes ACTIVE within the deadline", |servers| {
            servers.iter().any(|server| server.id == *id && server.status == ServerStatus::Active)
        })
        .await?;
    }
    passed("it becomes ACTIVE within the deadline");
    console(cloud, &bare_id).await?;
    passed("a console can be asked for");

    for id in [&bare_id, &told_id] {
        cloud.delete(id).await.map_err(|failure| broken("a server can be deleted", &failure))?;
    }
    let rule = "a deleted server leaves the listing within the deadline";
    until(cloud, terms, rule, |servers| !servers.iter().any(|server| made.contains(&server.id))).await?;
    passed(rule);
    gone(cloud, terms, &bare_id).await?;
    passed("deleting what is gone is not found");
    Ok(())
}

async fn offer(cloud: &dyn Cloud) -> Checked<CloudOffer> {
    cloud.offer().await.map_err(|failure| broken("a cloud makes an offer", &failure))
}

fn offered(offer: &CloudOffer, terms: &Terms) -> Checked<()> {
    let rule = "an offer has the flavor with its size, an image and a quota";
    let size = offer.flavors.iter().find(|flavor| flavor.name == terms.flavor).map(|flavor| flavor.size);
    ensure(size.is_some_and(|size| size.cores > 0 && size.memory.0 > 0), rule, || {
        format!("{:?}", offer.flavors)
    })?;
    ensure(offer.image.is_some(), rule, || "no image".into())?;
    ensure(offer.quota.instances.left() >= 2, rule, || format!("{:?}", offer.quota))
}

/// Waits for the quota: Nova counts a server only when its scheduler has found a host for it.
async fn grown(cloud: &dyn Cloud, terms: &Terms, rule: &'static str, expected: u64) -> Checked<()> {
    let begun = Instant::now();
    loop {
        let used = offer(cloud).await?.quota.instances.used;
        if used >= expected {
            return Ok(());
        }
        ensure(begun.elapsed() < terms.deadline, rule, || format!("{used} in use, not {expected}"))?;
        tokio::time::sleep(LOOK).await;
    }
}

async fn refusals(cloud: &dyn Cloud, terms: &Terms) -> Checked<()> {
    let mut unknown = order(terms, "unknown", SecretSlice::default());
    unknown.flavor = FlavorName::from("no.such.flavor");
    let answer = cloud.create(&unknown).await;
    let rejected = matches!(&answer, Err(failure) if failure.kind == FailureKind::Rejected);
    ensure(rejected, "an unknown flavor is rejected", || format!("{answer:?}"))?;
    let nobody = ServerId::from("00000000-0000-4000-8000-000000000000");
    let answer = cloud.delete(&nobody).await;
    let missing = matches!(&answer, Err(failure) if failure.kind == FailureKind::NotFound);
    ensure(missing, "an unknown server is not found", || format!("{answer:?}"))
}

async fn create(cloud: &dyn Cloud, order: &ServerOrder, made: &mut Vec<ServerId>) -> Checked<ServerId> {
    let id = cloud.create(order).await.map_err(|failure| broken("an order is accepted", &failure))?;
    made.push(id.clone());
    Ok(id)
}

async fn listed(cloud: &dyn Cloud, order: &ServerOrder, id: &ServerId) -> Checked<()> {
    let rule = "what was ordered is in the next listing, with all its metadata";
    let servers = cloud.servers().await.map_err(|failure| broken(rule, &failure))?;
    let found = servers.iter().find(|server| server.id == *id);
    let whole = found.is_some_and(|server| {
        server.node == order.node
            && server.role == order.role
            && server.flavor == order.flavor
            && server.image.is_some()
            && server.template == order.template
            && server.cloud == *cloud.name()
            && matches!(server.status, ServerStatus::Building | ServerStatus::Active)
    });
    ensure(whole, rule, || format!("{found:?}"))
}

async fn unseen(stranger: &dyn Cloud, ids: &[&ServerId]) -> Checked<()> {
    let rule = "another pool does not see it";
    let theirs = stranger.servers().await.map_err(|failure| broken(rule, &failure))?;
    let seen = theirs.iter().find(|server| ids.contains(&&server.id));
    ensure(seen.is_none(), rule, || format!("{seen:?}"))
}

async fn console(cloud: &dyn Cloud, id: &ServerId) -> Checked<()> {
    let answer = cloud.console(id, 10).await;
    let fine = match &answer {
        Ok(_) => true,
        Err(failure) => failure.kind == FailureKind::Conflict,
    };
    ensure(fine, "a console can be asked for", || format!("{answer:?}"))
}

/// Waits until deleting a server is `NotFound`: a cloud may take it off its lists a little earlier.
async fn gone(cloud: &dyn Cloud, terms: &Terms, id: &ServerId) -> Checked<()> {
    let begun = Instant::now();
    loop {
        let answer = cloud.delete(id).await;
        if matches!(&answer, Err(failure) if failure.kind == FailureKind::NotFound) {
            return Ok(());
        }
        ensure(begun.elapsed() < terms.deadline, "deleting what is gone is not found", || {
            format!("{answer:?}")
        })?;
        tokio::time::sleep(LOOK).await;
    }
}

async fn until<C: Cloud + ?Sized>(
    cloud: &C,
    terms: &Terms,
    rule: &'static str,
    fulfilled: impl Fn(&[Server]) -> bool,
) -> Checked<()> {
    let begun = Instant::now();
    loop {
        let servers = cloud.servers().await.map_err(|failure| broken(rule, &failure))?;
        if fulfilled(&servers) {
            return Ok(());
        }
        ensure(begun.elapsed() < terms.deadline, rule, || format!("{servers:?}"))?;
        tokio::time::sleep(LOOK).await;
    }
}

fn order(terms: &Terms, name: &str, user_data: SecretSlice<u8>) -> ServerOrder {
    let node = NodeId::from(format!("{}-{name}", terms.prefix));
    let template = Some("contract".to_owned());
    ServerOrder { template, user_data, ..ServerOrder::new(node, Role::Execute, terms.flavor.clone()) }
}

fn ensure(holds: bool, rule: &'static str, seen: impl FnOnce() -> String) -> Checked<()> {
    if holds { Ok(()) } else { Err(Broken { rule, seen: seen() }) }
}

fn broken(rule: &'static str, seen: &dyn std::fmt::Display) -> Broken {
    Broken { rule, seen: seen.to_string() }
}
