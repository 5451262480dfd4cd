//! Images of an embedded cloud: made of servers, and booted from by others.
//!
//! Deliberately without content: what a server says on its console follows from its role and from what it boots.

use std::time::Duration;

use async_trait::async_trait;
use ehos_cloud::images::POOL;
use ehos_cloud::{Image, ImageStatus, Images, Properties};
use ehos_model::{CloudName, Failure, FailureKind, ImageId, PoolId, ServerId, ServerStatus};

use crate::cloud::EmbeddedCloud;
use crate::state::{Event, Moment, State};

/// The image that is always there, by this id and this name.
pub(crate) const BASE: &str = "embedded";

/// From the accepted call to an image that is active.
const MAKING: Duration = Duration::from_secs(5);

/// What a server says that an image is to be made of: see the marks in `share/base.yaml`.
const INSTALLED: &str = "EHOS image: HTCondor 23.9.6 is installed\nThe EHOS vm is up after 42 seconds";
const CLEAN: &str = "EHOS image: clean";

/// What a server says that was booted from a fresh image and has no pool to join.
const PROBED: &str = "The EHOS vm is up after 9 seconds\nEHOS probe: passed";

/// How long the clean-up takes.
const CLEANING: Duration = Duration::from_secs(2);

/// What becomes of the next image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NextImage {
    #[default]
    Fine,
    /// It is made, and nobody is told its id.
    AnswerLost,
    /// It ends in *`killed`*.
    Breaks,
    /// It goes away again, as Nova deletes what it could not finish.
    Vanishes,
    /// It stays *`queued`*.
    Hangs,
}

/// An image, with what the cloud alone knows of it.
pub(crate) struct ImageRecord {
    cloud: CloudName,
    name: String,
    status: ImageStatus,
    created: Moment,
    properties: Properties,
}

impl State {
    /// Has a server of role `build` say what it is there to say.
    pub(crate) fn server_speaks(&mut self, id: &ServerId) {
        let Some(server) = self.servers.get_mut(id).filter(|one| one.status == ServerStatus::Active) else {
            return;
        };
        if let Some(words) = server.words.clone() {
            server.console.push(words);
        } else if self.images.contains_key(&server.image) {
            server.console.push(PROBED.to_owned());
        } else {
            server.console.push(INSTALLED.to_owned());
            self.after(CLEANING, Event::PowersOff(id.clone()));
        }
    }

    /// Has a server power itself off, its disk cleaned.
    pub(crate) fn server_powers_off(&mut self, id: &ServerId) {
        if let Some(server) = self.servers.get_mut(id).filter(|one| one.status == ServerStatus::Active) {
            server.console.push(CLEAN.to_owned());
            server.status = ServerStatus::Shutoff;
        }
    }

    /// Ends the making of an image.
    pub(crate) fn image_done(&mut self, id: &ImageId, next: NextImage) {
        match next {
            NextImage::Vanishes => drop(self.images.remove(id)),
            NextImage::Hangs => {}
            NextImage::Fine | NextImage::AnswerLost | NextImage::Breaks => {
                if let Some(image) = self.images.get_mut(id) {
                    let broken = next == NextImage::Breaks;
                    image.status =
                        if broken { ImageStatus::Broken("killed".into()) } else { ImageStatus::Active };
                }
            }
        }
    }

    fn make_image(
        &mut self,
        cloud: &CloudName,
        pool: &PoolId,
        server: &ServerId,
        name: &str,
        properties: &Properties,
    ) -> Result<ImageId, Failure> {
        let found = self.servers.get(server).filter(|one| one.cloud == *cloud);
        let Some(found) = found else { return Err(missing("server", server.as_str())) };
        if !matches!(found.status, ServerStatus::Active | ServerStatus::Shutoff) {
            let words = format!("server {server} is {}", found.status);
            return Err(Failure::new(FailureKind::Conflict, words));
        }
        let next = self.clouds.get_mut(cloud).map(|cloud| std::mem::take(&mut cloud.next_image));
        let next = next.unwrap_or_default();
        let id = ImageId::from(format!("image-{}", self.images.len() + 1));
        let mut properties = properties.clone();
        properties.insert(POOL.to_owned(), pool.to_string());
        let image = ImageRecord {
            cloud: cloud.clone(),
            name: name.to_owned(),
            status: ImageStatus::Coming("queued".to_owned()),
            created: self.now,
            properties,
        };
        self.images.insert(id.clone(), image);
        self.after(MAKING, Event::ImageDone(id.clone(), next));
        if next == NextImage::AnswerLost {
            return Err(Failure::transient("the answer was lost on its way"));
        }
        Ok(id)
    }

    fn image(&self, cloud: &CloudName, id: &ImageId) -> Result<Image, Failure> {
        let record = self.images.get(id).filter(|image| image.cloud == *cloud);
        let Some(record) = record else { return Err(missing("image", id.as_str())) };
        Ok(Image {
            id: id.clone(),
            name: record.name.clone(),
            status: record.status.clone(),
            created: self.timestamp(record.created),
            min_disk: 0,
            min_memory: 0,
            properties: record.properties.clone(),
        })
    }

    /// Lists the images that were made in a cloud, the newest first.
    pub(crate) fn all_images(&self, cloud: &CloudName) -> Vec<Image> {
        self.image_ids(cloud).iter().filter_map(|id| self.image(cloud, id).ok()).collect()
    }

    fn image_ids(&self, cloud: &CloudName) -> Vec<ImageId> {
        let mut here: Vec<_> = self.images.iter().filter(|(_, image)| image.cloud == *cloud).collect();
        here.sort_by(|a, b| b.1.created.cmp(&a.1.created).then(b.0.cmp(a.0)));
        here.into_iter().map(|(id, _)| id.clone()).collect()
    }
}

fn missing(what: &str, id: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("{what} {id} does not exist"))
}

#[async_trait]
impl Images for EmbeddedCloud {
    async fn find_image(&self, wanted: &str) -> Result<Image, Failure> {
        self.call().await?;
        let state = self.world.state();
        if wanted == BASE {
            return Ok(Image {
                id: ImageId::from(BASE),
                name: BASE.to_owned(),
                status: ImageStatus::Active,
                created: state.timestamp(Moment::ZERO),
                min_disk: 0,
                min_memory: 0,
                properties: Properties::new(),
            });
        }
        let all = state.all_images(&self.name);
        all.into_iter()
            .filter(|image| image.status == ImageStatus::Active)
            .find(|image| image.id.as_str() == wanted || image.name == wanted)
            .ok_or_else(|| missing("image", wanted))
    }

    async fn images(&self) -> Result<Vec<Image>, Failure> {
        self.call().await?;
        let state = self.world.state();
        let all = state.all_images(&self.name);
        Ok(all
            .into_iter()
            .filter(|image| image.properties.get(POOL).is_some_and(|pool| *pool == *self.pool.as_str()))
            .collect())
    }

    async fn image(&self, image: &ImageId) -> Result<Image, Failure> {
        self.call().await?;
        self.world.state().image(&self.name, image)
    }

    async fn stop(&self, server: &ServerId) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        let found = state.servers.get_mut(server).filter(|one| one.cloud == self.name);
        let Some(found) = found else { return Err(missing("server", server.as_str())) };
        if found.status != ServerStatus::Active {
            let words = format!("server {server} is {}", found.status);
            return Err(Failure::new(FailureKind::Conflict, words));
        }
        found.status = ServerStatus::Shutoff;
        Ok(())
    }

    async fn make_image(
        &self,
        server: &ServerId,
        name: &str,
        properties: &Properties,
    ) -> Result<ImageId, Failure> {
        self.call().await?;
        self.world.state().make_image(&self.name, &self.pool, server, name, properties)
    }

    async fn label(&self, image: &ImageId, properties: &Properties) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        let found = state.images.get_mut(image).filter(|image| image.cloud == self.name);
        let Some(found) = found else { return Err(missing("image", image.as_str())) };
        found.properties.extend(properties.clone());
        Ok(())
    }

    async fn delete_image(&self, image: &ImageId) -> Result<(), Failure> {
        self.call().await?;
        let mut state = self.world.state();
        state.image(&self.name, image)?;
        state.images.remove(image);
        Ok(())
    }
}
