//! One cloud, from the first look to the id in the configuration.
//!
//! Deliberately a row of steps that reads from top to bottom; what each does stands in a file of its own.

use std::time::Duration;

use ehos_boot::{Stop, Trouble};
use ehos_cloud::Image;
use ehos_model::{CloudOffer, Flavor, Mebibytes};
use ehos_terminal::Progress;

use crate::done::Done;
use crate::made::Made;
use crate::site::{Order, Prober, Site};
use crate::{base, image, probe, tidy};

/// How many steps there are, for a bar.
pub(crate) const STEPS: u64 = 6;

/// The longest that cleaning up after an interruption may take.
const CLEANS: Duration = Duration::from_mins(5);

/// Builds an image in one cloud; whatever else it makes is deleted again.
pub(crate) async fn build(
    site: &Site,
    order: &Order,
    progress: &Progress,
    stop: &Stop,
) -> Result<Done, Trouble> {
    let mut made = Made::default();
    let mut result = tokio::select! {
        biased;
        () = stop.wanted() => Err(Trouble::interrupted()),
        result = steps(site, order, progress, &mut made) => result,
    };
    let keep = order.keep && result.as_ref().is_err_and(|trouble| !trouble.interrupted);
    progress.say("cleans up");
    let pool = match &order.prober {
        Prober::Pool { pool, .. } => Some(&**pool),
        Prober::Alone => None,
    };
    let cleaning = made.clean_up(&*site.cloud, pool, keep);
    let left = tokio::time::timeout(CLEANS, cleaning)
        .await
        .unwrap_or_else(|_| vec!["the cloud does not answer; run it again to clean up".to_owned()]);
    if keep && let Err(trouble) = &mut result {
        trouble.why.push_str("; its servers are kept, the next run deletes them");
    }
    for what in left {
        log::warn!("{}: {what}", site.name());
    }
    result
}

async fn steps(site: &Site, order: &Order, progress: &Progress, made: &mut Made) -> Result<Done, Trouble> {
    progress.step("looks at the cloud");
    if !order.dry_run {
        tidy::leftovers(site, order).await?;
    }
    let (base, offer, images) =
        tokio::try_join!(site.cloud.find_image(&site.base), site.cloud.offer(), site.cloud.images())
            .map_err(|failure| Trouble::new(failure.message))?;
    let is_configured = |image: &&Image| site.configured.as_deref() == Some(image.id.as_str());
    let mut good = images.iter().filter(|image| image::is_current(image, order, &base));
    // One that is named already is as good as a newer one, and its nodes need not be exchanged.
    let current = good.clone().find(is_configured).or_else(|| good.next());
    if let Some(current) = current.filter(|_| !order.force) {
        return take(site, order, current);
    }
    let flavor = flavor(&offer, &base)?;
    let room = room(&offer, flavor)?;
    if order.dry_run {
        return Ok(Done::Would(format!(
            "build from {} ({}) on a server of {}, told {}",
            base.name, base.id, flavor.name, order.base.origin
        )));
    }

    order.ids.check(site.name())?;

    progress.step("makes the base server");
    let (node, server) = base::order(site, order, &base, &flavor.name, made).await?;
    progress.step("waits until the base server is set up and clean");
    let ready = base::ready(site, order, node, server).await?;

    progress.step("makes the image");
    let id = image::make(site, order, &base, &ready, made).await?;
    if room < 2 {
        // The probe needs its place.
        made.drop_server(&*site.cloud, &ready.node).await?;
    }

    progress.step("boots a node of the image and runs a job on it");
    probe::probe(site, order, &id, flavor, made).await?;
    image::pass(site, &id).await?;
    made.proven();

    progress.step("writes the id into the configuration");
    order.ids.image(site.name(), id.as_str())?;
    tidy::old_images(site, order, &id).await;
    Ok(Done::Built { image: id.to_string(), htcondor: ready.htcondor })
}

/// Takes a good image that is there already.
fn take(site: &Site, order: &Order, image: &Image) -> Result<Done, Trouble> {
    let id = image.id.to_string();
    // A name would do as long as no other image has it; an id says which.
    if site.configured.as_deref() == Some(image.id.as_str()) {
        return Ok(Done::UpToDate { image: id });
    }
    if order.dry_run {
        return Ok(Done::Would(format!("write the id of the good image {id} into the configuration")));
    }
    order.ids.image(site.name(), &id)?;
    Ok(Done::Found { image: id })
}

/// Chooses the first configured flavor that the base image fits on.
fn flavor<'a>(offer: &'a CloudOffer, base: &Image) -> Result<&'a Flavor, Trouble> {
    let (disk, memory) = (Mebibytes::from_gibibytes(base.min_disk), Mebibytes(base.min_memory));
    // A flavor without a disk has as much as the image.
    let fits = |flavor: &&Flavor| {
        (flavor.size.disk >= disk || flavor.size.disk.0 == 0) && flavor.size.memory >= memory
    };
    offer.flavors.iter().find(fits).ok_or_else(|| {
        let names: Vec<_> = offer.flavors.iter().map(|flavor| flavor.name.as_str()).collect();
        Trouble::new(if names.is_empty() {
            "the cloud has none of the configured flavors (ehos.flavors)".to_owned()
        } else {
            format!(
                "the image {} needs {disk} of disk and {memory} of memory; none of {} has that",
                base.name,
                names.join(", ")
            )
        })
    })
}

/// Tells for how many servers of a flavor the quota has room; at least one.
fn room(offer: &CloudOffer, flavor: &Flavor) -> Result<u64, Trouble> {
    let quota = &offer.quota;
    let per = |left: u64, ask: u64| left.checked_div(ask).unwrap_or(u64::MAX);
    let room = quota
        .instances
        .left()
        .min(per(quota.cores.left(), flavor.size.cores.into()))
        .min(per(quota.memory.left(), flavor.size.memory.0));
    if room > 0 {
        return Ok(room);
    }
    let of = |what: &str, allowance: &ehos_model::Allowance| {
        let max = allowance.max.map_or_else(|| "no limit".to_owned(), |max| max.to_string());
        format!("{what} {} of {max}", allowance.used)
    };
    Err(Trouble::new(format!(
        "the quota has no room for a server of {} ({}): in use are {}, {}, {} MiB",
        flavor.name,
        flavor.size,
        of("instances", &quota.instances),
        of("cores", &quota.cores),
        of("memory", &quota.memory),
    )))
}
