//! Makes, finds, labels and deletes images: Glance's calls, and Nova's that makes an image of a server.
//!
//! Deliberately touches only images of our own project that carry our pool's id.

use async_trait::async_trait;
use ehos_model::{Failure, ImageId, ServerId, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::OpenStackCloud;
use super::lookup;
use super::transport::{Call, Service};
use super::wire::word;
use crate::images::POOL;
use crate::{Image, ImageStatus, Images, Properties};

#[async_trait]
impl Images for OpenStackCloud {
    async fn find_image(&self, wanted: &str) -> Result<Image, Failure> {
        let all = lookup::find_image(&self.transport, wanted).await?;
        lookup::pick("image", wanted, &all).and_then(read)
    }

    async fn images(&self) -> Result<Vec<Image>, Failure> {
        let token = self.transport.log_in().await?;
        let mut query = vec![(POOL, self.pool.as_str()), ("sort", "created_at:desc")];
        // Others may share an image with everybody and label it as they like.
        query.extend(token.project().map(|project| ("owner", project)));
        let all = self.transport.list(Service::Image, &["images"], "images", &query).await?;
        let ours = all.iter().filter(|entry| entry[POOL] == self.pool.as_str());
        ours.filter(|entry| token.project().is_none_or(|project| entry["owner"] == project))
            .map(read)
            .collect()
    }

    async fn image(&self, image: &ImageId) -> Result<Image, Failure> {
        let answer = self.transport.send(&Call::get(Service::Image, &["images", image.as_str()])).await?;
        read(&answer.json()?)
    }

    async fn stop(&self, server: &ServerId) -> Result<(), Failure> {
        self.act(server, &json!({"os-stop": null})).await.map(drop)
    }

    async fn make_image(
        &self,
        server: &ServerId,
        name: &str,
        properties: &Properties,
    ) -> Result<ImageId, Failure> {
        let mut metadata = properties.clone();
        metadata.insert(POOL.to_owned(), self.pool.to_string());
        let body = json!({"createImage": {"name": name, "metadata": metadata}});
        let answer = self.act(server, &body).await?;
        // From microversion 2.45 on the id stands in the body, before that only at the end of an address.
        let body = answer.json::<Value>().unwrap_or_default();
        let in_address = || answer.location()?.rsplit('/').find(|part| !part.is_empty()).map(str::to_owned);
        let id = word(&body["image_id"]).map(str::to_owned).or_else(in_address);
        id.map(ImageId::from)
            .ok_or_else(|| Failure::transient("createImage: accepted, but the answer has no image id"))
    }

    async fn label(&self, image: &ImageId, properties: &Properties) -> Result<(), Failure> {
        // `add` replaces where it is there already (RFC 6902).
        let changes: Value = properties
            .iter()
            .map(|(key, value)| json!({"op": "add", "path": format!("/{}", pointer(key)), "value": value}))
            .collect();
        let path = ["images", image.as_str()];
        let call = Call { method: Method::PATCH, body: Some(&changes), ..Call::get(Service::Image, &path) };
        self.transport.send(&call).await.map(drop)
    }

    async fn delete_image(&self, image: &ImageId) -> Result<(), Failure> {
        let path = ["images", image.as_str()];
        self.transport.send(&Call { method: Method::DELETE, ..Call::get(Service::Image, &path) }).await?;
        Ok(())
    }
}

/// Escapes a name for a JSON pointer (RFC 6901).
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads an image (*Glance `GET /v2/images/ID`*).
pub(super) fn read(entry: &Value) -> Result<Image, Failure> {
    let Some(id) = word(&entry["id"]) else {
        return Err(Failure::rejected("the answer is not understood: an image has no id"));
    };
    let properties = entry.as_object().into_iter().flatten();
    let ours = properties.filter(|(key, _)| key.starts_with("ehos_"));
    Ok(Image {
        id: ImageId::from(id),
        name: word(&entry["name"]).unwrap_or_default().to_owned(),
        status: status(word(&entry["status"]).unwrap_or_default()),
        created: entry["created_at"].as_str().and_then(|text| text.parse().ok()).unwrap_or(Timestamp::MIN),
        min_disk: entry["min_disk"].as_u64().unwrap_or_default(),
        min_memory: entry["min_ram"].as_u64().unwrap_or_default(),
        properties: ours.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
    })
}

fn status(word: &str) -> ImageStatus {
    match word {
        "active" => ImageStatus::Active,
        "killed" | "deleted" | "pending_delete" | "deactivated" | "error" => {
            ImageStatus::Broken(word.to_owned())
        }
        other => ImageStatus::Coming(other.to_owned()),
    }
}

impl OpenStackCloud {
    /// Has Nova do something with a server (*`POST /servers/ID/action`*).
    pub(super) async fn act(
        &self,
        server: &ServerId,
        body: &Value,
    ) -> Result<super::answer::Answer, Failure> {
        let path = ["servers", server.as_str(), "action"];
        let call = Call { method: Method::POST, body: Some(body), ..Call::get(Service::Compute, &path) };
        self.transport.send(&call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_whatever_is_missing() {
        let bare = read(&json!({"id": "i", "name": null, "status": null, "created_at": null})).unwrap();
        assert_eq!((bare.name.as_str(), &bare.status), ("", &ImageStatus::Coming(String::new())));
        let full = read(&json!({"id": "i", "name": "n", "status": "active", "min_disk": 10, "min_ram": 512,
            "created_at": "2026-01-01T00:00:00Z", "ehos_pool": "p", "os_distro": "debian", "ehos_odd": 7}))
        .unwrap();
        assert_eq!((full.min_disk, full.min_memory), (10, 512));
        assert_eq!(full.properties, Properties::from([("ehos_pool".to_owned(), "p".to_owned())]));
        assert!(read(&json!({"name": "x"})).is_err(), "an image without an id could be any image");
    }

    #[test]
    fn words_of_glance() {
        for (word, expected) in [
            ("active", ImageStatus::Active),
            ("queued", ImageStatus::Coming("queued".into())),
            ("saving", ImageStatus::Coming("saving".into())),
            ("a word of tomorrow", ImageStatus::Coming("a word of tomorrow".into())),
            ("killed", ImageStatus::Broken("killed".into())),
            ("deactivated", ImageStatus::Broken("deactivated".into())),
        ] {
            assert_eq!(status(word), expected, "{word}");
        }
    }

    #[test]
    fn a_property_with_a_slash_stays_one() {
        assert_eq!(pointer("ehos_a/b~c"), "ehos_a~1b~0c");
    }
}
