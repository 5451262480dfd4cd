//! Images of a fake OpenStack that answers in its several ways.

use ehos_cloud::{ImageStatus, Images as _, Properties};
use ehos_model::FailureKind;
use serde_json::{Value, json};

use crate::fake::{Fake, POOL, Reply};

const ACTION: &str = "POST /nova/v2.1/servers/s/action";
const IMAGES: &str = "GET /glance/v2/images";

fn label(key: &str, value: &str) -> Properties {
    Properties::from([(key.to_owned(), value.to_owned())])
}

#[tokio::test]
async fn an_image_is_ours_from_the_call_that_makes_it() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let at = "http://glance/v2/images/in-address";
    for (row, reply, expected) in [
        ("microversion 2.45 and later", Reply::Json(202, json!({"image_id": "in-body"})), Some("in-body")),
        ("before that", Reply::With(202, "location", at, Value::Null), Some("in-address")),
        ("neither: it may have been made", Reply::Text(202, ""), None),
    ] {
        fake.on(ACTION, 1, reply);
        let made = cloud.make_image(&"s".into(), "n", &label("ehos_node", "b")).await;
        match (made, expected) {
            (Ok(id), Some(expected)) => assert_eq!(id.as_str(), expected, "{row}"),
            (Err(failure), None) => assert!(failure.is_ambiguous(), "{row}: {failure}"),
            (made, _) => panic!("{row}: {made:?}"),
        }
    }
    let expected = json!({"createImage": {"name": "n", "metadata": {"ehos_pool": POOL, "ehos_node": "b"}}});
    assert!(fake.seen(ACTION).iter().all(|seen| seen.body == expected));
}

#[tokio::test]
async fn only_images_of_our_project_with_our_label_are_ours() {
    let fake = Fake::start().await;
    let image = |id: &str, pool: Value, owner: &str| json!({"id": id, "status": "active", "ehos_pool": pool, "owner": owner});
    let all = json!({"images": [
        image("ours", json!(POOL), "pid"),
        image("another pool's", json!("pool-11"), "pid"),
        image("nobody's", Value::Null, "pid"),
        image("shared by a stranger", json!(POOL), "stranger"),
    ]});
    fake.on(IMAGES, 1, Reply::Json(200, all));
    let ours = fake.cloud().images().await.unwrap();
    assert_eq!(ours.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(), ["ours"]);
    let query = &fake.seen(IMAGES)[0].query;
    assert!(query.contains("ehos_pool=pool-1") && query.contains("owner=pid"), "{query}");
}

#[tokio::test]
async fn labels_go_as_glances_kind_of_patch() {
    let fake = Fake::start().await;
    fake.on("PATCH /glance/v2/images/i", 1, Reply::Json(200, json!({"id": "i"})));
    fake.cloud().label(&"i".into(), &label("ehos_probed", "yes")).await.unwrap();
    let seen = &fake.seen("PATCH /glance/v2/images/i")[0];
    assert_eq!(seen.headers["content-type"], "application/openstack-images-v2.1-json-patch");
    assert_eq!(seen.body, json!([{"op": "add", "path": "/ehos_probed", "value": "yes"}]));
}

#[tokio::test]
async fn failures_are_of_the_kind_that_is_decided_on() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let say = |status, words: &str| Reply::Json(status, json!({"conflictingRequest": {"message": words}}));
    fake.on(ACTION, 1, say(409, "Cannot 'stop' instance while it is in vm_state stopped"));
    assert_eq!(cloud.stop(&"s".into()).await.unwrap_err().kind, FailureKind::Conflict);
    fake.on(ACTION, 1, say(403, "Quota exceeded for snapshots"));
    let made = cloud.make_image(&"s".into(), "n", &Properties::new()).await;
    assert_eq!(made.unwrap_err().kind, FailureKind::Quota);
    assert_eq!(cloud.image(&"gone".into()).await.unwrap_err().kind, FailureKind::NotFound);
    assert_eq!(cloud.delete_image(&"gone".into()).await.unwrap_err().kind, FailureKind::NotFound);
    let missing = cloud.find_image("no.such").await.unwrap_err();
    assert_eq!(missing.message, "the cloud has no image 'no.such'; it has: img");
    assert_eq!(
        cloud.find_image("img").await.unwrap().status,
        ImageStatus::Active,
        "the one that can be used"
    );
}
