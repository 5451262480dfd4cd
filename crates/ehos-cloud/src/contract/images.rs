//! What every cloud behind [`Images`] must do, as one check for the embedded cloud and for a real one.
//!
//! Deliberately makes one server and one image, and deletes both again, also when a check fails.

use std::time::Instant;

use ehos_model::{FailureKind, ImageId, NodeId, Role, ServerId, ServerStatus};
use secrecy::SecretSlice;

use super::{Broken, Checked, LOOK, Terms, broken, ensure, until};
use crate::images::POOL;
use crate::{Image, ImageStatus, Images, Properties, ServerOrder};

/// Checks `cloud`; `stranger` is the same cloud as another pool sees it, `base` the name or id of an image it has.
///
/// # Errors
/// The first rule that is broken. What was made is deleted all the same.
pub async fn check(
    cloud: &dyn Images,
    stranger: &dyn Images,
    terms: &Terms,
    base: &str,
) -> Result<Vec<&'static str>, Broken> {
    let mut made = Made::default();
    let mut held = Vec::new();
    let result = rules(cloud, stranger, terms, base, &mut made, &mut held).await;
    if let Some(image) = &made.image {
        _ = cloud.delete_image(image).await;
    }
    if let Some(server) = &made.server {
        _ = cloud.delete(server).await;
    }
    result.map(|()| held)
}

#[derive(Default)]
struct Made {
    server: Option<ServerId>,
    image: Option<ImageId>,
}

async fn rules(
    cloud: &dyn Images,
    stranger: &dyn Images,
    terms: &Terms,
    base: &str,
    made: &mut Made,
    held: &mut Vec<&'static str>,
) -> Checked<()> {
    let rule = "an image that is not there is not found, and what is there is named";
    unknown(cloud, rule).await?;
    held.push(rule);

    let rule = "a server is made from the image that is ordered";
    let found = cloud.find_image(base).await.map_err(|failure| broken(rule, &failure))?;
    ensure(found.status == ImageStatus::Active, rule, || format!("{found:?}"))?;
    let server = boot(cloud, terms, &found, made).await?;
    until(cloud, terms, rule, |servers| {
        servers.iter().any(|one| one.id == server && one.status == ServerStatus::Active)
    })
    .await?;
    let servers = cloud.servers().await.map_err(|failure| broken(rule, &failure))?;
    let image = servers.iter().find(|one| one.id == server).and_then(|one| one.image.clone());
    ensure(image.as_ref() == Some(&found.id), rule, || format!("{image:?}"))?;
    held.push(rule);

    let rule = "a server that is stopped is SHUTOFF within the deadline, and cannot be stopped again";
    cloud.stop(&server).await.map_err(|failure| broken(rule, &failure))?;
    until(cloud, terms, rule, |servers| {
        servers.iter().any(|one| one.id == server && one.status == ServerStatus::Shutoff)
    })
    .await?;
    let again = cloud.stop(&server).await;
    ensure(matches!(&again, Err(f) if f.kind == FailureKind::Conflict), rule, || format!("{again:?}"))?;
    held.push(rule);

    let rule = "an image of it carries our pool's id and its properties from the first, for us alone";
    let properties = Properties::from([("ehos_contract".to_owned(), terms.prefix.clone())]);
    let made_image = cloud.make_image(&server, &format!("{}-image", terms.prefix), &properties).await;
    let id = made_image.map_err(|failure| broken(rule, &failure))?;
    made.image = Some(id.clone());
    let mine = listed(cloud, &id, rule).await?;
    ensure(carries(mine.as_ref(), "ehos_contract", &terms.prefix), rule, || format!("{mine:?}"))?;
    ensure(mine.is_some_and(|image| image.properties.contains_key(POOL)), rule, || "no pool".into())?;
    let theirs = listed(stranger, &id, rule).await?;
    ensure(theirs.is_none(), rule, || format!("another pool sees {theirs:?}"))?;
    held.push(rule);

    let rule = "it becomes active within the deadline";
    active(cloud, terms, &id, rule).await?;
    held.push(rule);

    let rule = "it can be labelled, and labelled anew";
    for value in ["one", "two"] {
        let label = Properties::from([("ehos_label".to_owned(), value.to_owned())]);
        cloud.label(&id, &label).await.map_err(|failure| broken(rule, &failure))?;
        let image = cloud.image(&id).await.map_err(|failure| broken(rule, &failure))?;
        let both = carries(Some(&image), "ehos_label", value)
            && carries(Some(&image), "ehos_contract", &terms.prefix);
        ensure(both, rule, || format!("{image:?}"))?;
    }
    held.push(rule);

    let rule = "a deleted image is not found";
    cloud.delete_image(&id).await.map_err(|failure| broken(rule, &failure))?;
    let answers = [cloud.image(&id).await.map(drop), cloud.delete_image(&id).await];
    let gone = |answer: &Result<(), ehos_model::Failure>| matches!(answer, Err(f) if f.kind == FailureKind::NotFound);
    ensure(answers.iter().all(gone), rule, || format!("{answers:?}"))?;
    held.push(rule);
    Ok(())
}

async fn unknown(cloud: &dyn Images, rule: &'static str) -> Checked<()> {
    let answer = cloud.find_image("no such image").await;
    ensure(matches!(&answer, Err(f) if f.kind == FailureKind::NotFound), rule, || format!("{answer:?}"))?;
    let nobody = ImageId::from("00000000-0000-4000-8000-000000000000");
    let answer = cloud.delete_image(&nobody).await;
    ensure(matches!(&answer, Err(f) if f.kind == FailureKind::NotFound), rule, || format!("{answer:?}"))
}

async fn boot(cloud: &dyn Images, terms: &Terms, base: &Image, made: &mut Made) -> Checked<ServerId> {
    let node = NodeId::from(format!("{}-base", terms.prefix));
    let order = ServerOrder {
        image: Some(base.id.clone()),
        user_data: SecretSlice::default(),
        ..ServerOrder::new(node, Role::Build, terms.flavor.clone())
    };
    let id = cloud.create(&order).await.map_err(|failure| broken("an order is accepted", &failure))?;
    made.server = Some(id.clone());
    Ok(id)
}

async fn listed(cloud: &dyn Images, id: &ImageId, rule: &'static str) -> Checked<Option<Image>> {
    let images = cloud.images().await.map_err(|failure| broken(rule, &failure))?;
    Ok(images.into_iter().find(|image| image.id == *id))
}

fn carries(image: Option<&Image>, key: &str, value: &str) -> bool {
    image.and_then(|image| image.properties.get(key)).is_some_and(|found| found == value)
}

async fn active(cloud: &dyn Images, terms: &Terms, id: &ImageId, rule: &'static str) -> Checked<()> {
    let begun = Instant::now();
    loop {
        let image = cloud.image(id).await.map_err(|failure| broken(rule, &failure))?;
        if image.status == ImageStatus::Active {
            return Ok(());
        }
        ensure(begun.elapsed() < terms.deadline, rule, || format!("{image:?}"))?;
        tokio::time::sleep(LOOK).await;
    }
}
