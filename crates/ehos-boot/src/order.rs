//! Orders and deletes single servers, whatever becomes of the answers.
//!
//! Deliberately knows a server by the node it is for: its id may never have reached us.

use std::time::Duration;

use ehos_cloud::{Cloud, ServerOrder};
use ehos_model::{Failure, FailureKind, NodeId, Server, ServerId};
use tokio::time::{Instant, sleep};

/// How long a lost order is looked for.
const SHOWS: Duration = Duration::from_secs(20);

/// How long deleting is tried.
const DELETES: Duration = Duration::from_mins(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Finds the server of a node.
///
/// # Errors
/// Where the servers cannot be listed.
pub async fn find(cloud: &dyn Cloud, node: &NodeId) -> Result<Option<Server>, Failure> {
    Ok(cloud.servers().await?.into_iter().find(|server| server.node == *node))
}

/// Orders a server and gives its id; where the answer is lost, looks for what may have been made.
///
/// # Errors
/// What the cloud says; an ambiguous failure where the server may yet appear.
pub async fn order_server(cloud: &dyn Cloud, order: &ServerOrder) -> Result<ServerId, Failure> {
    match cloud.create(order).await {
        Err(failure) if failure.is_ambiguous() => {
            looking(|| async { Ok(find(cloud, &order.node).await?.map(|server| server.id)) })
                .await
                .ok_or(failure)
        }
        other => other,
    }
}

/// Looks again and again for what a call whose answer was lost may have made.
pub async fn looking<T, F: Future<Output = Result<Option<T>, Failure>>>(look: impl Fn() -> F) -> Option<T> {
    let until = Instant::now() + SHOWS;
    loop {
        match look().await {
            Ok(Some(found)) => return Some(found),
            Ok(None) | Err(_) if Instant::now() < until => sleep(PAUSE).await,
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Deletes a node's server and waits until it is gone; `lost` says that its order may still show.
///
/// # Errors
/// In words that say which server stays, and how it is deleted by hand.
pub async fn delete_server(cloud: &dyn Cloud, node: &NodeId, lost: bool) -> Result<(), String> {
    let until = Instant::now() + if lost { SHOWS } else { DELETES };
    let mut why = Failure::transient("it does not go away");
    let mut seen: Option<ServerId> = None;
    loop {
        match find(cloud, node).await {
            Ok(Some(server)) => {
                if let Err(failure) = cloud.delete(&server.id).await
                    && failure.kind != FailureKind::NotFound
                {
                    why = failure;
                }
                seen = Some(server.id);
            }
            // A lost order may still show.
            Ok(None) if !lost || seen.is_some() => return Ok(()),
            Ok(None) if Instant::now() >= until => return Ok(()),
            Ok(None) => {}
            Err(failure) => why = failure,
        }
        if Instant::now() >= until && (seen.is_none() || Instant::now() >= until + DELETES) {
            let id = seen.map_or_else(|| node.to_string(), |id| id.to_string());
            return Err(format!("server {node} is still there: openstack server delete {id}: {why}"));
        }
        sleep(PAUSE).await;
    }
}
