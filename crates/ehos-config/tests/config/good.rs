//! What files mean once they are right.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ehos_config::{Authentication, Backend, CloudSettings, Config, EmbeddedSettings, changes};
use ehos_model::{CloudAccess, Domain, FloatingIp, Interface, Login, Mebibytes, NodeAllocation, Resources};
use secrecy::ExposeSecret as _;

use crate::files::{Files, GOOD, load, told};

fn good(text: &str) -> Config {
    load(text).unwrap_or_else(|problems| panic!("{problems}")).config
}

/// GOOD with lines added to a section.
fn with(section: &str, lines: &str) -> String {
    assert!(GOOD.contains(section));
    GOOD.replacen(section, &format!("{section}\n{lines}"), 1)
}

fn access(cloud: &CloudSettings) -> &CloudAccess {
    match &cloud.backend {
        Backend::OpenStack(access) => access,
        Backend::Embedded(_) => panic!("a real cloud"),
    }
}

fn embedded(cloud: &CloudSettings) -> &EmbeddedSettings {
    match &cloud.backend {
        Backend::Embedded(settings) => settings,
        Backend::OpenStack(_) => panic!("an embedded cloud"),
    }
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = good(GOOD);
    let policy = &config.policy;
    assert_eq!((policy.limits.min(), policy.limits.max(), policy.limits.spare()), (2, 6, 2));
    assert_eq!(policy.allocation, NodeAllocation::RoundRobin);
    assert_eq!(policy.sleep, Duration::from_secs(30));
    assert_eq!(policy.idle_grace, Duration::from_mins(5));
    assert_eq!(policy.boot_timeout, Duration::from_mins(20));
    assert_eq!(policy.lost_timeout, Duration::from_mins(10));
    assert_eq!(policy.drain_timeout, None);
    assert_eq!(policy.pool.as_str(), "ehos@192.0.2.10");
    let cloud = &policy.clouds[0];
    assert_eq!((cloud.reserve.cores, cloud.reserve.memory, cloud.reserve.instances), (4, Mebibytes(8192), 0));
    assert_eq!((cloud.max_creating.get(), cloud.nodes_max, cloud.priority), (20, None, 0));
    assert_eq!(cloud.prefix, "ehos");
    let access = access(&config.clouds[0]);
    assert_eq!(
        (access.interface, access.insecure, access.timeout),
        (Interface::Public, false, Duration::from_secs(30))
    );
    let Login::Password { user_domain, password, .. } = &access.login else { panic!("a password") };
    assert_eq!(*user_domain, Domain::Name("Default".to_owned()));
    assert_eq!(password.expose_secret(), "hunter2-and-more");
    assert_eq!(config.daemon.state_dir, PathBuf::from("/var/lib/ehos"));
    assert_eq!(config.daemon.listen, Some(SocketAddr::from(([127, 0, 0, 1], 9680))));
    assert_eq!(config.daemon.master_cloud, Some("bergen".into()), "the only cloud");
    assert_eq!(config.condor.token_lifetime, Duration::from_hours(168));
    assert_eq!(config.condor.authentication, Authentication::IdTokens);
    assert_eq!(told(GOOD), "", "no warning");
}

#[test]
fn the_defaults_of_min_and_spare_give_way_to_max() {
    let limits = good(&GOOD.replace("nodes_max: 6", "nodes_max: 1")).policy.limits;
    assert_eq!((limits.min(), limits.max(), limits.spare()), (1, 1, 1));
}

#[test]
fn spellings_that_mean_the_same() {
    for (lines, row) in [
        ("  sleep: 90", "bare seconds"),
        ("  sleep: 90s", "seconds"),
        ("  sleep: 1m30s", "compound"),
        ("  sleep: 1h 30m", "compound with a space"),
        ("  sleep: '1.5 hours'", "words"),
    ] {
        let expected = if lines.contains('h') { 5400 } else { 90 };
        assert_eq!(good(&with("ehos_daemon:", lines)).policy.sleep.as_secs(), expected, "{row}");
    }
    for min_ram in ["8", "8GiB", "8 GB", "8g", "8192 MiB", "'8.0'"] {
        let config = good(&with("ehos_daemon:", &format!("  min_ram: {min_ram}")));
        assert_eq!(config.policy.clouds[0].reserve.memory, Mebibytes(8192), "{min_ram}");
    }
    for fill_first in ["fill-first", "fill first", "'Fill First'", "fill_first"] {
        let config = good(&with("ehos_daemon:", &format!("  node_allocation: {fill_first}")));
        assert_eq!(config.policy.allocation, NodeAllocation::FillFirst, "{fill_first}");
    }
    for yes in ["yes", "Yes", "true", "on", "1"] {
        let config = good(&with("  bergen:", &format!("    insecure: {yes}")));
        assert!(access(&config.clouds[0]).insecure, "YAML 1.1 {yes}");
    }
    for groups in ["a", "[a]", "\n    - a", "[a, None]"] {
        let config = good(&with("ehos:", &format!("  security_groups: {groups}")));
        assert_eq!(config.clouds[0].servers.security_groups, ["a"], "one or a list: {groups}");
    }
    for daemon in ["ehos_daemon:", "daemon:"] {
        let config = good(&GOOD.replace("ehos_daemon:", daemon).replace("nodes_max: 6", "nodes_max: 3"));
        assert_eq!(config.policy.limits.max(), 3, "{daemon}");
    }
}

#[test]
fn none_is_a_value_where_it_says_something_and_unset_elsewhere() {
    let config = good(&with("ehos_daemon:", "  listen: none\n  drain_timeout: None\n  lost_timeout: None"));
    assert_eq!(config.daemon.listen, None);
    assert_eq!(config.policy.drain_timeout, None);
    assert_eq!(config.policy.lost_timeout, Duration::from_mins(10), "not set: the default");
    for unset in ["None", "", "~", "null", "<IMAGE>", "'None'", "\"\"", "<IMAGE, if any>"] {
        let config = good(&with("  bergen:", &format!("    image: {unset}")));
        assert_eq!(config.clouds[0].servers.image, None, "{unset:?}");
    }
}

#[test]
fn text_stays_text() {
    for text in ["no", "012", "1e3", "0x10", "yes", "1_000", "12:30:45"] {
        let config = good(&with("ehos:", &format!("  key: {text}")));
        assert_eq!(config.clouds[0].servers.key.as_deref(), Some(text), "no number is made of it");
    }
    let config = good(&GOOD.replace("hunter2-and-more", "'it''s: #1'"));
    let Login::Password { password, .. } = &access(&config.clouds[0]).login else { panic!("a password") };
    assert_eq!(password.expose_secret(), "it's: #1");
}

#[test]
fn a_cloud_overrides_how_its_servers_are_made() {
    let text =
        with("  bergen:", "    ehos: {flavors: [big], scratch_size: none, network: None}\n    nodes_max: 3")
            .replace("flavor: m1.medium", "flavor: m1.medium\n  network: private\n  scratch_size: 50")
            + "clouds2:\n";
    let text = text.replace("clouds2:\n", "");
    let config = good(&text);
    let servers = &config.clouds[0].servers;
    assert_eq!(servers.flavors, ["big"]);
    assert_eq!(servers.scratch_size, None, "none is a value here");
    assert_eq!(servers.networks, ["private"], "not set: the common one");
    assert_eq!(config.policy.clouds[0].nodes_max, Some(3));
}

#[test]
fn later_files_override_key_by_key() {
    let files = Files::new();
    let first = files.write("ehos.yaml", GOOD.replace("hunter2-and-more", "<PASSWORD>"));
    let second = files.write(
        "secrets.yaml",
        "clouds:\n  bergen: {password: swordfish}\n  oslo:\n    auth_url: https://oslo.example.org/v3\n    username: bob\n    \
         password: x\n    project_name: p\nehos_daemon: {nodes_max: 9, sleep: None}\nehos: {flavors: [a, b]}\n",
    );
    let loaded = files.load(&[first.clone(), second.clone()]).unwrap_or_else(|problems| panic!("{problems}"));
    let config = loaded.config;
    assert_eq!(loaded.files, [first, second]);
    let names: Vec<&str> = config.clouds.iter().map(|cloud| cloud.name.as_str()).collect();
    assert_eq!(names, ["bergen", "oslo"], "in the order of the files");
    assert_eq!(access(&config.clouds[0]).region.as_deref(), Some("RegionOne"), "the first file's");
    assert_eq!(config.clouds[0].servers.flavors, ["a", "b"], "a list is replaced");
    assert_eq!((config.policy.limits.max(), config.policy.sleep.as_secs()), (9, 30), "unset changes nothing");
    assert_eq!(config.daemon.master_cloud, None, "there are two");
}

#[test]
fn floating_ips_and_volumes_are_read_and_honest() {
    let text = with("ehos:", "  floating_ip: public\n  scratch_size: 50GB");
    let config = good(&text);
    assert_eq!(config.clouds[0].servers.floating_ip, FloatingIp::Pool("public".to_owned()));
    assert_eq!(config.clouds[0].servers.scratch_size, Some(Mebibytes(50 * 1024)));
    let told = told(&text);
    assert!(told.contains("`floating_ip` is not acted on yet by this version"), "{told}");
    assert!(told.contains("`scratch_size` is not acted on yet by this version"), "{told}");
}

#[test]
fn the_embedded_world_needs_nothing() {
    let files = Files::new();
    let path = files.write("demo.yaml", "clouds: {here: {backend: embedded}}\n");
    let config = files.load(std::slice::from_ref(&path)).unwrap().config;
    assert!(config.is_embedded());
    assert_eq!(config.policy.pool.as_str(), "ehos@embedded");
    assert_eq!(config.daemon.state_dir, files.folder.path().join("tmp/ehos-1000"));
    let settings = embedded(&config.clouds[0]);
    let names: Vec<&str> = settings.flavors.iter().map(|flavor| flavor.name.as_str()).collect();
    assert_eq!(names, ["m1.small", "m1.medium", "m1.large", "m1.xlarge"]);
    assert_eq!(config.clouds[0].servers.flavors, names, "all that is sold");
    assert_eq!(*settings.boot_time.start(), Duration::from_secs(8));
    let mut environment = files.environment.clone();
    environment.variables.insert("XDG_RUNTIME_DIR".to_owned(), "/run/user/7".to_owned());
    let config = ehos_config::load_with(&[path], &environment).unwrap().config;
    assert_eq!(config.daemon.state_dir, PathBuf::from("/run/user/7/ehos-demo"));
}

#[test]
fn the_embedded_world_does_as_it_is_told() {
    let config = good(
        "clouds:
  here:
    backend: embedded
    ehos: {flavors: [tiny]}
    embedded:
      flavors:
        - {name: tiny, cores: 1, memory: 512, disk: 5}
        - {name: gpu, cores: 8, memory: 64GiB, disk: 100GiB, gpus: 2}
      boot_time: 5s-12s
      join_time: 500ms
      quota_cores: 40
      quota_memory: 80
      failure_rate: 0.05
embedded:
  load:
    - {jobs: 10, seconds: 20-60, cores: 2, memory: 2GiB}
    - {seconds: 5, at: 10s, gpus: 1}
",
    );
    let settings = embedded(&config.clouds[0]);
    let gpu = Resources { cores: 8, memory: Mebibytes(65_536), disk: Mebibytes(102_400), gpus: 2 };
    assert_eq!(settings.flavors[1].size, gpu);
    assert_eq!(settings.flavors[0].size.memory, Mebibytes(512), "bare memory is MiB");
    assert_eq!(settings.boot_time, Duration::from_secs(5)..=Duration::from_secs(12));
    assert_eq!(settings.join_time, Duration::from_millis(500)..=Duration::from_millis(500));
    assert_eq!(
        (settings.quota_instances, settings.quota_cores, settings.quota_memory),
        (None, Some(40), Some(80))
    );
    assert!((settings.failure_rate - 0.05).abs() < 1e-9);
    assert_eq!(config.clouds[0].servers.flavors, ["tiny"]);
    assert_eq!((config.load[0].jobs, config.load[0].seconds.clone()), (10, 20..=60));
    assert_eq!(config.load[0].request.memory, Mebibytes(2048));
    assert_eq!((config.load[1].jobs, config.load[1].at), (1, Duration::from_secs(10)));
    let told = told("clouds: {here: {backend: embedded, ehos: {flavor: m1.smal}}}");
    assert!(told.contains("does not sell `m1.smal`") && told.contains("did you mean `m1.small`?"), "{told}");
    let told = crate::files::told(GOOD.replace("  bergen:", "  here: {backend: embedded}\n  bergen:"));
    assert!(told.contains("embedded and real clouds cannot be in one configuration"), "{told}");
}

#[test]
fn a_file_of_the_python_program_loads_with_warnings() {
    let config = good(OLD);
    assert_eq!(config.policy.limits.max(), 8);
    assert_eq!(config.policy.sleep, Duration::from_mins(1), "the longest wait");
    assert_eq!(config.policy.pool.as_str(), "ehos-v1@192.0.2.10");
    assert_eq!(config.clouds[0].base_image.as_deref(), Some("GOLD CentOS 7"));
    assert_eq!(config.clouds[0].project_prefix, "ehos-v1");
    assert_eq!(config.clouds[0].servers.floating_ip, FloatingIp::None);
    let told = told(OLD);
    for warning in [
        "warning: `no_cache` is not needed any more",
        "warning: `ehos.base_image_id` has a better name now: `image`",
        "warning: `purge_floating_ips` is not needed any more",
        "warning: `ehos_daemon.sleep_max` has a better name now: `sleep`",
        "warning: `sleep_min` is not needed any more",
        "warning: names of servers begin with `ehos-v1`, not `ehos_v1`",
        "warning: `ehos_daemon.execute_config` has a better name now: `userdata_file` in `ehos`",
        "warning: `database` is not needed any more",
        "warning: `influxdb` is not needed any more",
    ] {
        assert!(told.contains(warning), "{warning}\n{told}");
    }
    assert_eq!(told.matches("warning: ").count(), 9, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

const OLD: &str = "#cloud-init
# vim: syntax=yaml
clouds:
  default:
    region_name: bgo
    project_domain_name: dataporten
    no_cache: 1
    user_domain_name: dataporten
    username: alice@example.org
    password: hunter2-and-more
    project_name: research
    auth_url: https://api.example.org:5000/v3
    image: None # the deployment script fills this in
ehos:
  project_prefix: ehos_v1
  flavor: m1.medium
  base_image_id: GOLD CentOS 7
  network: dualStack
  key: None
  security_groups: None
  purge_floating_ips: True
ehos_daemon:
    master_cloud: None
    min_cores: 4
    min_instances: 0
    min_ram: 8
    node_allocation: round-robin
    nodes_max: 8
    nodes_min: 2
    nodes_spare: 2
    sleep_min: 10
    sleep_max: 60
    execute_config: /usr/local/etc/ehos/execute.yaml
    database: postgresql://ehos:hunter2@db/ehos
condor:
    host_ip: 192.0.2.10
    password: None
influxdb:
  db: ehos
  password: hunter2
";

#[test]
fn a_file_of_the_first_python_program_loads_too() {
    let text = "cloud:\n  username: alice\n  password: hunter2-and-more\n  project_name: p\n  auth_url: https://a.example.org/v3\n\
                ehos:\n  project_prefix: EHOS_V1\n  flavor: m1.medium\n  submission_nodes: 1\n  nodes_max: 4\n  nodes_min: 1\n  \
                sleep_min: 10\n  sleep_max: 60\ncondor: {password: None, pool_id: mine, host_ip: 192.0.2.10}\n";
    let config = good(text);
    assert_eq!((config.policy.limits.max(), config.policy.limits.min()), (4, 1));
    assert_eq!(config.policy.sleep, Duration::from_mins(1));
    assert_eq!((config.clouds[0].name.as_str(), config.policy.pool.as_str()), ("default", "mine"));
    assert!(told(text).contains("`ehos.nodes_max` has a better name now: `nodes_max` in `ehos_daemon`"));
    let both = good(&format!("{text}ehos_daemon: {{nodes_max: 5}}\n"));
    assert_eq!(both.policy.limits.max(), 5, "the new name wins, wherever it stands");
}

#[test]
fn yaml_that_people_write() {
    let anchors = "defaults: &a\n";
    assert!(
        told(format!("{anchors}{GOOD}")).contains("there is no key `defaults`"),
        "no room for it at the top"
    );
    let text = GOOD
        .replace("  bergen:", "  bergen: &a")
        .replace("ehos:\n", "  oslo:\n    <<: *a\n    region_name: Oslo\nehos:\n");
    let config = good(&text);
    assert_eq!(
        access(&config.clouds[1]).region.as_deref(),
        Some("Oslo"),
        "its own key wins over the merged one"
    );
    assert_eq!(access(&config.clouds[1]).auth_url, "https://keystone.example.org:5000/v3");
    for (text, row) in [
        (GOOD.replace('\n', "\r\n"), "Windows line ends"),
        (format!("\u{feff}{GOOD}"), "a byte order mark"),
        (format!("---\n{GOOD}...\n"), "document marks"),
        (GOOD.replace("alice", "alice\t# who"), "a tab before a comment"),
        (GOOD.replace("research", "'research'"), "quotes"),
    ] {
        let config = good(&text);
        let Login::Password { username, project_name, .. } = &access(&config.clouds[0]).login else {
            panic!()
        };
        assert_eq!((username.as_str(), project_name.as_str()), ("alice", "research"), "{row}");
    }
}

#[test]
fn before_there_is_a_master_the_pool_may_have_no_name() {
    let mut files = Files::new();
    let nameless = GOOD.replace("host_ip: 192.0.2.10", "host_ip: None");
    assert!(nameless != GOOD);
    let path = files.write("ehos.yaml", nameless.clone());
    assert!(files.load(std::slice::from_ref(&path)).is_err(), "a daemon needs one");
    files.environment.before_master = true;
    let config = files.load(std::slice::from_ref(&path)).unwrap().config;
    assert!(config.is_unnamed() && config.condor.host_ip.is_none());
    let named = nameless.replace("host_ip: None", "host_ip: None\n  pool_id: mine");
    let path = files.write("ehos.yaml", named);
    let config = files.load(std::slice::from_ref(&path)).unwrap().config;
    assert!(!config.is_unnamed() && config.policy.pool.as_str() == "mine");
}

#[test]
fn paths_are_relative_to_their_file() {
    let files = Files::new();
    let path = files.write("etc/ehos.yaml", with("ehos:", "  userdata_file: my/execute.yaml"));
    let config = files.load(&[path]).unwrap().config;
    assert_eq!(config.clouds[0].userdata_file, Some(files.folder.path().join("etc/my/execute.yaml")));
    let path = files.write("etc/ehos.yaml", with("ehos:", "  userdata_parts: [site.yaml, /opt/mount.sh]"));
    let config = files.load(&[path]).unwrap().config;
    let expected = [files.folder.path().join("etc/site.yaml"), "/opt/mount.sh".into()];
    assert_eq!(config.clouds[0].userdata_parts, expected);
    let path = files.write("ehos.yaml", with("ehos:", "  userdata_file: ~/execute.yaml"));
    let config = files.load(&[path]).unwrap().config;
    assert_eq!(config.clouds[0].userdata_file, Some(files.folder.path().join("execute.yaml")));
}

#[test]
fn changes_are_told_key_by_key() {
    let old = good(GOOD);
    let new = good(
        &GOOD
            .replace("nodes_max: 6", "nodes_max: 9\n  nodes_min: 0")
            .replace("hunter2-and-more", "swordfish"),
    );
    let told: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["clouds.bergen.password: changed", "ehos_daemon.nodes_max: 6 -> 9", "ehos_daemon.nodes_min: 2 -> 0"]
    );
    assert_eq!(
        changes(&old, &good(&GOOD.replace("nodes_max: 6", "nodes_max: 6\n  sleep: 30s  # the default"))),
        []
    );
    let gone = good(&GOOD.replace("    region_name: RegionOne\n", ""));
    assert_eq!(changes(&old, &gone)[0].to_string(), "clouds.bergen.region_name: RegionOne -> not set");
}
