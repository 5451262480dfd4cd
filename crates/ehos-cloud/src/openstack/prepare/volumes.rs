//! Lists, orders and attaches volumes: Cinder's calls, and Nova's that join a volume and a server.
//!
//! Deliberately waits for nothing: whoever orders a volume looks again until it is there.

use ehos_model::{Failure, FailureKind, ServerId};
use reqwest::Method;
use serde_json::{Value, json};

use super::{id_of, name_of};
use crate::openstack::OpenStackCloud;
use crate::openstack::transport::{Call, Service};
use crate::openstack::wire::{self, word};
use crate::prepare::{Volume, VolumeStatus};

impl OpenStackCloud {
    pub(super) async fn list_volumes(&self) -> Result<Vec<Volume>, Failure> {
        let token = self.transport.log_in().await?;
        let all = self.transport.list(Service::Volume, &["volumes", "detail"], "volumes", &[]).await?;
        all.iter().filter(|entry| self.carries(token.project(), entry)).map(volume).collect()
    }

    /// Lists our volumes; a cloud that has none to sell has none of ours.
    pub(super) async fn list_volumes_if_any(&self) -> Result<Vec<Volume>, Failure> {
        if self.transport.has_volumes().await? { self.list_volumes().await } else { Ok(Vec::new()) }
    }

    pub(super) async fn order_volume(&self, name: &str, size: u64) -> Result<Volume, Failure> {
        let body = json!({"volume": {"name": name, "size": size, "metadata": {wire::POOL: self.pool}}});
        let path = ["volumes"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Volume, &path) };
        self.order_thing(&call, |body| volume(&body["volume"]), || self.named_volume(name)).await
    }

    /// Finds a volume of ours by its name; a broken one is no volume.
    async fn named_volume(&self, name: &str) -> Result<Option<Volume>, Failure> {
        let all = self.list_volumes().await?.into_iter();
        let mut named = all.filter(|one| one.name == name);
        Ok(named.find(|one| !matches!(one.status, VolumeStatus::Broken(_))))
    }

    pub(super) async fn attach_volume(&self, volume: &str, server: &ServerId) -> Result<(), Failure> {
        if self.is_attached(volume, server).await? {
            return Ok(());
        }
        let body = json!({"volumeAttachment": {"volumeId": volume}});
        let path = ["servers", server.as_str(), "os-volume_attachments"];
        let call = Call { method: Method::POST, body: Some(&body), ..Call::get(Service::Compute, &path) };
        match self.transport.send(&call).await {
            Ok(_) => Ok(()),
            Err(failure) if self.is_attached(volume, server).await.unwrap_or(false) => {
                log::debug!("{}: {volume} is attached nevertheless: {failure}", self.name);
                Ok(())
            }
            Err(failure) => Err(not_ready(failure)),
        }
    }

    async fn is_attached(&self, volume: &str, server: &ServerId) -> Result<bool, Failure> {
        let path = ["servers", server.as_str(), "os-volume_attachments"];
        let answer = self.transport.send(&Call::get(Service::Compute, &path)).await?;
        let body: Value = answer.json()?;
        let mut there = body["volumeAttachments"].as_array().into_iter().flatten();
        Ok(there.any(|one| one["volumeId"] == volume))
    }
}

/// Takes Nova's and Cinder's 400 for what it is where a volume is not in the state that a call needs.
pub(super) fn not_ready(mut failure: Failure) -> Failure {
    let words = failure.message.to_lowercase();
    if failure.kind == FailureKind::Rejected
        && ["status must be", "already attached", "in-use"].iter().any(|sign| words.contains(sign))
    {
        failure.kind = FailureKind::Conflict;
    }
    failure
}

/// Reads a volume (*Cinder `GET /volumes/detail`*).
fn volume(entry: &Value) -> Result<Volume, Failure> {
    let attachment = &entry["attachments"][0];
    Ok(Volume {
        id: id_of("volume", entry)?,
        name: name_of(entry),
        size: entry["size"].as_u64().unwrap_or_default(),
        status: status(word(&entry["status"]).unwrap_or_default()),
        server: word(&attachment["server_id"]).map(ServerId::from),
        device: word(&attachment["device"]).map(str::to_owned),
    })
}

fn status(word: &str) -> VolumeStatus {
    match word {
        "available" => VolumeStatus::Available,
        "in-use" => VolumeStatus::InUse,
        word if word.starts_with("error") => VolumeStatus::Broken(word.to_owned()),
        other => VolumeStatus::Changing(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_cinder() {
        for (word, expected) in [
            ("available", VolumeStatus::Available),
            ("in-use", VolumeStatus::InUse),
            ("creating", VolumeStatus::Changing("creating".into())),
            ("error", VolumeStatus::Broken("error".into())),
            ("error_deleting", VolumeStatus::Broken("error_deleting".into())),
            ("a word of tomorrow", VolumeStatus::Changing("a word of tomorrow".into())),
        ] {
            assert_eq!(status(word), expected, "{word}");
        }
    }

    #[test]
    fn what_a_volume_is_not_ready_for_is_a_conflict() {
        for (kind, words, expected) in [
            (
                FailureKind::Rejected,
                "400: Invalid volume: Volume status must be available",
                FailureKind::Conflict,
            ),
            (FailureKind::Rejected, "400: volume v is already attached", FailureKind::Conflict),
            (FailureKind::Rejected, "400: size is no number", FailureKind::Rejected),
            (FailureKind::NotFound, "404: volume in-use", FailureKind::NotFound),
        ] {
            assert_eq!(not_ready(Failure::new(kind, words)).kind, expected, "{words}");
        }
    }

    #[test]
    fn a_volume_is_read_whatever_is_missing() {
        let bare = volume(&json!({"id": "v", "name": null, "status": null, "attachments": []})).unwrap();
        assert_eq!((bare.name.as_str(), bare.size, bare.server), ("", 0, None));
        let held =
            volume(&json!({"id": "v", "attachments": [{"server_id": "s", "device": "/dev/vdb"}]})).unwrap();
        assert_eq!((held.server, held.device.as_deref()), (Some("s".into()), Some("/dev/vdb")));
        assert!(volume(&json!({"name": "v"})).is_err(), "a volume without an id could be any");
    }
}
