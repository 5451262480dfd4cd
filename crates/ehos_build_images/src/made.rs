//! Remembers what was made on the way, and deletes it again.
//!
//! Deliberately writes a thing down before it is asked for: an order may have been carried out although its answer
//! never came.

use std::time::Duration;

use ehos_boot::{Trouble, delete_server, looking, order_server};
use ehos_cloud::{Images, Properties, ServerOrder};
use ehos_condor::{Cluster, Pool};
use ehos_model::{Failure, FailureKind, ImageId, Machine, NodeId, ServerId};
use tokio::time::{Instant, sleep};

/// Property of an image: the server it was made of.
pub(crate) const NODE: &str = "ehos_node";

/// How long a lost order is looked for.
const SHOWS: Duration = Duration::from_secs(20);

/// How long deleting is tried.
const DELETES: Duration = Duration::from_mins(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// What was made for one image and is not wanted in the end.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Servers, by the ids of their nodes: some may be of orders that nobody has heard of again.
    servers: Vec<Ordered>,
    /// The image, as long as it is not known to be good.
    image: Option<Unproven>,
    /// Jobs in the queue.
    jobs: Vec<Cluster>,
    /// Machines in the pool.
    machines: Vec<Machine>,
}

#[derive(Debug)]
struct Ordered {
    node: NodeId,
    /// Whether the cloud has answered; what it refused or showed need not be looked for.
    lost: bool,
}

#[derive(Debug)]
struct Unproven {
    /// The server it is made of.
    of: NodeId,
    lost: bool,
}

impl Made {
    /// Orders a server and gives its id; where the answer is lost, looks for it.
    pub(crate) async fn server(
        &mut self,
        cloud: &dyn Images,
        order: &ServerOrder,
    ) -> Result<ServerId, Failure> {
        self.servers.push(Ordered { node: order.node.clone(), lost: true });
        let result = order_server(cloud, order).await;
        if result.as_ref().is_err_and(Failure::is_ambiguous) {
            return result;
        }
        self.servers.retain_mut(|ordered| {
            let this = ordered.node == order.node;
            ordered.lost &= !this;
            !(this && result.is_err())
        });
        result
    }

    /// Has an image made of a server and gives its id; where the answer is lost, looks for it.
    pub(crate) async fn image(
        &mut self,
        cloud: &dyn Images,
        server: &ServerId,
        of: &NodeId,
        name: &str,
        mut properties: Properties,
    ) -> Result<ImageId, Failure> {
        properties.insert(NODE.to_owned(), of.to_string());
        self.image = Some(Unproven { of: of.clone(), lost: true });
        let result = match cloud.make_image(server, name, &properties).await {
            Err(failure) if failure.is_ambiguous() => {
                return looking(|| image_of(cloud, of)).await.ok_or(failure);
            }
            other => other,
        };
        self.image = result.is_ok().then(|| Unproven { of: of.clone(), lost: false });
        result
    }

    /// Says that the image is good and stays.
    pub(crate) fn proven(&mut self) {
        self.image = None;
    }

    /// Remembers a job in the queue.
    pub(crate) fn job(&mut self, cluster: Cluster) {
        self.jobs.push(cluster);
    }

    /// Remembers a machine in the pool.
    pub(crate) fn machine(&mut self, machine: Machine) {
        self.machines.push(machine);
    }

    /// Deletes a server that is not needed any more and waits until it is gone.
    pub(crate) async fn drop_server(&mut self, cloud: &dyn Images, node: &NodeId) -> Result<(), Trouble> {
        match delete_server(cloud, node, false).await {
            Ok(()) => {
                self.servers.retain(|ordered| ordered.node != *node);
                Ok(())
            }
            Err(why) => Err(Trouble::new(why)),
        }
    }

    /// Deletes all of it, except for the servers where they are to be kept; gives what could not be deleted, in words.
    pub(crate) async fn clean_up(
        self,
        cloud: &dyn Images,
        pool: Option<&dyn Pool>,
        keep_servers: bool,
    ) -> Vec<String> {
        let mut left = Vec::new();
        if let Some(pool) = pool {
            for cluster in self.jobs {
                if let Err(failure) = pool.remove(cluster).await {
                    left.push(format!("job {}: condor_rm {}: {failure}", cluster.0, cluster.0));
                }
            }
        }
        for ordered in self.servers.iter().filter(|_| !keep_servers) {
            left.extend(delete_server(cloud, &ordered.node, ordered.lost).await.err());
        }
        if let Some(image) = self.image {
            left.extend(delete_image(cloud, &image).await.err());
        }
        if let Some(pool) = pool {
            for machine in self.machines.iter().filter(|_| !keep_servers) {
                // Its ads would expire by themselves.
                if let Err(failure) = pool.forget(machine).await {
                    log::warn!("the ads of {machine} stay until they expire: {failure}");
                }
            }
        }
        left
    }
}

async fn image_of(cloud: &dyn Images, of: &NodeId) -> Result<Option<ImageId>, Failure> {
    let images = cloud.images().await?;
    let found =
        images.into_iter().find(|image| image.properties.get(NODE).is_some_and(|node| *node == *of.as_str()));
    Ok(found.map(|image| image.id))
}

async fn delete_image(cloud: &dyn Images, image: &Unproven) -> Result<(), String> {
    let until = Instant::now() + if image.lost { SHOWS } else { DELETES };
    loop {
        let why = match image_of(cloud, &image.of).await {
            Ok(Some(id)) => match cloud.delete_image(&id).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.kind == FailureKind::NotFound => return Ok(()),
                Err(failure) => format!("image {id} is still there: openstack image delete {id}: {failure}"),
            },
            Ok(None) if !image.lost => return Ok(()),
            Ok(None) if Instant::now() >= until => return Ok(()),
            Ok(None) => String::new(),
            Err(failure) => format!("an image of {} may be there: {failure}", image.of),
        };
        if Instant::now() >= until {
            return Err(why);
        }
        sleep(PAUSE).await;
    }
}
