//! The master's server: found where it is, made where it is not, and waited for until it says that the pool is up.
//!
//! Deliberately leaves a server that did not come up: a later run goes on with it, and an administrator can look at it.

use std::net::IpAddr;
use std::time::Duration;

use ehos_boot::{Trouble, Watch, find, order_server};
use ehos_cloud::{Images, Prepare, ServerOrder};
use ehos_cloudinit::{Boot, MasterFacts, Template, fingerprint, pack, read_console};
use ehos_model::{
    CloudName, FlavorName, FloatingIp, ImageId, NodeId, PoolId, Role, Server, ServerId, ServerStatus,
};
use tokio::time::{Instant, sleep};

use ehos_terminal::Progress;

/// A cloud in which a master can be made.
pub(crate) trait Account: Prepare + Images {}
impl<T: Prepare + Images> Account for T {}

/// What the master is to be.
pub(crate) struct Wanted<'a> {
    /// The pool it serves.
    pub(crate) pool: &'a PoolId,
    /// First part of its name.
    pub(crate) prefix: &'a str,
    /// What it is told at boot.
    pub(crate) template: &'a Template,
    /// The text of that, for its fingerprint.
    pub(crate) text: &'a str,
    /// What it boots from, name or id.
    pub(crate) image: &'a str,
    /// Its size.
    pub(crate) flavor: FlavorName,
    /// *`UID_DOMAIN`* and *`TRUST_DOMAIN`* of the pool.
    pub(crate) domain: &'a str,
    /// Whether it gets a floating IP.
    pub(crate) floating_ip: &'a FloatingIp,
    /// Size of a volume for the queue, GiB.
    pub(crate) spool: Option<u64>,
    /// The longest it may take to come up.
    pub(crate) timeout: Duration,
}

/// The master's server.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    /// Where it is.
    pub(crate) cloud: CloudName,
    /// Its server.
    pub(crate) server: ServerId,
    /// Its name.
    pub(crate) node: NodeId,
    /// Its address as the nodes reach it.
    pub(crate) inside: IpAddr,
    /// Its address as we reach it.
    pub(crate) reach: IpAddr,
    /// What it said on its console; may be cut off at its beginning.
    pub(crate) console: String,
}

/// Finds the master of our pool.
pub(crate) async fn existing(cloud: &dyn Account) -> Result<Option<Server>, Trouble> {
    let servers = cloud.servers().await;
    let servers = servers.map_err(|failure| Trouble::during("its servers cannot be listed", failure))?;
    Ok(servers.into_iter().find(|server| server.role == Role::Master))
}

/// Finds the master, or makes it, and waits until it is up.
pub(crate) async fn ensure(
    cloud: &dyn Account,
    wanted: &Wanted<'_>,
    progress: &Progress,
) -> Result<Master, Trouble> {
    progress.step("looks for the master");
    let (node, server) = if let Some(server) = existing(cloud).await? {
        usable(&server)?;
        (server.node, server.id)
    } else {
        progress.step("makes the master's server");
        order(cloud, wanted).await?
    };
    progress.step("waits until the master says that the pool is up");
    let console = up(cloud, wanted, &node, &server).await?;
    if let Some(size) = wanted.spool {
        spool(cloud, &node, &server, size).await?;
    }
    let (inside, reach) = addresses(cloud, wanted, &server).await?;
    Ok(Master { cloud: cloud.name().clone(), server, node, inside, reach, console })
}

/// Gives what is known of a master that is there, without waiting for anything.
pub(crate) async fn known(cloud: &dyn Account, server: &Server) -> Result<Master, Trouble> {
    let found = cloud.addresses(&server.id).await;
    let found = found.map_err(|failure| Trouble::during("the master's addresses", failure))?;
    let inside = found
        .iter()
        .filter(|address| !address.floating)
        .map(|address| address.ip)
        .min_by_key(IpAddr::is_ipv6);
    let inside = inside.ok_or_else(|| Trouble::new("the master has no address"))?;
    Ok(Master {
        cloud: cloud.name().clone(),
        server: server.id.clone(),
        node: server.node.clone(),
        inside,
        reach: found.iter().find(|address| address.floating).map_or(inside, |address| address.ip),
        console: cloud.console(&server.id, 2000).await.unwrap_or_default(),
    })
}

/// A master that is broken is not replaced by itself: its queue may be on it.
fn usable(server: &Server) -> Result<(), Trouble> {
    let id = &server.id;
    match &server.status {
        ServerStatus::Active | ServerStatus::Building => Ok(()),
        ServerStatus::Shutoff => Err(Trouble::new(format!(
            "the master {} is switched off: openstack server start {id}, then run this again",
            server.node
        ))),
        status => Err(Trouble::new(format!(
            "the master {} is in state {status}{}: look at it (openstack server show {id}); if there is nothing in its \
             queue, openstack server delete {id} and run this again",
            server.node,
            server.fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default()
        ))),
    }
}

async fn order(cloud: &dyn Account, wanted: &Wanted<'_>) -> Result<(NodeId, ServerId), Trouble> {
    let node = NodeId::from(format!("{}-master", wanted.prefix));
    let facts = MasterFacts {
        pool: wanted.pool,
        node: &node,
        uid_domain: wanted.domain,
        trust_domain: wanted.domain,
    };
    let user_data = wanted.template.render_master(&facts);
    let user_data = user_data.and_then(|text| pack("master.yaml", &text, &[]));
    let user_data = user_data.map_err(|error| Trouble::new(error.to_string()))?;
    let image = cloud.find_image(wanted.image).await;
    let image: ImageId = image.map_err(|failure| Trouble::new(failure.message))?.id;
    let order = ServerOrder {
        image: Some(image),
        template: Some(fingerprint(wanted.text)),
        user_data,
        ..ServerOrder::new(node.clone(), Role::Master, wanted.flavor.clone())
    };
    let server = order_server(cloud, &order).await;
    let server = server.map_err(|failure| Trouble::during("the master cannot be made", failure))?;
    Ok((node, server))
}

/// Waits until it is up; one that has been up for long may have pushed its first words off the console.
async fn up(
    cloud: &dyn Account,
    wanted: &Wanted<'_>,
    node: &NodeId,
    server: &ServerId,
) -> Result<String, Trouble> {
    let fresh = find(cloud, node).await.ok().flatten().is_some_and(|server| {
        ehos_model::elapsed(server.created, ehos_model::Timestamp::now()) < wanted.timeout
    });
    if !fresh {
        return Ok(cloud.console(server, 2000).await.unwrap_or_default());
    }
    let mut watch = Watch::new(cloud, node, server, "the master");
    let expected = "that it is up (the final_message of master.yaml: \"The EHOS vm is up after ...\")";
    watch
        .until(wanted.timeout, expected, |watch, seen| {
            if seen.status == Some(ServerStatus::Shutoff) {
                return Err(watch.trouble("has switched itself off before it said that it is up"));
            }
            Ok(matches!(read_console(&watch.console), Boot::Up { .. }).then(|| watch.console.clone()))
        })
        .await
}

/// How long an address may take to show.
const SHOWS: Duration = Duration::from_mins(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Gives the address inside the cloud, and the one by which it is reached from here.
async fn addresses(
    cloud: &dyn Account,
    wanted: &Wanted<'_>,
    server: &ServerId,
) -> Result<(IpAddr, IpAddr), Trouble> {
    let end = Instant::now() + SHOWS;
    loop {
        let found = cloud.addresses(server).await;
        let found = found.map_err(|failure| Trouble::during("the master's addresses", failure))?;
        let inside = found.iter().filter(|address| !address.floating).map(|address| address.ip);
        // Nodes are told one address; IPv4 works everywhere.
        let inside = inside.min_by_key(IpAddr::is_ipv6);
        let outside = found.iter().find(|address| address.floating).map(|address| address.ip);
        let pool = match wanted.floating_ip {
            FloatingIp::Pool(network) => Some(network.as_str()),
            FloatingIp::None | FloatingIp::Auto => None,
        };
        match (inside, outside, *wanted.floating_ip == FloatingIp::None) {
            (Some(inside), Some(outside), _) => return Ok((inside, outside)),
            (Some(inside), None, true) => return Ok((inside, inside)),
            (Some(inside), None, false) => {
                let address = cloud.make_floating_ip(pool).await;
                let address =
                    address.map_err(|failure| Trouble::during("no floating IP for the master", failure))?;
                let done = cloud.associate(&address, server).await;
                done.map_err(|failure| Trouble::during("the master's floating IP", failure))?;
                return Ok((inside, address.ip));
            }
            (None, ..) if Instant::now() < end => sleep(PAUSE).await,
            (None, ..) => return Err(Trouble::new("the master got no address from the cloud's network")),
        }
    }
}

/// Makes the volume for the queue and attaches it.
async fn spool(cloud: &dyn Account, node: &NodeId, server: &ServerId, size: u64) -> Result<(), Trouble> {
    let end = Instant::now() + SHOWS;
    let volume = cloud.make_volume(&format!("{node}-spool"), size).await;
    let volume = volume.map_err(|failure| Trouble::during("no volume for the master's queue", failure))?;
    loop {
        match cloud.attach(&volume.id, server).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.kind == ehos_model::FailureKind::Conflict && Instant::now() < end => {
                sleep(PAUSE).await;
            }
            Err(failure) => return Err(Trouble::during("the volume for the master's queue", failure)),
        }
    }
}
