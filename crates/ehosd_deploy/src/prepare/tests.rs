//! Accounts of embedded clouds, made ready.

use std::path::Path;

use ehos_cloud::prepare::{Ethertype, Network, Remote, Rule};
use ehos_config::{Environment, load_with, write_back};
use ehos_model::PoolId;
use ehos_sim::{EmbeddedCloud, EmbeddedCloudSettings, World, WorldSettings};
use tempfile::TempDir;

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqUidIojvZvR+M7yNWz5CzjKVbJhNPHHMhtEmPU1w1 me@here";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqUidIojvZvR+M7yNWz5CzjKVbJhNPHHMhtEmPU1w2 you@there";

/// A cloud, the user's home with a key in it, and what the configuration says.
struct Fixture {
    cloud: EmbeddedCloud,
    home: TempDir,
    settings: CloudSettings,
}

fn fixture() -> Fixture {
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    std::fs::write(home.path().join(".ssh/id_ed25519.pub"), KEY).unwrap();
    let file = home.path().join("ehos.yaml");
    std::fs::write(&file, "clouds:\n  west: {backend: embedded}\nehos:\n  project_prefix: test\n").unwrap();
    let settings = config(&file).clouds.remove(0);
    Fixture { cloud, home, settings }
}

impl Fixture {
    fn options(&self) -> Options {
        Options { exact: true, home: Some(self.home.path().to_owned()), ..Options::default() }
    }

    async fn ready(&self) -> Prepared {
        prepare(&self.cloud, &self.settings, &self.options()).await.unwrap()
    }

    async fn refused(&self) -> String {
        prepare(&self.cloud, &self.settings, &self.options()).await.unwrap_err().to_string()
    }

    async fn rules(&self) -> Vec<Rule> {
        let groups = self.cloud.security_groups().await.unwrap();
        groups.into_iter().flat_map(|group| group.rules).map(|found| found.rule).collect()
    }
}

fn config(file: &Path) -> Config {
    let environment = Environment { before_master: true, ..Environment::default() };
    load_with(&[file.to_owned()], &environment)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
        .config
}

fn done(ready: &Prepared) -> Vec<(&'static str, &str, Done)> {
    ready.steps.iter().map(|step| (step.what, step.name.as_str(), step.done)).collect()
}

#[tokio::test]
async fn an_account_is_made_ready_once() {
    let fixture = fixture();
    let ready = fixture.ready().await;
    let made = [
        ("network", "private", Done::Found),
        ("security group", "test", Done::Made),
        ("key", "test-key", Done::Made),
    ];
    assert_eq!(done(&ready), made);
    let written = (ready.network.as_deref(), ready.security_group.as_deref(), ready.key.as_deref());
    assert_eq!(written, (Some("private"), Some("test"), Some("test-key")));
    assert_eq!(fixture.rules().await.len(), 6);
    let again = fixture.ready().await;
    assert!(again.steps.iter().all(|step| step.done == Done::Found), "{again:?}");
    assert_eq!(
        (again.network, again.security_group, again.key),
        (ready.network, ready.security_group, ready.key)
    );
    assert_eq!(fixture.cloud.ours().await.unwrap().len(), 2, "a group and a key");
}

#[tokio::test]
async fn what_is_configured_is_taken_and_not_written_again() {
    let mut fixture = fixture();
    let foreign = fixture.cloud.seen_by(PoolId::from("theirs"));
    let group = foreign.make_security_group("workers").await.unwrap();
    let web = Rule::port(Ethertype::V4, "tcp", 443, Remote::Anywhere);
    foreign.add_rule(&group, &web).await.unwrap();
    foreign.import_key("shared", OTHER).await.unwrap();
    fixture.settings.servers.networks = vec!["private".into()];
    fixture.settings.servers.security_groups = vec!["workers".into(), "more".into()];
    fixture.settings.servers.key = Some("shared".into());
    let ready = fixture.ready().await;
    let expected = [
        ("network", "private", Done::Found),
        ("security group", "workers", Done::Found),
        ("security group", "more", Done::Made),
        ("key", "shared", Done::Found),
    ];
    assert_eq!(done(&ready), expected);
    assert_eq!((&ready.network, &ready.security_group, &ready.key), (&None, &None, &None));
    assert!(
        ready.steps[2].note.ends_with("lets in besides, and that stays: 443/tcp from anywhere (IPv4)"),
        "{ready:?}"
    );
    assert_eq!(fixture.rules().await.len(), 7, "the other's rule stays, ours go into our group");
}

#[tokio::test]
async fn who_is_let_in_follows_the_options() {
    let fixture = fixture();
    let with = |external: Option<Vec<Cidr>>, exact| Options { external, exact, ..fixture.options() };
    let network = "192.0.2.0/24".parse().unwrap();
    for (options, rules, row) in [
        (with(None, true), 6, "the group alone"),
        (with(Some(vec![]), true), 10, "everybody"),
        (with(None, false), 10, "by the way, nothing is taken away"),
        (with(Some(vec![network]), true), 8, "one network, and not everybody any more"),
        (with(None, true), 6, "the group alone again"),
    ] {
        prepare(&fixture.cloud, &fixture.settings, &options).await.unwrap();
        assert_eq!(fixture.rules().await.len(), rules, "{row}");
    }
}

#[tokio::test]
async fn a_network_is_not_guessed() {
    let mut fixture = fixture();
    let networks = fixture.cloud.networks().await.unwrap();
    let like = |name: &str, id: &str| Network { name: name.into(), id: id.into(), ..networks[0].clone() };
    fixture.cloud.set_networks(vec![like("a", "1"), like("b", "2"), networks[1].clone()]);
    let words = fixture.refused().await;
    assert_eq!(words, "there are several networks: write one of them as `network` below ehos: a, b");
    fixture.settings.servers.networks = vec!["c".into()];
    assert_eq!(fixture.refused().await, "the cloud has 0 networks 'c'; it has for nodes: a, b");
    fixture.cloud.set_networks(vec![like("a", "1"), like("a", "2")]);
    fixture.settings.servers.networks = vec!["a".into()];
    assert_eq!(
        fixture.refused().await,
        "the cloud has 2 networks 'a'; write the id of the one that is meant"
    );
    fixture.settings.servers.networks = vec!["2".into()];
    assert_eq!(fixture.ready().await.network, None);
    fixture.settings.servers.networks.clear();
    fixture.cloud.set_networks(vec![like("a", "1"), Network { external: true, ..like("a", "2") }]);
    assert_eq!(fixture.ready().await.network.as_deref(), Some("1"), "two have the name");
    fixture.cloud.set_networks(vec![]);
    assert!(fixture.refused().await.starts_with("there is no network"));
}

#[tokio::test]
async fn a_key_is_not_exchanged_silently() {
    let mut fixture = fixture();
    let foreign = fixture.cloud.seen_by(PoolId::from("theirs"));
    foreign.import_key("test-key", OTHER).await.unwrap();
    let words = fixture.refused().await;
    assert!(words.starts_with("the keypair 'test-key' is there with another key (SHA256:"), "{words}");
    assert!(fixture.cloud.ours().await.unwrap().is_empty(), "nothing is made before it is told");
    let given = fixture.home.path().join("other.pub");
    std::fs::write(&given, OTHER).unwrap();
    let options = Options { ssh_key: Some(given), ..fixture.options() };
    let ready = prepare(&fixture.cloud, &fixture.settings, &options).await.unwrap();
    assert_eq!(ready.key.as_deref(), Some("test-key"), "the same key");
    fixture.settings.servers.key = Some("fresh".into());
    assert_eq!(fixture.ready().await.steps[2].done, Done::Made, "a configured one is imported by its name");
    std::fs::remove_file(fixture.home.path().join(".ssh/id_ed25519.pub")).unwrap();
    assert_eq!(fixture.ready().await.steps[2].done, Done::Found, "one that is there needs no file");
    fixture.settings.servers.key = None;
    assert!(fixture.refused().await.starts_with("there is no public key in ~/.ssh"));
}

#[tokio::test]
async fn a_cloud_that_says_no_is_named_with_what_was_asked() {
    let fixture = fixture();
    let down = ehos_sim::Health::Unreachable("it is down".into());
    let world = World::new(WorldSettings::new(1));
    let cloud = world.add_cloud(EmbeddedCloudSettings::new("west", PoolId::from("ours")));
    world.faults().cloud_health(&"west".into(), down);
    let error = prepare(&cloud, &fixture.settings, &fixture.options()).await.unwrap_err();
    assert_eq!(error.to_string(), "the networks: it is down");
}

#[test]
fn results_are_written_once_where_clouds_agree() {
    let login = "{auth_url: 'https://c.test/v3', username: u, password: p, project_name: p}";
    let two =
        format!("condor: {{pool_id: p}}\nclouds:\n  a: {login}\n  b: {login}\nehos:\n  flavor: m1.small\n");
    let keyed = two.replacen(", project_name: p}", ", project_name: p, ehos: {key: own}}", 1);
    let ready = |network: &str, key: Option<&str>| Prepared {
        network: Some(network.to_owned()),
        security_group: Some("ehos".to_owned()),
        key: key.map(str::to_owned),
        ..Prepared::default()
    };
    for (text, a, b, common, row) in [
        (&two, ready("lan", Some("k")), Some(ready("lan", Some("k"))), 3, "all agree"),
        (&two, ready("lan", Some("k")), Some(ready("dmz", Some("k"))), 2, "two networks"),
        (&keyed, ready("lan", None), Some(ready("lan", Some("k"))), 2, "one has a key of its own"),
        (&two, ready("lan", Some("k")), None, 0, "one of them has failed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ehos.yaml");
        std::fs::write(&file, text).unwrap();
        let mut all = vec![(CloudName::from("a"), a)];
        all.extend(b.map(|b| (CloudName::from("b"), b)));
        let edits = edits(&config(&file), &all);
        let words = format!("{edits:?}");
        assert_eq!(words.matches("Edit(\"ehos.").count(), common, "{row}: {words}");
        write_back(std::slice::from_ref(&file), &edits).unwrap();
        let after = config(&file);
        for (name, ready) in all {
            let servers = &after.cloud(&name).unwrap().servers;
            assert_eq!(servers.networks, [ready.network.unwrap()], "{row}");
            assert_eq!(servers.security_groups, ["ehos"], "{row}");
            assert_eq!(servers.key.clone(), ready.key.or(Some("own".into())), "{row}");
        }
        if common == 0 {
            assert!(after.clouds[1].servers.networks.is_empty(), "{row}: nothing is said of the other");
        }
    }
}
