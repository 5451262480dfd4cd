//! Tries a fresh image: a node is booted from it, and must run a job.
//!
//! Deliberately keeps everybody else's jobs away from that node: it is deleted in the end, and no running job with it.

use std::sync::Arc;
use std::time::Duration;

use ehos_boot::{LOOK, Trouble, Watch, span};
use ehos_cloud::ServerOrder;
use ehos_cloudinit::{NodeFacts, Probe, ProbeMode, Secret, probe_part, read_probe};
use ehos_condor::{Cluster, Domains, Pool, SleepJobs};
use ehos_model::{Failure, Flavor, ImageId, Machine, NodeId, Resources, Role, ServerId, ServerStatus};
use secrecy::{SecretSlice, SecretString};
use tokio::time::{Instant, sleep};

use crate::made::Made;
use crate::site::{Order, Prober, Site};

/// How long a probe's token is good for beyond the time-out.
const MARGIN: Duration = Duration::from_mins(30);

/// How often a probe's startd reports; it lives for minutes.
const UPDATE_INTERVAL: Duration = Duration::from_secs(15);

/// What stands for a pool where there is none.
const NO_DOMAIN: &str = "probe.invalid";

/// Boots a node of the image and waits until a job has run on it; then the node is deleted.
pub(crate) async fn probe(
    site: &Site,
    order: &Order,
    image: &ImageId,
    flavor: &Flavor,
    made: &mut Made,
) -> Result<(), Trouble> {
    let node = order.maker.name(&site.prefix, "probe");
    let user_data = user_data(site, order, &node, flavor).await?;
    let server = ServerOrder {
        image: Some(image.clone()),
        user_data,
        ..ServerOrder::new(node.clone(), Role::Build, flavor.name.clone())
    };
    let id = made.server(&*site.cloud, &server).await;
    let id = id.map_err(|failure| Trouble::during("a node of the image cannot be made", failure))?;
    match &order.prober {
        Prober::Pool { pool, .. } => in_pool(site, order, pool, &node, &id, made).await?,
        Prober::Alone => alone(site, order, &node, &id).await?,
    }
    made.drop_server(&*site.cloud, &node).await
}

/// Renders what the probe is told: the nodes' own template, and the part that makes a probe of it.
async fn user_data(
    site: &Site,
    order: &Order,
    node: &NodeId,
    flavor: &Flavor,
) -> Result<SecretSlice<u8>, Trouble> {
    let (mode, master, domains, token) = match &order.prober {
        Prober::Pool { pool, master } => {
            let (domains, token) =
                tokio::try_join!(pool.domains(), pool.join_token(node, order.timeout + MARGIN))
                    .map_err(|failure| Trouble::during("a node cannot be let into the pool", failure))?;
            (ProbeMode::Pool, master.clone(), domains, token)
        }
        Prober::Alone => {
            let domains = Domains { uid: NO_DOMAIN.to_owned(), trust: NO_DOMAIN.to_owned() };
            // There is no pool that it could open.
            (ProbeMode::Alone, "127.0.0.1".to_owned(), domains, SecretString::from("none"))
        }
    };
    let facts = NodeFacts {
        pool: &order.pool,
        node,
        cloud: site.name(),
        flavor: &flavor.name,
        gpus: flavor.size.gpus,
        host_ip: &master,
        uid_domain: &domains.uid,
        trust_domain: &domains.trust,
        secret: Secret::Token(&token),
        update_interval: UPDATE_INTERVAL,
    };
    probe_part(mode, node)
        .and_then(|part| site.recipe.render(&facts, &[part]))
        .map_err(|error| Trouble::new(error.to_string()))
}

/// Waits for the probe in the pool and has it run its job.
async fn in_pool(
    site: &Site,
    order: &Order,
    pool: &Arc<dyn Pool>,
    node: &NodeId,
    server: &ServerId,
    made: &mut Made,
) -> Result<(), Trouble> {
    let mut watch = Watch::new(&*site.cloud, node, server, "the node of the new image");
    let machine = joined(site, order, pool, node, &mut watch).await?;
    made.machine(machine);
    let job = SleepJobs { probe: Some(node.clone()), ..SleepJobs::new(vec![1], Resources::default()) };
    let cluster = pool.submit(&job).await;
    let cluster =
        cluster.map_err(|failure| Trouble::during("the probe's job cannot be submitted", failure))?;
    made.job(cluster);
    let end = Instant::now() + order.timeout;
    loop {
        match pool.jobs(cluster).await {
            Ok(counts) if counts.held > 0 => {
                let why = format!("the probe's job failed on node {node}: condor_q -hold {}", cluster.0);
                return Err(Trouble::new(why).with_console(&console(site, server).await));
            }
            Ok(counts) if counts.idle + counts.running == 0 => match pool.finished(cluster).await {
                Ok(0) if Instant::now() < end => {}
                Ok(0) => {
                    let why = format!(
                        "the probe's job {} left the queue without having run to its end: was it removed? condor_history {}",
                        cluster.0, cluster.0
                    );
                    return Err(Trouble::new(why));
                }
                Ok(_) => return Ok(()),
                Err(failure) => log::info!("{}: {failure}", site.name()),
            },
            Ok(_) => {}
            Err(failure) => log::info!("{}: {failure}", site.name()),
        }
        let seen = watch.look().await?;
        if seen.status == Some(ServerStatus::Shutoff) {
            return Err(watch.trouble("has switched itself off before its job had run"));
        }
        if Instant::now() >= end {
            return Err(not_run(site, order, node, server, cluster).await);
        }
        sleep(LOOK).await;
    }
}

async fn not_run(site: &Site, order: &Order, node: &NodeId, server: &ServerId, cluster: Cluster) -> Trouble {
    let why = format!(
        "node {node} is in the pool, and its job {} has not run within {}: condor_q -better-analyze {}",
        cluster.0,
        span(order.timeout),
        cluster.0
    );
    Trouble::new(why).with_console(&console(site, server).await)
}

async fn console(site: &Site, server: &ServerId) -> String {
    site.cloud.console(server, 200).await.unwrap_or_default()
}

/// Waits until the probe's startd is in the pool.
async fn joined(
    site: &Site,
    order: &Order,
    pool: &Arc<dyn Pool>,
    node: &NodeId,
    watch: &mut Watch<'_>,
) -> Result<Machine, Trouble> {
    let end = Instant::now() + order.timeout;
    loop {
        let seen = watch.look().await?;
        match pool.slots().await {
            Ok(slots) => {
                if let Some(slot) = slots.into_iter().find(|slot| slot.node.as_ref() == Some(node)) {
                    return Ok(slot.machine);
                }
            }
            Err(failure) => log::info!("{}: {failure}", site.name()),
        }
        if seen.status == Some(ServerStatus::Shutoff) {
            return Err(watch.trouble("has switched itself off before it was in the pool"));
        }
        if Instant::now() >= end {
            return Err(watch.too_late(order.timeout, "by its startd that it is in the pool"));
        }
        sleep(LOOK).await;
    }
}

/// Waits for the probe's own word that a job has run in its own pool.
async fn alone(site: &Site, order: &Order, node: &NodeId, server: &ServerId) -> Result<(), Trouble> {
    let mut watch = Watch::new(&*site.cloud, node, server, "the node of the new image");
    let expected = "on its console that its job has run (\"EHOS probe: passed\")";
    watch
        .until(order.timeout, expected, |watch, seen| match read_probe(&watch.console) {
            Probe::Passed => Ok(Some(())),
            Probe::Failed { why } => Err(watch.trouble(&format!("has not run its job: {why}"))),
            Probe::Going if seen.status == Some(ServerStatus::Shutoff) => {
                Err(watch.trouble("has switched itself off before its job had run"))
            }
            Probe::Going => Ok(None),
        })
        .await
}

/// Tells whether a pool is up here that lets nodes in; why not, where it does not.
pub(crate) async fn pool_is_up(pool: &dyn Pool) -> Result<(), Failure> {
    let node = NodeId::from("ehos-probe");
    tokio::try_join!(pool.domains(), pool.join_token(&node, Duration::from_mins(1))).map(drop)
}
