//! Accounts of a fake OpenStack that loses answers, races and refuses.

use std::sync::Arc;

use ehos_cloud::prepare::{
    Ethertype, FloatingAddress, FoundRule, Remote, Rule, SecurityGroup, VolumeStatus, mark,
};
use ehos_cloud::{Prepare as _, Resource, ResourceKind};
use ehos_model::FailureKind;
use serde_json::{Value, json};

use crate::fake::{Fake, POOL, Reply};

const GROUPS: &str = "GET /neutron/v2.0/security-groups";
const GROUP: &str = "POST /neutron/v2.0/security-groups";
const RULE: &str = "POST /neutron/v2.0/security-group-rules";
const KEYS: &str = "GET /nova/v2.1/os-keypairs";
const KEY: &str = "POST /nova/v2.1/os-keypairs";
const ADDRESSES: &str = "GET /neutron/v2.0/floatingips";
const ADDRESS: &str = "POST /neutron/v2.0/floatingips";
const NETWORKS: &str = "GET /neutron/v2.0/networks";
const PORTS: &str = "GET /neutron/v2.0/ports";
const VOLUMES: &str = "GET /cinder/v3/pid/volumes/detail";
const VOLUME: &str = "POST /cinder/v3/pid/volumes";
const ATTACHMENTS: &str = "GET /nova/v2.1/servers/s/os-volume_attachments";
const ATTACH: &str = "POST /nova/v2.1/servers/s/os-volume_attachments";

/// What a service tells of a thing that is a pool's.
type Entry = Box<dyn Fn(&str) -> Value>;

const PUBLIC_KEY: &str = "ssh-ed25519 AAAA me@here";

fn our_mark() -> String {
    mark(&POOL.into())
}

fn group(id: &str, name: &str, description: &str) -> Value {
    json!({"id": id, "name": name, "description": description, "project_id": "pid",
        "security_group_rules": [], "tags": []})
}

fn groups(all: &[Value]) -> Reply {
    Reply::Json(200, json!({"security_groups": all}))
}

fn neutron(status: u16, words: &str) -> Reply {
    Reply::Json(status, json!({"NeutronError": {"type": "T", "message": words, "detail": ""}}))
}

fn nova(status: u16, words: &str) -> Reply {
    Reply::Json(status, json!({"conflictingRequest": {"code": status, "message": words}}))
}

fn later() -> FailureKind {
    FailureKind::Transient { retry_after: None }
}

/// Gives the fake a Cinder under one of its names.
fn with_cinder(fake: &Arc<Fake>, kind: &str, path: &str) {
    let endpoint = |path: &str| json!([{"interface": "public", "region": "R", "url": format!("http://{}/{path}", fake.address)}]);
    *fake.catalogue.lock().unwrap() = Some(json!([
        {"type": "compute", "endpoints": endpoint("nova/v2.1")},
        {"type": "image", "endpoints": endpoint("glance")},
        {"type": "network", "endpoints": endpoint("neutron/")},
        {"type": kind, "endpoints": endpoint(path)},
    ]));
}

#[tokio::test]
async fn a_security_group_is_ours_from_the_call_that_makes_it() {
    let fake = Fake::start().await;
    let ours = group("g", "ehos", &our_mark());
    fake.on(GROUPS, 1, groups(&[]));
    fake.on(GROUP, 1, Reply::Json(201, json!({"security_group": ours})));
    let made = fake.cloud().make_security_group("ehos").await.unwrap();
    assert!(made.ours, "{made:?}");
    let body = json!({"security_group": {"name": "ehos", "description": our_mark()}});
    assert_eq!(fake.seen(GROUP)[0].body, body);
    let tag = "PUT /neutron/v2.0/security-groups/g/tags/ehos:pool=pool-1";
    assert_eq!(fake.count(tag), 1, "{:?}", fake.all());
    assert!(fake.seen(GROUPS)[0].query.contains("project_id=pid"), "an administrator would see everybody's");
}

#[tokio::test]
async fn a_group_whose_answer_was_lost_is_found_and_not_made_twice() {
    let found = group("g", "ehos", &our_mark());
    for (row, reply, expected) in [
        ("cut off", Reply::Cut, Ok("g")),
        ("a proxy's 504", Reply::Text(504, ""), Ok("g")),
        ("accepted, and not readable", Reply::Text(201, "<html>"), Ok("g")),
        (
            "the quota is used up",
            neutron(409, "Quota exceeded for resources: ['security_group']."),
            Err(FailureKind::Quota),
        ),
        ("not allowed", neutron(403, "disallowed by policy"), Err(FailureKind::Auth)),
    ] {
        let fake = Fake::start().await;
        fake.on(GROUPS, 1, groups(&[]));
        fake.on(GROUP, 1, reply);
        fake.on(GROUPS, 1, groups(&[group("x", "ehos", "somebody's"), found.clone()]));
        let made = fake.cloud().make_security_group("ehos").await;
        let made = made.as_ref().map(|group| group.id.as_str()).map_err(|failure| failure.kind.clone());
        assert_eq!(made, expected, "{row}");
        assert_eq!(fake.count(GROUP), 1, "{row}");
    }
    let fake = Fake::start().await;
    fake.on(GROUPS, 2, groups(&[]));
    fake.on(GROUP, 1, Reply::Text(503, ""));
    let failure = fake.cloud().make_security_group("ehos").await.unwrap_err();
    assert_eq!(failure.kind, later(), "nothing is found: the failure tells what happened");
}

#[tokio::test]
async fn of_several_groups_of_a_name_ours_is_meant_and_always_the_same() {
    let fake = Fake::start().await;
    let tagged = json!({"id": "a", "name": "ehos", "description": "", "tags": ["ehos:pool=pool-1"]});
    let stolen = json!({"id": "0", "name": "ehos", "description": our_mark(), "project_id": "stranger"});
    let all = [group("x", "ehos", "somebody's"), stolen, group("b", "ehos", &our_mark()), tagged];
    fake.on(GROUPS, 1, groups(&all));
    let found = fake.cloud().make_security_group("ehos").await.unwrap();
    assert_eq!((found.id.as_str(), found.ours), ("a", true));
    assert_eq!(fake.count(GROUP), 0);
}

#[tokio::test]
async fn a_rule_that_is_there_already_is_no_failure() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let group = SecurityGroup { id: "g".into(), name: "ehos".into(), ours: true, rules: vec![] };
    let rule = Rule::port(Ethertype::V6, "tcp", 22, Remote::Anywhere);
    for (row, reply, expected) in [
        ("made", Reply::Json(201, json!({})), Ok(())),
        ("a race", neutron(409, "Security group rule already exists. Rule id is r."), Ok(())),
        (
            "quota",
            neutron(409, "Quota exceeded for resources: ['security_group_rule']."),
            Err(FailureKind::Quota),
        ),
        ("gone", neutron(404, "Security group g does not exist"), Err(FailureKind::NotFound)),
        ("lost", Reply::Cut, Err(later())),
    ] {
        fake.on(RULE, 1, reply);
        assert_eq!(cloud.add_rule(&group, &rule).await.map_err(|failure| failure.kind), expected, "{row}");
    }
    let body = json!({"security_group_rule": {"security_group_id": "g", "direction": "ingress",
        "ethertype": "IPv6", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
        "remote_ip_prefix": "::/0", "description": our_mark()}});
    assert_eq!(fake.seen(RULE)[0].body, body);
}

#[tokio::test]
async fn a_rule_of_others_stays() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let rule = Rule::port(Ethertype::V4, "tcp", 22, Remote::Anywhere);
    for (row, group_ours, rule_ours, removed) in [
        ("all ours", true, true, true),
        ("a foreign rule in our group", true, false, true),
        ("our rule in a foreign group", false, true, true),
        ("nothing ours", false, false, false),
    ] {
        let group = SecurityGroup { id: "g".into(), name: "n".into(), ours: group_ours, rules: vec![] };
        let found = FoundRule { id: "r".into(), ours: rule_ours, rule: rule.clone() };
        // The fake knows no such rule: gone is removed.
        assert_eq!(cloud.remove_rule(&group, &found).await.is_ok(), removed, "{row}");
    }
    assert_eq!(fake.count("DELETE /neutron/v2.0/security-group-rules/r"), 3);
}

#[tokio::test]
async fn a_key_is_imported_with_our_id_in_its_comment() {
    let keys = |all: &[(&str, &str)]| {
        let all: Vec<_> =
            all.iter().map(|(name, key)| json!({"keypair": {"name": name, "public_key": key}})).collect();
        Reply::Json(200, json!({"keypairs": all}))
    };
    let marked = format!("{PUBLIC_KEY} {}", our_mark());
    let made = Reply::Json(201, json!({"keypair": {"name": "k", "public_key": marked}}));
    let exists = || nova(409, "Key pair 'k' already exists.");
    let other = "ssh-ed25519 BBBB";
    for (row, before, reply, after, expected) in [
        ("new", keys(&[]), made.clone(), keys(&[]), Ok(true)),
        ("there", keys(&[("k", PUBLIC_KEY)]), exists(), keys(&[]), Ok(false)),
        ("another one there", keys(&[("k", other)]), exists(), keys(&[]), Err(FailureKind::Conflict)),
        ("a race with ourselves", keys(&[]), exists(), keys(&[("k", &marked)]), Ok(true)),
        ("a race with others", keys(&[]), exists(), keys(&[("k", other)]), Err(FailureKind::Conflict)),
        ("a lost answer", keys(&[]), Reply::Cut, keys(&[("k", &marked)]), Ok(true)),
        (
            "quota",
            keys(&[]),
            nova(403, "Quota exceeded, too many key pairs."),
            keys(&[]),
            Err(FailureKind::Quota),
        ),
        ("no key", keys(&[]), nova(400, "Keypair data is invalid"), keys(&[]), Err(FailureKind::Rejected)),
    ] {
        let fake = Fake::start().await;
        fake.on(KEYS, 1, before);
        fake.on(KEYS, 1, after);
        fake.on(KEY, 1, reply);
        let key = fake.cloud().import_key("k", PUBLIC_KEY).await;
        assert_eq!(key.map(|key| key.ours).map_err(|failure| failure.kind), expected, "{row}");
        for seen in fake.seen(KEY) {
            assert_eq!(seen.body, json!({"keypair": {"name": "k", "public_key": marked}}), "{row}");
        }
    }
}

fn address(id: &str, description: &str, port: Option<&str>) -> Value {
    json!({"id": id, "floating_ip_address": "203.0.113.9", "description": description, "port_id": port,
        "project_id": "pid"})
}

fn addresses(all: &[Value]) -> Reply {
    Reply::Json(200, json!({"floatingips": all}))
}

#[tokio::test]
async fn a_floating_ip_is_ours_and_free_before_it_is_a_new_one() {
    let free = address("free", &our_mark(), None);
    let fake = Fake::start().await;
    fake.on(
        ADDRESSES,
        1,
        addresses(&[address("others", "", None), address("taken", &our_mark(), Some("port")), free.clone()]),
    );
    assert_eq!(fake.cloud().make_floating_ip(None).await.unwrap().id, "free");
    assert_eq!(fake.count(ADDRESS), 0);

    let external = json!({"networks": [{"id": "e", "name": "public", "router:external": true}]});
    for (row, reply, expected) in [
        ("made", Reply::Json(201, json!({"floatingip": free})), Ok("free")),
        ("a lost answer", Reply::Cut, Ok("free")),
        ("quota", neutron(409, "Quota exceeded for resources: ['floatingip']."), Err(FailureKind::Quota)),
    ] {
        let fake = Fake::start().await;
        fake.on(ADDRESSES, 2, addresses(&[]));
        fake.on(ADDRESSES, 1, addresses(std::slice::from_ref(&free)));
        fake.on(NETWORKS, 1, Reply::Json(200, external.clone()));
        fake.on(ADDRESS, 1, reply);
        let made = fake.cloud().make_floating_ip(Some("public")).await;
        let made = made.as_ref().map(|one| one.id.as_str()).map_err(|failure| failure.kind.clone());
        assert_eq!(made, expected, "{row}");
        let body = json!({"floatingip": {"floating_network_id": "e", "description": our_mark()}});
        assert_eq!(fake.seen(ADDRESS)[0].body, body, "{row}");
    }
    let fake = Fake::start().await;
    fake.on(ADDRESSES, 3, addresses(&[]));
    fake.on(NETWORKS, 1, Reply::Json(200, external));
    fake.on(ADDRESS, 1, neutron(409, "No more IP addresses available on network e."));
    let failure = fake.cloud().make_floating_ip(None).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict, "the network is full");
}

#[tokio::test]
async fn the_external_network_that_is_meant_is_said_or_the_only_one() {
    let network = |id: &str, name: &str| json!({"id": id, "name": name, "router:external": true});
    for (row, networks, wanted, words) in [
        ("none", vec![], None, "the cloud has no external network for floating IPs"),
        (
            "two",
            vec![network("1", "a"), network("2", "b")],
            None,
            "there are several external networks (a, b): name one",
        ),
        (
            "another one",
            vec![network("1", "a")],
            Some("c"),
            "the cloud has no external network 'c'; it has: a",
        ),
    ] {
        let fake = Fake::start().await;
        fake.on(ADDRESSES, 1, addresses(&[]));
        fake.on(NETWORKS, 1, Reply::Json(200, json!({"networks": networks})));
        assert_eq!(fake.cloud().make_floating_ip(wanted).await.unwrap_err().message, words, "{row}");
    }
}

#[tokio::test]
async fn a_floating_ip_leads_to_the_port_that_a_router_reaches() {
    let fake = Fake::start().await;
    let ip = FloatingAddress { id: "f".into(), ip: "203.0.113.9".parse().unwrap(), port: None };
    let put = "PUT /neutron/v2.0/floatingips/f";
    let port = |id: &str, ip: &str| json!({"id": id, "fixed_ips": [{"ip_address": ip}]});
    let ports =
        json!({"ports": [port("v6", "fd00::1"), port("storage", "10.9.0.1"), port("lan", "10.0.0.1")]});
    fake.on(PORTS, 1, Reply::Json(200, ports));
    fake.on(put, 1, neutron(404, "External network e is not reachable from subnet s."));
    fake.on(put, 1, Reply::Json(200, json!({"floatingip": {}})));
    fake.cloud().associate(&ip, &"s".into()).await.unwrap();
    let tried: Vec<_> =
        fake.seen(put).iter().map(|seen| seen.body["floatingip"]["port_id"].clone()).collect();
    assert_eq!(tried, ["storage", "lan"]);
    fake.on(PORTS, 1, Reply::Json(200, json!({"ports": []})));
    let failure = fake.cloud().associate(&ip, &"s".into()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict, "too early");
}

#[tokio::test]
async fn a_cloud_without_cinder_says_so() {
    let fake = Fake::start().await;
    let cloud = fake.cloud();
    let words = "the cloud has no volumes: its catalogue has no Cinder v3 (block-storage, volumev3, block-store, volume)";
    let failures = [cloud.volumes().await.map(drop), cloud.make_volume("v", 1).await.map(drop)];
    for failure in failures.map(Result::unwrap_err) {
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.message.ends_with(words), "{failure}");
    }
    fake.on(GROUPS, 1, groups(&[]));
    fake.on(ADDRESSES, 1, addresses(&[]));
    assert_eq!(cloud.ours().await.unwrap(), [], "what it has not, it has none of ours of");
    with_cinder(&fake, "volume", "cinder/v1/pid");
    assert!(fake.cloud().volumes().await.is_err(), "a version long gone");
}

#[tokio::test]
async fn cinder_goes_by_four_names() {
    for (kind, path) in [
        ("block-storage", "cinder/v3/pid"),
        ("volumev3", "cinder/v3/pid/"),
        ("block-store", "cinder"),
        ("volume", "cinder/"),
    ] {
        let fake = Fake::start().await;
        with_cinder(&fake, kind, path);
        fake.on(VOLUMES, 1, Reply::Json(200, json!({"volumes": [
            {"id": "v", "name": "n", "status": "available", "size": 5, "metadata": {"ehos:pool": POOL}},
            {"id": "x", "name": "n", "status": "available", "size": 5, "metadata": {}},
        ]})));
        let volumes = fake.cloud().volumes().await.unwrap();
        assert_eq!(volumes.len(), 1, "{kind}");
        assert_eq!((volumes[0].status.clone(), volumes[0].size), (VolumeStatus::Available, 5), "{kind}");
        let headers = &fake.seen(VOLUMES)[0].headers;
        assert!(!headers.contains_key("openstack-api-version"), "Cinder refuses Nova's microversion");
    }
}

#[tokio::test]
async fn a_volume_is_ours_from_the_call_and_not_made_twice() {
    let volumes = |all: &[Value]| Reply::Json(200, json!({"volumes": all}));
    let volume = |id: &str, status: &str| json!({"id": id, "name": "n", "status": status, "size": 5, "metadata": {"ehos:pool": POOL}});
    let over = Reply::Json(
        413,
        json!({"overLimit": {"message": "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."}}),
    );
    for (row, before, reply, after, expected) in [
        (
            "new",
            volumes(&[]),
            Reply::Json(202, json!({"volume": volume("v", "creating")})),
            volumes(&[]),
            Ok("v"),
        ),
        ("there", volumes(&[volume("v", "in-use")]), Reply::Cut, volumes(&[]), Ok("v")),
        (
            "a broken one",
            volumes(&[volume("b", "error")]),
            Reply::Json(202, json!({"volume": volume("v", "creating")})),
            volumes(&[]),
            Ok("v"),
        ),
        ("a lost answer", volumes(&[]), Reply::Cut, volumes(&[volume("v", "creating")]), Ok("v")),
        ("quota", volumes(&[]), over, volumes(&[]), Err(FailureKind::Quota)),
    ] {
        let fake = Fake::start().await;
        with_cinder(&fake, "volumev3", "cinder/v3/pid");
        fake.on(VOLUMES, 1, before);
        fake.on(VOLUMES, 1, after);
        fake.on(VOLUME, 1, reply);
        let made = fake.cloud().make_volume("n", 5).await;
        let made = made.as_ref().map(|one| one.id.as_str()).map_err(|failure| failure.kind.clone());
        assert_eq!(made, expected, "{row}");
        for seen in fake.seen(VOLUME) {
            let body = json!({"volume": {"name": "n", "size": 5, "metadata": {"ehos:pool": POOL}}});
            assert_eq!(seen.body, body, "{row}");
        }
    }
}

#[tokio::test]
async fn a_volume_is_attached_once() {
    let there = || Reply::Json(200, json!({"volumeAttachments": [{"volumeId": "v"}]}));
    let none = || Reply::Json(200, json!({"volumeAttachments": []}));
    let creating = "Invalid volume: Volume v status must be available, but current status is: creating.";
    for (row, before, reply, after, expected) in [
        ("new", none(), Reply::Json(200, json!({})), none(), Ok(())),
        ("there", there(), nova(400, "never asked"), none(), Ok(())),
        ("a lost answer", none(), Reply::Cut, there(), Ok(())),
        ("too early", none(), nova(400, creating), none(), Err(FailureKind::Conflict)),
        ("a busy server", none(), nova(409, "in task_state spawning"), none(), Err(FailureKind::Conflict)),
        ("no volume", none(), nova(404, "Volume v could not be found."), none(), Err(FailureKind::NotFound)),
    ] {
        let fake = Fake::start().await;
        fake.on(ATTACHMENTS, 1, before);
        fake.on(ATTACHMENTS, 1, after);
        fake.on(ATTACH, 1, reply);
        let attached = fake.cloud().attach("v", &"s".into()).await;
        assert_eq!(attached.map_err(|failure| failure.kind), expected, "{row}");
    }
    let fake = Fake::start().await;
    let detach = "DELETE /nova/v2.1/servers/s/os-volume_attachments/v";
    fake.on(detach, 1, nova(400, "Invalid volume: status must be in-use"));
    let failure = fake.cloud().detach("v", &"s".into()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(fake.cloud().detach("v", &"s".into()).await.unwrap_err().kind, FailureKind::NotFound);
}

#[tokio::test]
async fn only_what_carries_our_id_is_removed() {
    let metadata = |pool: &str| json!({"ehos:pool": pool});
    let key = |pool: &str| json!({"keypair": {"name": "r", "public_key": format!("ssh-rsa A {}", mark(&pool.into()))}});
    let noted = |pool: &str| json!({"id": "r", "description": mark(&pool.into()), "project_id": "pid"});
    let kinds: [(ResourceKind, &str, &'static str, &'static str, Entry); 6] = [
        (
            ResourceKind::Server,
            "a server",
            "GET /nova/v2.1/servers/r",
            "DELETE /nova/v2.1/servers/r",
            Box::new(move |pool| json!({"server": {"id": "r", "metadata": metadata(pool)}})),
        ),
        (
            ResourceKind::Volume,
            "a volume",
            "GET /cinder/v3/pid/volumes/r",
            "DELETE /cinder/v3/pid/volumes/r",
            Box::new(move |pool| json!({"volume": {"id": "r", "metadata": metadata(pool)}})),
        ),
        (
            ResourceKind::Image,
            "an image",
            "GET /glance/v2/images/r",
            "DELETE /glance/v2/images/r",
            Box::new(|pool| json!({"id": "r", "ehos_pool": pool, "owner": "pid"})),
        ),
        (
            ResourceKind::FloatingIp,
            "an address",
            "GET /neutron/v2.0/floatingips/r",
            "DELETE /neutron/v2.0/floatingips/r",
            Box::new(move |pool| json!({"floatingip": noted(pool)})),
        ),
        (
            ResourceKind::SecurityGroup,
            "a group",
            "GET /neutron/v2.0/security-groups/r",
            "DELETE /neutron/v2.0/security-groups/r",
            Box::new(move |pool| json!({"security_group": noted(pool)})),
        ),
        (
            ResourceKind::KeyPair,
            "a key",
            "GET /nova/v2.1/os-keypairs/r",
            "DELETE /nova/v2.1/os-keypairs/r",
            Box::new(key),
        ),
    ];
    for (kind, row, get, delete, entry) in kinds {
        let fake = Fake::start().await;
        with_cinder(&fake, "volumev3", "cinder/v3/pid");
        let cloud = fake.cloud();
        let resource = Resource::new(kind, "r", row);
        cloud.remove(&resource).await.unwrap_or_else(|failure| panic!("{row} that is gone: {failure}"));
        fake.on(get, 1, Reply::Json(200, entry("pool-11")));
        assert_eq!(cloud.remove(&resource).await.unwrap_err().kind, FailureKind::Rejected, "{row}");
        assert_eq!(fake.count(delete), 0, "{row} of another pool");
        fake.on(get, 2, Reply::Json(200, entry(POOL)));
        fake.on(delete, 1, nova(409, "in use"));
        assert_eq!(cloud.remove(&resource).await.unwrap_err().kind, FailureKind::Conflict, "{row} in use");
        fake.on(delete, 1, Reply::Text(204, ""));
        cloud.remove(&resource).await.unwrap();
        assert_eq!(fake.count(delete), 2, "{row} of ours");
    }
}

#[tokio::test]
async fn a_list_of_ours_is_whole_or_a_failure() {
    for broken in [GROUPS, ADDRESSES, KEYS, VOLUMES, "GET /glance/v2/images", "GET /nova/v2.1/servers/detail"]
    {
        let fake = Fake::start().await;
        with_cinder(&fake, "volumev3", "cinder/v3/pid");
        fake.on(broken, 9, Reply::Text(503, ""));
        fake.on(GROUPS, 1, groups(&[]));
        fake.on(ADDRESSES, 1, addresses(&[]));
        fake.on(VOLUMES, 1, Reply::Json(200, json!({"volumes": []})));
        assert_eq!(fake.cloud().ours().await.unwrap_err().kind, later(), "{broken}");
    }
}

#[tokio::test]
async fn flavors_are_sorted_and_those_switched_off_left_out() {
    let fake = Fake::start().await;
    let off = json!({"id": "9", "name": "off", "vcpus": 1, "ram": 512, "disk": 1, "extra_specs": {}, "OS-FLV-DISABLED:disabled": true});
    let large = json!({"id": "2", "name": "large", "vcpus": 8, "ram": 512, "disk": 1, "extra_specs": {}});
    let small = json!({"id": "1", "name": "small", "vcpus": 1, "ram": 512, "disk": 1, "extra_specs": {}});
    fake.on("GET /nova/v2.1/flavors/detail", 1, Reply::Json(200, json!({"flavors": [off, large, small]})));
    let flavors = fake.cloud().flavors().await.unwrap();
    assert_eq!(flavors.iter().map(|flavor| flavor.name.as_str()).collect::<Vec<_>>(), ["small", "large"]);
}
