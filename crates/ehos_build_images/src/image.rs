//! The image: made of the base server's disk, and waited for until servers can boot from it.
//!
//! Deliberately says by properties all that a later run, or an administrator, wants to know of it.

use ehos_boot::{LOOK, Trouble, span};
use ehos_cloud::{Image, ImageStatus, Properties};
use ehos_model::{FailureKind, ImageId};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::base::Ready;
use crate::made::Made;
use crate::site::{Order, Site};

/// Property: the version of EHOS that made it.
const VERSION: &str = "ehos_version";
/// Property: HTCondor's version in it.
pub(crate) const HTCONDOR: &str = "ehos_htcondor";
/// Property: the id of the image that its server was made from.
pub(crate) const BASE_IMAGE: &str = "ehos_base_image";
/// Property: SHA-256 of the base.yaml that its server was told.
pub(crate) const BASE_YAML: &str = "ehos_base_yaml";
/// Property: when a node of it ran a job; without it, an image is not good.
pub(crate) const PROBED: &str = "ehos_probed";

/// Makes the image and waits until it is active.
pub(crate) async fn make(
    site: &Site,
    order: &Order,
    base: &Image,
    ready: &Ready,
    made: &mut Made,
) -> Result<ImageId, Trouble> {
    let mut properties = Properties::from(
        [
            (VERSION, env!("CARGO_PKG_VERSION")),
            (BASE_IMAGE, base.id.as_str()),
            (BASE_YAML, order.base.fingerprint.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    properties.extend(ready.htcondor.iter().map(|version| (HTCONDOR.to_owned(), version.clone())));
    let name = format!("{}-node-{}", site.prefix, Timestamp::now().strftime("%Y%m%d-%H%M%S"));
    let id = made.image(&*site.cloud, &ready.server, &ready.node, &name, properties).await;
    let id = id.map_err(|failure| Trouble::during("no image can be made of the base server", failure))?;
    active(site, order, &id).await?;
    Ok(id)
}

async fn active(site: &Site, order: &Order, id: &ImageId) -> Result<(), Trouble> {
    let end = Instant::now() + order.timeout;
    loop {
        let state = match site.cloud.image(id).await {
            Ok(Image { status: ImageStatus::Active, .. }) => return Ok(()),
            Ok(Image { status: ImageStatus::Broken(word), .. }) => {
                let why =
                    format!("the image {id} became {word} instead of active: the cloud could not finish it");
                return Err(Trouble::new(why));
            }
            Ok(Image { status: ImageStatus::Coming(word), .. }) => format!("is still {word}"),
            Err(failure) if failure.kind == FailureKind::NotFound => {
                let why =
                    format!("the image {id} is gone before it was active: the cloud could not finish it");
                return Err(Trouble::new(why));
            }
            Err(failure) => format!("cannot be asked for: {failure}"),
        };
        if Instant::now() >= end {
            return Err(Trouble::new(format!("the image {id} {state} after {}", span(order.timeout))));
        }
        sleep(LOOK).await;
    }
}

/// Labels an image as good.
pub(crate) async fn pass(site: &Site, id: &ImageId) -> Result<(), Trouble> {
    let probed = Properties::from([(PROBED.to_owned(), format!("{:.0}", Timestamp::now()))]);
    let labelled = site.cloud.label(id, &probed).await;
    labelled.map_err(|failure| Trouble::during("the image has passed, but cannot be labelled", failure))
}

/// Tells whether an image is good and made of the same as one would be now.
pub(crate) fn is_current(image: &Image, order: &Order, base: &Image) -> bool {
    let is = |key: &str, value: &str| image.properties.get(key).is_some_and(|found| found == value);
    image.status == ImageStatus::Active
        && image.properties.contains_key(PROBED)
        && is(BASE_YAML, &order.base.fingerprint)
        && is(BASE_IMAGE, base.id.as_str())
}
