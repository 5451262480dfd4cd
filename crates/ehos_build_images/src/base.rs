//! The base server: from its order until it is set up, clean and switched off.
//!
//! Deliberately believes only what the server says on its console: that it is ACTIVE means no more than that it runs.

use std::time::Duration;

use ehos_boot::{LOOK, Trouble, Watch, find};
use ehos_cloud::{Image, ServerOrder};
use ehos_cloudinit::{Boot, read_image};
use ehos_model::{FailureKind, FlavorName, NodeId, Role, ServerId, ServerStatus};
use tokio::time::{Instant, sleep};

use crate::made::Made;
use crate::site::{Order, Site};

/// How long a server may take to switch off.
const STOPS: Duration = Duration::from_mins(5);

/// A base server that an image can be made of.
pub(crate) struct Ready {
    /// Its node.
    pub(crate) node: NodeId,
    /// Its server.
    pub(crate) server: ServerId,
    /// HTCondor's version, where it was told.
    pub(crate) htcondor: Option<String>,
}

/// Orders the server.
pub(crate) async fn order(
    site: &Site,
    order: &Order,
    base: &Image,
    flavor: &FlavorName,
    made: &mut Made,
) -> Result<(NodeId, ServerId), Trouble> {
    let node = order.maker.name(&site.prefix, "build");
    let server = ServerOrder {
        image: Some(base.id.clone()),
        template: Some(order.base.fingerprint.clone()),
        user_data: order.base.user_data.clone(),
        ..ServerOrder::new(node.clone(), Role::Build, flavor.clone())
    };
    let id = made.server(&*site.cloud, &server).await;
    let id = id.map_err(|failure| Trouble::during("the base server cannot be made", failure))?;
    Ok((node, id))
}

/// Waits until it has said what it must say, and is off.
pub(crate) async fn ready(
    site: &Site,
    order: &Order,
    node: NodeId,
    server: ServerId,
) -> Result<Ready, Trouble> {
    let cleans = order.base.cleans;
    let expected = "that it is up (the final_message of base.yaml: \"The EHOS vm is up after ...\")";
    let expected =
        if cleans { "that it is up and clean (base.yaml: \"EHOS image: clean\")" } else { expected };
    let mut watch = Watch::new(&*site.cloud, &node, &server, "the base server");
    let htcondor = watch
        .until(order.timeout, expected, |watch, seen| {
            let marks = read_image(&watch.console);
            let up = matches!(seen.boot, Boot::Up { .. }) && (marks.clean || !cleans);
            if up {
                return Ok(Some(marks.htcondor));
            }
            if seen.status == Some(ServerStatus::Shutoff) {
                return Err(watch.trouble("has switched itself off before it said that it is up and clean"));
            }
            Ok(None)
        })
        .await?;
    off(site, &node, &server).await?;
    Ok(Ready { node, server, htcondor })
}

/// Has it stopped, unless it does so by itself, and waits for it: only then is its disk complete.
async fn off(site: &Site, node: &NodeId, server: &ServerId) -> Result<(), Trouble> {
    let end = Instant::now() + STOPS;
    let mut asked = false;
    let mut why = String::new();
    loop {
        match find(&*site.cloud, node).await {
            Ok(Some(found)) if found.status == ServerStatus::Shutoff => return Ok(()),
            Ok(Some(_)) if !asked => match site.cloud.stop(server).await {
                Ok(()) => asked = true,
                // It is about to be off by itself.
                Err(failure) if failure.kind == FailureKind::Conflict => {}
                Err(failure) => why = failure.message,
            },
            Ok(Some(_)) => {}
            Ok(None) => why = String::from("it is not listed any more"),
            Err(failure) => why = failure.message,
        }
        if Instant::now() >= end {
            let why = if why.is_empty() { "it stays on".to_owned() } else { why };
            return Err(Trouble::new(format!("the base server {node} cannot be stopped: {why}")));
        }
        sleep(LOOK).await;
    }
}
