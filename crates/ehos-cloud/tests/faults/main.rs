//! How the OpenStack cloud behaves when OpenStack does not, on a fake one over HTTP.

#[cfg(test)]
mod fake;
#[cfg(test)]
mod images;
#[cfg(test)]
mod prepare;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ehos_cloud::{Cloud, OpenStackCloud, ServerOrder};
use ehos_model::{
    CloudAccess, Domain, Failure, FailureKind, Login, Mebibytes, Resources, Role, ServerId, ServerSettings,
    ServerStatus,
};
use fake::{Fake, PASSWORD, POOL, Reply, TOKEN, cloud_with, settings};
use serde_json::{Value, json};

const SECRET: &str = "join-token-never-seen";
/// `SECRET` with `#!` before it, as it goes over the wire.
const SECRET_BASE64: &str = "IyFqb2luLXRva2VuLW5ldmVyLXNlZW4=";
const LATER: FailureKind = FailureKind::Transient { retry_after: None };

const CREATE: &str = "POST /nova/v2.1/servers";
const LIST: &str = "GET /nova/v2.1/servers/detail";
const LIMITS: &str = "GET /nova/v2.1/limits";
const LOGIN: &str = "POST /v3/auth/tokens";

fn order() -> ServerOrder {
    let user_data = format!("#!{SECRET}").into_bytes().into();
    let template = Some("f00d".to_owned());
    ServerOrder { template, user_data, ..ServerOrder::new("node-1".into(), Role::Execute, "m1.small".into()) }
}

fn fault(kind: &str, message: &str) -> Value {
    json!({kind: {"message": message, "code": 0}})
}

#[tokio::test]
async fn a_dead_token_costs_one_login_however_many_calls_meet_it() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    cloud.servers().await.unwrap();
    fake.revoke();
    let calls: Vec<_> = (0..10).map(|_| cloud.servers()).collect();
    for result in join(calls).await {
        assert_eq!(result, Ok(vec![]));
    }
    assert_eq!(fake.logins(), 2, "one to begin with, one for all ten");
}

#[tokio::test]
async fn a_refused_login_is_tried_once_for_all_who_wait() {
    let fake = Fake::start().await;
    fake.on(LOGIN, 1, Reply::Json(401, fault("error", "requires authentication")));
    let cloud = fake.cloud();
    let calls: Vec<_> = (0..10).map(|_| cloud.servers()).collect();
    for result in join(calls).await {
        let failure = result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Auth);
        let words = "login: username, password, project or domain are refused: 401: requires authentication (req-fake)";
        assert_eq!(failure.message, words, "whichever call it was");
    }
    assert_eq!(fake.logins(), 1);
    cloud.servers().await.unwrap();
    assert_eq!(fake.logins(), 2, "and anew by the next call");
}

#[tokio::test]
async fn a_failed_login_tells_which_lines_are_wrong() {
    let fake = Fake::start().await;
    let at = &fake.access().auth_url;
    for (reply, words) in [
        (
            Reply::Json(404, fault("error", "not here")),
            format!("login: 404: not here (req-fake); is {at} (auth_url) Keystone's address, ending in /v3?"),
        ),
        (Reply::Json(403, fault("error", "not you")), "login: 403: not you (req-fake)".to_owned()),
    ] {
        fake.on(LOGIN, 1, reply);
        let failure = fake.cloud().servers().await.unwrap_err();
        assert_eq!(failure.message, words);
        assert_ne!(failure.kind, FailureKind::NotFound, "no server is known to be gone");
    }
    fake.on(LOGIN, 1, Reply::Json(401, fault("error", "no")));
    let login = Login::ApplicationCredential { id: "id".into(), secret: PASSWORD.into() };
    let failure = cloud_with(CloudAccess { login, ..fake.access() }, settings()).servers().await.unwrap_err();
    assert_eq!(failure.message, "login: the application credential is refused: 401: no (req-fake)");
}

#[tokio::test]
async fn a_401_that_stays_is_auth() {
    let fake = Fake::start().await;
    fake.on(LIST, 9, Reply::Json(401, fault("error", "no")));
    assert_eq!(fake.cloud().servers().await.unwrap_err().kind, FailureKind::Auth);
    assert_eq!((fake.count(LIST), fake.logins()), (2, 2), "one renewed login, no more");
}

#[tokio::test]
async fn tokens_with_a_short_life_are_used_for_most_of_it() {
    let fake = Fake::start().await;
    *fake.token_life.lock().unwrap() = "2026-01-01T00:00:15.000000Z";
    let cloud = fake.cloud();
    for _ in 0..5 {
        cloud.servers().await.unwrap();
    }
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn nothing_is_waited_for_longer_than_the_time_limit() {
    for hangs in [LOGIN, LIST, "GET /nova/v2.1"] {
        let fake = Fake::start().await;
        fake.on(hangs, 1, Reply::Hang);
        let mut access = fake.access();
        access.timeout = Duration::from_millis(300);
        let begun = Instant::now();
        let failure = cloud_with(access, settings()).servers().await.unwrap_err();
        assert_eq!(failure.kind, LATER, "{hangs}");
        assert!(failure.message.contains("no answer within 300ms"), "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{hangs}");
    }
}

#[tokio::test]
async fn a_cloud_that_is_down_fails_the_call_and_not_the_start() {
    let fake = Fake::start().await;
    let mut access = fake.access();
    access.auth_url = "http://127.0.0.1:9/v3".into();
    let failure = cloud_with(access, settings()).servers().await.unwrap_err();
    let words = "cannot reach http://127.0.0.1:9/v3 (auth_url): connection refused";
    assert_eq!(failure, Failure::transient(words));
}

#[tokio::test]
async fn a_create_is_posted_once_whatever_happens() {
    let again = FailureKind::Transient { retry_after: Some(Duration::from_secs(7)) };
    let slow = |status| Reply::With(status, "retry-after", "7", fault("overLimit", "slow down"));
    let echo = format!("Invalid input for field user_data. Value: {SECRET_BASE64}. No.");
    for (reply, kind, words, row) in [
        (Reply::Json(500, fault("computeFault", "oops")), LATER, "500: oops (req-fake)", "500"),
        (slow(503), again.clone(), "503", "503 with Retry-After"),
        (slow(429), again.clone(), "429", "429 with Retry-After"),
        (slow(413), again, "413", "413 with Retry-After"),
        (Reply::Hang, LATER, "no answer", "time-out"),
        (Reply::Cut, LATER, "cut off", "cut connection"),
        (Reply::Text(202, "{\"serv"), LATER, "accepted", "accepted, answer unreadable"),
        (Reply::Json(202, json!({})), LATER, "accepted", "accepted, no id"),
        (
            Reply::Json(403, fault("forbidden", "Quota exceeded for cores")),
            FailureKind::Quota,
            "cores",
            "quota",
        ),
        (Reply::Json(403, fault("forbidden", "not yours")), FailureKind::Auth, "not yours", "policy"),
        (Reply::Json(409, fault("conflictingRequest", "twice")), FailureKind::Conflict, "twice", "conflict"),
        (Reply::Json(400, fault("badRequest", "Invalid key")), FailureKind::Rejected, "Invalid key", "bad"),
        (Reply::Json(404, fault("itemNotFound", "no image")), FailureKind::Rejected, "no image", "not found"),
        (
            Reply::Json(400, fault("badRequest", &echo)),
            FailureKind::Rejected,
            "(user-data)",
            "echo of user-data",
        ),
        (
            Reply::With(302, "location", "http://127.0.0.2/x", json!({})),
            FailureKind::Rejected,
            "302",
            "redirected",
        ),
    ] {
        let fake = Fake::start().await;
        let mut access = fake.access();
        access.timeout = Duration::from_secs(1);
        let cloud = cloud_with(access, settings());
        cloud.offer().await.unwrap();
        fake.on(CREATE, 1, reply);
        let failure = cloud.create(&order()).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{row}: {failure}");
        assert!(failure.message.contains(words), "{row}: {failure}");
        assert!(failure.message.starts_with("POST /servers: "), "{row}: {failure}");
        assert!(!failure.message.contains(&SECRET_BASE64[..16]), "{row}: {failure}");
        assert_eq!(fake.count(CREATE), 1, "{row}");
    }
}

#[tokio::test]
async fn a_create_after_a_401_is_posted_again_since_nothing_was_done() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    cloud.offer().await.unwrap();
    fake.revoke();
    assert_eq!(cloud.create(&order()).await, Ok("new".into()));
    assert_eq!(fake.count(CREATE), 2);
}

#[tokio::test]
async fn a_create_carries_our_marks_from_the_first_and_is_one_round_trip() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    cloud.offer().await.unwrap();
    let calls = fake.all().len();
    cloud.create(&order()).await.unwrap();
    assert_eq!(fake.all().len(), calls + 1, "ids, token and version are ready");
    let seen = &fake.seen(CREATE)[0];
    assert_eq!(
        seen.body,
        json!({"server": {
            "name": "node-1", "flavorRef": "1", "imageRef": "img-1", "key_name": "key",
            "networks": [{"uuid": "net-1"}], "security_groups": [{"name": "sg-1"}], "user_data": SECRET_BASE64,
            "metadata": {"ehos:pool": POOL, "ehos:node": "node-1", "ehos:role": "execute",
                "ehos:flavor": "m1.small", "ehos:image": "img-1", "ehos:template": "f00d",
                "ehos:version": env!("CARGO_PKG_VERSION")},
        }})
    );
}

#[tokio::test]
async fn what_is_not_configured_is_left_to_nova() {
    let fake = Fake::start().await;
    let bare =
        ServerSettings { image: Some("img".into()), flavors: vec!["1".into()], ..ServerSettings::default() };
    let cloud = cloud_with(fake.access(), bare);
    cloud.create(&ServerOrder { flavor: "1".into(), user_data: Vec::new().into(), ..order() }).await.unwrap();
    let server = &fake.seen(CREATE)[0].body["server"];
    assert_eq!(server["networks"], "auto");
    for key in ["key_name", "security_groups", "user_data"] {
        assert!(server.get(key).is_none(), "{key}");
    }
    assert_eq!(fake.count("GET /neutron/v2.0/networks"), 0, "nor asked for");
}

#[tokio::test]
async fn user_data_beyond_novas_limit_is_not_sent() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    for (length, fits) in [(49_149, true), (49_152, false)] {
        let result = cloud.create(&ServerOrder { user_data: vec![b'x'; length].into(), ..order() }).await;
        assert_eq!(result.is_ok(), fits, "{length} bytes: {result:?}");
    }
    assert_eq!(fake.count(CREATE), 1);
}

#[tokio::test]
async fn a_refused_create_has_the_names_looked_up_again() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let look_ups = || fake.count("GET /glance/v2/images");
    cloud.offer().await.unwrap();
    cloud.offer().await.unwrap();
    assert_eq!((look_ups(), fake.count(LIMITS)), (1, 2), "ids are kept, the quota is asked each time");
    fake.on(CREATE, 1, Reply::Json(400, fault("badRequest", "Can not find requested image")));
    cloud.create(&order()).await.unwrap_err();
    cloud.offer().await.unwrap();
    assert_eq!(look_ups(), 2);
}

#[tokio::test]
async fn an_offer_has_the_configured_flavors_in_order_and_the_quota() {
    let fake = Fake::start().await;
    let flavors = vec!["2".into(), "no.such".into(), "m1.small".into()];
    let offer = cloud_with(fake.access(), ServerSettings { flavors, ..settings() }).offer().await.unwrap();
    let names: Vec<_> = offer.flavors.iter().map(|flavor| flavor.name.as_str()).collect();
    assert_eq!(names, ["2", "m1.small"], "as configured, what is missing left out");
    let size = Resources { cores: 8, memory: Mebibytes(16_384), disk: Mebibytes(81_920), gpus: 2 };
    assert_eq!(offer.flavors[0].size, size);
    assert_eq!(offer.image, Some("img-1".into()), "the active one");
    assert_eq!((offer.quota.instances.max, offer.quota.instances.used), (Some(10), 1));
    assert_eq!(offer.quota.cores.max, None, "-1 is without limit");
}

#[tokio::test]
async fn missing_names_say_what_there_is() {
    let fake = Fake::start().await;
    let with = |change: fn(&mut ServerSettings)| {
        let mut settings = settings();
        change(&mut settings);
        cloud_with(fake.access(), settings)
    };
    for (cloud, words) in [
        (with(|s| s.networks = vec!["lan".into()]), "the cloud has no network 'lan'; it has: net"),
        (with(|s| s.key = Some("k".into())), "the cloud has no key 'k'; it has: key"),
        (with(|s| s.security_groups = vec!["g".into()]), "the cloud has no security group 'g'; it has: sg"),
    ] {
        let failure = cloud.offer().await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Rejected, words));
    }
    fake.on("GET /glance/v2/images", 1, Reply::Json(200, json!({"images": []})));
    let cloud = with(|s| s.image = Some("gone".into()));
    assert_eq!(cloud.offer().await.unwrap().image, None, "an offer without image");
    let failure = cloud.create(&order()).await.unwrap_err();
    assert_eq!(failure, Failure::rejected("the cloud has no image 'gone'; it has: img, img"));
    assert_eq!(fake.count(CREATE), 0);
}

#[tokio::test]
async fn verify_tells_of_each_name() {
    let fake = Fake::start().await;
    let rows =
        cloud_with(fake.access(), ServerSettings { key: Some("k".into()), ..settings() }).verify().await;
    let rows: Vec<_> = rows.iter().map(|row| (row.what, row.found.clone().map_err(|f| f.kind))).collect();
    let found = |id: &str| Ok(id.to_owned());
    let expected = [
        ("login", found("project pid")),
        ("flavor", found("2")),
        ("flavor", found("1")),
        ("image", found("img-1")),
        ("network", found("net-1")),
        ("key", Err(FailureKind::NotFound)),
        ("security group", found("sg-1")),
    ];
    assert_eq!(rows, expected);
    fake.on(LOGIN, 1, Reply::Json(401, json!({})));
    let rows = fake.cloud().verify().await;
    assert_eq!(rows.len(), 1, "without a login there is no more to tell");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_or_not_at_all() {
    let server =
        |id: &str| json!({"id": id, "name": id, "status": "ACTIVE", "metadata": {"ehos:pool": POOL}});
    let page = |ids: &[&str], next: Option<&str>| {
        let servers: Vec<_> = ids.iter().map(|id| server(id)).collect();
        let links: Vec<_> = next
            .iter()
            .map(|id| json!({"rel": "next", "href": format!("https://elsewhere/servers?marker={id}")}))
            .collect();
        Reply::Json(200, json!({"servers": servers, "servers_links": links}))
    };
    let fake = Fake::start().await;
    fake.on(LIST, 1, page(&["a", "b"], Some("b")));
    fake.on(LIST, 1, page(&["c"], Some("c")));
    fake.on(LIST, 1, page(&["d"], None));
    let ids: Vec<_> = fake.cloud().servers().await.unwrap().into_iter().map(|server| server.id).collect();
    assert_eq!(ids, ["a", "b", "c", "d"].map(ServerId::from));
    let queries: Vec<_> = fake.seen(LIST).into_iter().map(|seen| seen.query).collect();
    assert!(
        queries.iter().all(|query| query.contains("metadata=%7B%22ehos%3Apool%22%3A%22pool-1%22%7D")),
        "{queries:?}"
    );
    assert!(queries[2].ends_with("marker=c"), "{queries:?}");

    for (second, row) in [
        (Reply::Text(200, r#"{"servers": [{"id": "x", "met"#), "cut JSON"),
        (Reply::Cut, "cut connection"),
        (Reply::Json(200, json!({"servers": null})), "no list"),
        (Reply::Json(500, json!({})), "500"),
        (page(&["a"], Some("b")), "pages that repeat"),
        (Reply::Json(200, json!({"servers": [{"name": "nobody"}]})), "an entry without id"),
    ] {
        let fake = Fake::start().await;
        fake.on(LIST, 1, page(&["a"], Some("b")));
        fake.on(LIST, 9, second);
        let failure = fake.cloud().servers().await.expect_err(row);
        assert!(
            failure.message.contains("GET /servers/detail") || row == "an entry without id",
            "{row}: {failure}"
        );
    }
}

#[tokio::test]
async fn unknown_words_and_null_fields_lose_no_server() {
    let fake = Fake::start().await;
    let ours = json!({"ehos:pool": POOL, "ehos:node": "n", "ehos:role": "execute", "ehos:flavor": "f"});
    fake.on(LIST, 1, Reply::Json(200, json!({"servers": [
        {"id": "1", "name": null, "status": "TRANSMOGRIFYING", "created": "2026-11-22T10:00:00Z", "metadata": ours},
        {"id": "2", "name": "b", "status": "ERROR", "fault": {"code": 500, "message": "No valid host was found."}, "metadata": ours},
        {"id": "3", "name": "c", "status": null, "created": null, "fault": null, "flavor": null, "metadata": {"ehos:pool": POOL}},
        {"id": "4", "name": "d", "status": "ACTIVE", "metadata": {"ehos:pool": "pool-11"}},
        {"id": "5", "name": "e", "status": "ACTIVE", "metadata": {}},
    ]})));
    let servers = fake.cloud().servers().await.unwrap();
    let seen: HashMap<_, _> = servers.iter().map(|server| (server.id.as_str(), server)).collect();
    assert_eq!(seen.len(), 3, "what does not carry our id is not returned");
    assert_eq!(seen["1"].status, ServerStatus::Other("TRANSMOGRIFYING".into()));
    assert_eq!(seen["1"].created, "2026-11-22T10:00:00Z".parse().unwrap());
    assert_eq!(seen["2"].fault.as_deref(), Some("No valid host was found."));
    assert_eq!(seen["3"].node.as_str(), "c");
}

#[tokio::test]
async fn delete_and_console() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    assert_eq!(cloud.delete(&"s".into()).await, Ok(()));
    assert_eq!(cloud.delete(&"gone".into()).await.unwrap_err().kind, FailureKind::NotFound);
    let action = "POST /nova/v2.1/servers/s/action";
    fake.on(action, 1, Reply::Json(200, json!({"output": "login:"})));
    assert_eq!(cloud.console(&"s".into(), 5).await, Ok("login:".into()));
    assert_eq!(fake.seen(action)[0].body, json!({"os-getConsoleOutput": {"length": 5}}));
    fake.on(action, 1, Reply::Json(409, fault("conflictingRequest", "not ready")));
    assert_eq!(cloud.console(&"s".into(), 5).await.unwrap_err().kind, FailureKind::Conflict);
}

#[tokio::test]
async fn the_microversion_is_agreed_on_and_told_to_nova_alone() {
    for (newest, expected, row) in [
        ("2.90", Some("compute 2.61"), "ours"),
        ("2.53", Some("compute 2.53"), "an older cloud"),
        ("", None, "none"),
    ] {
        let fake = Fake::start().await;
        let version = json!({"version": {"id": "v2.1", "status": "CURRENT", "version": newest, "min_version": if newest.is_empty() { "" } else { "2.1" },
            "links": [{"rel": "self", "href": "http://wrong.invalid/v2.1"}]}});
        fake.on("GET /nova/v2.1", 9, Reply::Json(200, version));
        let cloud = fake.cloud();
        cloud.offer().await.unwrap();
        for seen in fake.all() {
            let sent = seen.headers.get("openstack-api-version").map(|value| value.to_str().unwrap());
            let nova = seen.call.contains("/nova/v2.1/");
            assert_eq!(sent, if nova { expected } else { None }, "{row}: {}", seen.call);
        }
    }
}

#[tokio::test]
async fn older_novas_are_asked_for_extra_specs_one_by_one() {
    let fake = Fake::start().await;
    let flavor = json!({"flavors": [{"id": "9", "name": "m1.small", "vcpus": 1, "ram": 1, "disk": 1}]});
    fake.on("GET /nova/v2.1/flavors/detail", 1, Reply::Json(200, flavor));
    let specs = json!({"extra_specs": {"resources:VGPU": "1"}});
    fake.on("GET /nova/v2.1/flavors/9/os-extra_specs", 1, Reply::Json(200, specs));
    assert_eq!(fake.cloud().offer().await.unwrap().flavors[0].size.gpus, 1);
}

#[tokio::test]
async fn logins_by_name_by_id_and_by_application_credential() {
    let fake = Fake::start().await;
    fake.cloud().servers().await.unwrap();
    let auth = fake.seen(LOGIN)[0].body["auth"].clone();
    assert_eq!(auth["identity"]["password"]["user"]["domain"], json!({"id": "default"}));
    assert_eq!(auth["scope"]["project"], json!({"name": "p", "domain": {"name": "Default"}}));

    let mut access = fake.access();
    access.auth_url.push_str("/v3/");
    access.login = Login::ApplicationCredential { id: "ac".into(), secret: PASSWORD.into() };
    cloud_with(access, settings()).servers().await.unwrap();
    let auth = fake.seen(LOGIN)[1].body["auth"].clone();
    assert_eq!(auth["identity"]["application_credential"], json!({"id": "ac", "secret": PASSWORD}));
    assert!(auth.get("scope").is_none(), "it has its own");

    let mut access = fake.access();
    if let Login::Password { user_domain, .. } = &mut access.login {
        *user_domain = Domain::Name("Users".into());
    }
    cloud_with(access, settings()).servers().await.unwrap();
    let auth = fake.seen(LOGIN)[2].body["auth"].clone();
    assert_eq!(auth["identity"]["password"]["user"]["domain"], json!({"name": "Users"}));
}

#[tokio::test]
async fn the_catalogue_decides_and_says_what_it_lacks() {
    let fake = Fake::start().await;
    let nova = |region: &str, path: &str| json!({"interface": "public", "region": region, "url": format!("http://{}/{path}", fake.address)});
    *fake.catalogue.lock().unwrap() =
        Some(json!([{"type": "compute", "endpoints": [nova("N", "other/v2.1"), nova("S", "nova/v2.1")]}]));
    let with = |region: Option<&str>| {
        let mut access = fake.access();
        access.region = region.map(str::to_owned);
        cloud_with(access, settings())
    };
    with(Some("S")).servers().await.unwrap();
    for (region, words) in [
        (
            Some("W"),
            "the catalogue has no public address of the compute service in region 'W'; it has public in N, public in S",
        ),
        (None, "several regions (N, S, ...)"),
    ] {
        let failure = with(region).servers().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn at_most_twenty_calls_are_in_flight() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    join((0..60).map(|_| cloud.servers()).collect()).await;
    let most = fake.most_in_flight.load(Ordering::SeqCst);
    assert!((2..=20).contains(&most), "{most} at once");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told_at_once() {
    let access = |path: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let fake = runtime.block_on(Fake::start());
        let mut access = fake.access();
        access.cacert = Some(path.into());
        OpenStackCloud::new("c".into(), POOL.into(), access, settings()).unwrap_err()
    };
    for (path, words) in [
        ("/no/such.pem", "cacert /no/such.pem: "),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "no certificate"),
    ] {
        let failure = access(path);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.message.contains(words), "{failure}");
    }
}

/// Keeps every line that any crate logs.
struct Everything(Mutex<Vec<String>>);

static LOG: Everything = Everything(Mutex::new(Vec::new()));

impl log::Log for Everything {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Ok(mut lines) = self.0.lock() {
            lines.push(format!("{} {}: {}", record.level(), record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn secrets_are_in_no_log_line_error_or_debug_output() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let mut said = vec![format!("{cloud:?} {:?} {:?}", fake.access(), order())];
    cloud.offer().await.unwrap();
    cloud.create(&order()).await.unwrap();
    fake.revoke();
    cloud.servers().await.unwrap();
    let echo = format!("Value: '{SECRET_BASE64}' is wrong");
    fake.on(CREATE, 1, Reply::Json(400, fault("badRequest", &echo)));
    said.push(format!("{:?}", cloud.create(&order()).await));
    fake.on(LOGIN, 1, Reply::Json(401, fault("error", "wrong password")));
    said.push(format!("{:?}", fake.cloud().verify().await));
    let lines = std::mem::take(&mut *LOG.0.lock().unwrap());
    let call = lines
        .iter()
        .find(|line| line.starts_with("DEBUG ehos_cloud") && line.contains("POST /servers 202 in "));
    assert!(call.is_some(), "each call has its line: {lines:#?}");
    assert!(
        lines.iter().any(|line| line.starts_with("TRACE ehos_cloud") && line.contains("(masked)")),
        "bodies are traced"
    );
    for line in lines.iter().chain(&said) {
        for secret in [PASSWORD, TOKEN, SECRET, SECRET_BASE64] {
            assert!(!line.contains(secret), "{secret} in: {line}");
        }
    }
}

/// Runs futures at once.
async fn join<T: Send>(calls: Vec<impl Future<Output = T> + Send>) -> Vec<T> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|context| {
        for (call, result) in &mut calls {
            if result.is_none()
                && let std::task::Poll::Ready(value) = call.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if calls.iter().all(|(_, result)| result.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    calls.into_iter().filter_map(|(_, result)| result).collect()
}
