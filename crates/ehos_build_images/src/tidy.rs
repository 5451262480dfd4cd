//! Deletes what earlier runs have left, and images that nobody needs any more.
//!
//! Deliberately leaves alone what somebody else may be building at this moment, and every image that is in use.

use std::collections::BTreeSet;
use std::time::Duration;

use ehos_boot::{Trouble, delete_server};
use ehos_cloud::Image;
use ehos_model::{FailureKind, ImageId, NodeId, Role, Timestamp, elapsed};

use crate::image::PROBED;
use crate::made::NODE;
use crate::site::{Order, Site};

/// From this age on nobody is building with it any more.
const FORGOTTEN: Duration = Duration::from_hours(12);

/// Deletes servers and images of builds that were killed.
pub(crate) async fn leftovers(site: &Site, order: &Order) -> Result<(), Trouble> {
    let cloud = &*site.cloud;
    let servers = cloud.servers().await;
    let servers = servers.map_err(|failure| Trouble::during("its servers cannot be listed", failure))?;
    let now = Timestamp::now();
    let built = servers.iter().filter(|server| server.role == Role::Build);
    for server in built.filter(|server| !order.maker.is_making(&server.node)) {
        if !order.maker.made(&server.node) && elapsed(server.created, now) < FORGOTTEN {
            log::warn!(
                "{}: server {} belongs to another ehos_build_images and is left alone; if that has died: \
                 openstack server delete {}",
                site.name(),
                server.node,
                server.id
            );
            continue;
        }
        log::info!("{}: deleting server {}, which an earlier run has left", site.name(), server.node);
        delete_server(cloud, &server.node, false).await.map_err(Trouble::new)?;
    }
    let images = cloud.images().await;
    let images = images.map_err(|failure| Trouble::during("its images cannot be listed", failure))?;
    for image in images.iter().filter(|image| is_unfinished(image, order, now)) {
        log::info!("{}: deleting image {}, which an earlier run has not finished", site.name(), image.id);
        delete(site, &image.id).await;
    }
    Ok(())
}

fn is_unfinished(image: &Image, order: &Order, now: Timestamp) -> bool {
    let node = image.properties.get(NODE).map(|node| NodeId::from(node.as_str()));
    let ours = node.as_ref().is_some_and(|node| order.maker.made(node));
    let now_made = node.as_ref().is_some_and(|node| order.maker.is_making(node));
    !image.properties.contains_key(PROBED) && !now_made && (ours || elapsed(image.created, now) >= FORGOTTEN)
}

/// Deletes images beyond those to be kept; the newest stay, and what is in use.
pub(crate) async fn old_images(site: &Site, order: &Order, newest: &ImageId) {
    let cloud = &*site.cloud;
    let (images, servers) = match tokio::try_join!(cloud.images(), cloud.servers()) {
        Ok(found) => found,
        Err(failure) => {
            log::warn!("{}: older images stay, since they cannot be listed: {failure}", site.name());
            return;
        }
    };
    let in_use: BTreeSet<_> = servers.iter().filter_map(|server| server.image.as_ref()).collect();
    let good = images.iter().filter(|image| image.properties.contains_key(PROBED));
    for image in good.filter(|image| image.id != *newest).skip(order.keep_images.saturating_sub(1)) {
        if order.ids.names(site.name(), image) {
            log::info!(
                "{}: image {} stays: the configuration names it for another cloud",
                site.name(),
                image.id
            );
            continue;
        }
        if in_use.contains(&image.id) {
            log::info!("{}: image {} stays: servers boot from it", site.name(), image.id);
            continue;
        }
        log::info!("{}: deleting image {} ({}), an older one", site.name(), image.id, image.name);
        delete(site, &image.id).await;
    }
}

async fn delete(site: &Site, id: &ImageId) {
    match site.cloud.delete_image(id).await {
        Ok(()) => {}
        Err(failure) if failure.kind == FailureKind::NotFound => {}
        Err(failure) => log::warn!("{}: image {id} stays: {failure}", site.name()),
    }
}
