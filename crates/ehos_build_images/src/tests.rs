//! The way from a base image to an id in the configuration, in an embedded cloud and in virtual time.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ehos_boot::{Stop, Trouble, Watch, Writer};
use ehos_cloud::images::POOL;
use ehos_cloud::{Cloud as _, Images as _, Properties, ServerOrder};
use ehos_cloudinit::{EXECUTE_YAML, Recipe};
use ehos_condor::{Cluster, Pool as _};
use ehos_model::{Allowance, CloudName, Failure, NodeId, Quota, Role, ServerStatus};
use ehos_sim::{EmbeddedCloud, EmbeddedCloudSettings, Health, World, WorldSettings};
use ehos_terminal::{Bars, Progress};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::build::build;
use crate::done::Done;
use crate::ids::Ids;
use crate::image::{BASE_IMAGE, BASE_YAML, HTCONDOR, PROBED};
use crate::node::Maker;
use crate::site::{Base, Order, Prober, Site};

const OURS: &str = "ours";

/// A world with one cloud, a configuration file that names it, and what is built with.
struct Bench {
    world: World,
    cloud: EmbeddedCloud,
    site: Site,
    order: Order,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut EmbeddedCloudSettings)) -> Self {
        let world = World::new(WorldSettings::new(7));
        let mut settings = EmbeddedCloudSettings::new("west", OURS.into());
        change(&mut settings);
        let cloud = world.add_cloud(settings);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ehos.yaml");
        std::fs::write(
            &file,
            "clouds:\n  west: # the first\n    auth_url: http://x\n    image: None  # soon\n",
        )
        .unwrap();
        let site = Site {
            cloud: Arc::new(cloud.clone()),
            base: "embedded".to_owned(),
            prefix: "ehos".to_owned(),
            configured: None,
            recipe: Recipe::of("execute.yaml", EXECUTE_YAML).unwrap(),
        };
        let order = Order {
            pool: OURS.into(),
            base: Base {
                origin: "base.yaml".to_owned(),
                user_data: b"#cloud-config\n".to_vec().into(),
                fingerprint: "f00d".to_owned(),
                cleans: true,
            },
            prober: Prober::Pool { pool: Arc::new(world.pool()), master: "192.0.2.1".to_owned() },
            ids: Ids::new(Writer::new(vec![file]), BTreeMap::new()),
            maker: Maker::here(),
            force: false,
            keep: false,
            dry_run: false,
            keep_images: 2,
            timeout: Duration::from_mins(10),
        };
        Self { world, cloud, site, order, folder }
    }

    fn name(&self) -> CloudName {
        self.cloud.name().clone()
    }

    fn progress() -> Progress {
        Bars::new(None, std::iter::empty()).add("west", 6)
    }

    async fn build(&self) -> Result<Done, Trouble> {
        let (_tell, stop) = Stop::by_hand();
        build(&self.site, &self.order, &Self::progress(), &stop).await
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ehos.yaml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// What is there beside images that are good: servers, images without a mark, jobs.
    async fn left(&self) -> (u64, usize, u64) {
        let images = self.cloud.images().await.unwrap();
        let unproven = images.iter().filter(|image| !image.properties.contains_key(PROBED)).count();
        let mut jobs = 0;
        for cluster in 1..5 {
            let counts = self.world.pool().jobs(Cluster(cluster)).await.unwrap();
            jobs += counts.idle + counts.running + counts.held;
        }
        (self.world.stats().servers, unproven, jobs)
    }

    async fn good(&self) -> usize {
        let images = self.cloud.images().await.unwrap();
        images.iter().filter(|image| image.properties.contains_key(PROBED)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_is_built_probed_and_written_down() {
    let bench = Bench::new();
    let Ok(Done::Built { image, htcondor }) = bench.build().await else { panic!("not built") };
    assert_eq!(htcondor.as_deref(), Some("23.9.6"));
    let expected =
        format!("clouds:\n  west: # the first\n    auth_url: http://x\n    image: {image}  # soon\n");
    assert_eq!(bench.text(), expected, "only the value has changed");
    assert_eq!(bench.left().await, (0, 0, 0), "servers, unfinished images, jobs");
    let found = bench.cloud.image(&image.as_str().into()).await.unwrap();
    for (key, value) in [(POOL, OURS), (BASE_IMAGE, "embedded"), (BASE_YAML, "f00d"), (HTCONDOR, "23.9.6")] {
        assert_eq!(found.properties.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(found.properties.contains_key("ehos_version") && found.properties.contains_key(PROBED));
    assert!(bench.world.pool().slots().await.unwrap().is_empty(), "the probe's ads are gone");
    assert_eq!(bench.world.stats().finished, 1, "the probe has run its job");
}

#[tokio::test(start_paused = true)]
async fn what_is_up_to_date_is_not_built_again_unless_forced() {
    let mut bench = Bench::new();
    let Ok(Done::Built { image, .. }) = bench.build().await else { panic!("not built") };
    bench.site.configured = Some(image.clone());
    assert_eq!(bench.build().await, Ok(Done::UpToDate { image: image.clone() }));
    let before = bench.text();
    bench.site.configured = Some("another".to_owned());
    assert_eq!(bench.build().await, Ok(Done::Found { image: image.clone() }), "a good one is there");
    assert_eq!(bench.text(), before);
    bench.order.base.fingerprint = "beef".to_owned();
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })), "base.yaml has changed");
    bench.order.force = true;
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })), "forced");
    assert_eq!(bench.good().await, 2, "three were built, two are kept");
    assert!(bench.cloud.image(&image.as_str().into()).await.is_err(), "the oldest is gone");
}

#[tokio::test(start_paused = true)]
async fn an_old_image_stays_while_servers_boot_from_it() {
    let mut bench = Bench::new();
    bench.order.force = true;
    let Ok(Done::Built { image, .. }) = bench.build().await else { panic!("not built") };
    let node = ServerOrder {
        image: Some(image.as_str().into()),
        ..ServerOrder::new("n".into(), Role::Execute, "m1.small".into())
    };
    bench.cloud.create(&node).await.unwrap();
    for _ in 0..3 {
        bench.build().await.unwrap();
    }
    bench.cloud.image(&image.as_str().into()).await.unwrap();
    assert_eq!(bench.good().await, 3, "two, and the one in use");
    assert_eq!(bench.world.stats().servers, 1, "the node is not ours to delete");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_by_a_dry_run() {
    let mut bench = Bench::new();
    bench.order.dry_run = true;
    let Ok(Done::Would(what)) = bench.build().await else { panic!("no plan") };
    assert_eq!(what, "build from embedded (embedded) on a server of m1.small, told base.yaml");
    assert_eq!((bench.left().await, bench.good().await), ((0, 0, 0), 0));
    assert!(bench.text().contains("image: None"));
}

#[tokio::test(start_paused = true)]
async fn where_the_quota_holds_one_server_the_base_goes_before_the_probe() {
    let one = Quota { instances: Allowance { max: Some(1), used: 0 }, ..Quota::default() };
    let bench = Bench::with(|settings| settings.quota = one);
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })));
    let none = Quota { instances: Allowance { max: Some(3), used: 3 }, ..Quota::default() };
    let bench = Bench::with(|settings| settings.quota = none);
    let why = bench.build().await.unwrap_err().why;
    let expected = "the quota has no room for a server of m1.small (1 core, 2 GiB, 20 GiB disk): in use are \
                    instances 3 of 3, cores 0 of no limit, memory 0 of no limit MiB";
    assert_eq!(why, expected);
}

#[tokio::test(start_paused = true)]
async fn without_a_pool_the_probe_speaks_for_itself() {
    let mut bench = Bench::new();
    bench.order.prober = Prober::Alone;
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })));
    assert_eq!(bench.left().await, (0, 0, 0));
}

/// Each trouble, its words, and that nothing is left of it.
#[tokio::test(start_paused = true)]
async fn each_trouble_is_told_and_leaves_nothing() {
    type Make = fn(&Bench, &CloudName);
    let rows: [(&str, Make, &str); 12] = [
        (
            "base server refused",
            |b, c| b.world.faults().refuse_next(c, Failure::rejected("no such network")),
            "the base server cannot be made: no such network",
        ),
        (
            "base server in ERROR",
            |b, c| b.world.faults().fail_next(c),
            "went to ERROR: No valid host was found",
        ),
        (
            "never up",
            |b, c| b.world.faults().keep_next_out(c),
            "did not say within 10 min that it is up and clean",
        ),
        (
            "cloud-init fails",
            |b, c| b.world.faults().put_into_mouth(c, "Running module runcmd (<module 'x' from 'y'>) failed"),
            "failed to set itself up: ",
        ),
        (
            "base.yaml fails",
            |b, c| {
                b.world
                    .faults()
                    .put_into_mouth(c, "EHOS image: FAILED: apt-get update: no package list could be read");
            },
            "failed to set itself up: apt-get update",
        ),
        (
            "up and never clean",
            |b, c| b.world.faults().put_into_mouth(c, "The EHOS vm is up after 42 seconds"),
            "did not say within 10 min that it is up and clean",
        ),
        ("image killed", |b, c| b.world.faults().break_next_image(c), "became killed instead of active"),
        ("image vanishes", |b, c| b.world.faults().drop_next_image(c), "is gone before it was active"),
        ("image queued for ever", |b, c| b.world.faults().hang_next_image(c), "is still queued after 10 min"),
        (
            "cloud down",
            |b, c| b.world.faults().cloud_health(c, Health::Unreachable("cannot connect".into())),
            "its servers cannot be listed: cannot connect",
        ),
        (
            "probe never joins",
            |b, c| {
                let faults = b.world.faults();
                faults.take_next_as_usual(c);
                faults.keep_next_out(c);
            },
            "did not say within 10 min by its startd that it is in the pool",
        ),
        (
            "probe in ERROR",
            |b, c| {
                let faults = b.world.faults();
                faults.take_next_as_usual(c);
                faults.fail_next(c);
            },
            "the node of the new image",
        ),
    ];
    for (row, make, words) in rows {
        let bench = Bench::new();
        let before = bench.text();
        make(&bench, &bench.name());
        let trouble = bench.build().await.expect_err(row);
        assert!(trouble.why.contains(words), "{row}: {}", trouble.why);
        bench.world.faults().cloud_health(&bench.name(), Health::Well);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(bench.left().await, (0, 0, 0), "{row}: servers, unfinished images, jobs");
        assert_eq!(bench.text(), before, "{row}: nothing is written");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_vanishes_is_told() {
    let bench = Bench::new();
    bench.world.faults().keep_next_out(&bench.name());
    let vanish = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let servers = bench.cloud.servers().await.unwrap();
            if let Some(server) = servers.iter().find(|server| server.status == ServerStatus::Active) {
                break bench.world.faults().vanish(&server.id);
            }
        }
    };
    let (result, vanished) = tokio::join!(bench.build(), vanish);
    assert!(vanished);
    let why = result.unwrap_err().why;
    assert!(why.contains("has vanished: somebody or the cloud has deleted it"), "{why}");
    assert_eq!(bench.left().await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probes_job_that_was_removed_proves_nothing() {
    let bench = Bench::new();
    let remove = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let counts = bench.world.pool().jobs(Cluster(1)).await.unwrap();
            if counts.idle + counts.running > 0 {
                break bench.world.pool().remove(Cluster(1)).await.unwrap();
            }
        }
    };
    let (result, ()) = tokio::join!(bench.build(), remove);
    let why = result.unwrap_err().why;
    assert!(why.contains("left the queue without having run to its end"), "{why}");
    assert_eq!((bench.left().await, bench.good().await), ((0, 0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_vanishes_is_told_at_once() {
    let bench = Bench::new();
    let begun = tokio::time::Instant::now();
    let vanish = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if bench.world.pool().slots().await.unwrap().is_empty() {
                continue;
            }
            let servers = bench.cloud.servers().await.unwrap();
            let probe = servers.iter().find(|server| server.node.as_str().contains("-probe-")).unwrap();
            break bench.world.faults().vanish(&probe.id);
        }
    };
    let (result, vanished) = tokio::join!(bench.build(), vanish);
    assert!(vanished && begun.elapsed() < Duration::from_mins(5), "{:?}", begun.elapsed());
    let why = result.unwrap_err().why;
    assert!(why.contains("has vanished: somebody or the cloud has deleted it"), "{why}");
}

#[test]
fn a_pool_without_a_name_and_a_password_gets_both_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ehos.yaml");
    let text = "clouds:\n  w: {auth_url: http://x, username: u, password: p, project_name: p}\nehos: {flavor: f, image: i}\n\
                condor:\n  password: None # soon\n";
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let writer = Writer::new(vec![file.clone()]);
    let load = || ehos_config::load_before_master(std::slice::from_ref(&file)).unwrap().config;
    assert!(writer.complete(&load()).unwrap(), "something was missing");
    let config = load();
    let password = config.condor.password.clone().unwrap();
    assert_eq!(password.expose_secret().len(), 43, "256 bits in base64");
    assert!(!config.is_unnamed() && config.policy.pool.as_str().starts_with("ehos-"));
    assert!(!writer.complete(&config).unwrap(), "nothing is missing any more");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "the mode is kept");
    assert!(std::fs::read_to_string(&file).unwrap().contains("# soon"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_no_server_and_no_image() {
    for late in [Duration::ZERO, Duration::from_secs(9)] {
        let bench = Bench::new();
        bench.world.faults().lose_next_answer(&bench.name(), late);
        bench.world.faults().lose_next_image(&bench.name());
        assert!(matches!(bench.build().await, Ok(Done::Built { .. })), "{late:?}: found again");
        assert_eq!((bench.left().await, bench.good().await), ((0, 0, 0), 1), "{late:?}");
    }
}

/// Interrupts after every second of a build: whatever had been made is gone, and the file is as it was or finished.
#[tokio::test(start_paused = true)]
async fn an_interruption_at_any_moment_leaves_nothing() {
    let whole = {
        let begun = tokio::time::Instant::now();
        Bench::new().build().await.unwrap();
        begun.elapsed().as_secs()
    };
    assert!(whole > 10, "{whole} s");
    for second in 0..=whole {
        let bench = Bench::new();
        let before = bench.text();
        let (tell, stop) = Stop::by_hand();
        let progress = Bench::progress();
        let ring = async {
            tokio::time::sleep(Duration::from_secs(second)).await;
            tell.send_replace(true);
            std::future::pending::<()>().await;
        };
        let result = tokio::select! {
            result = build(&bench.site, &bench.order, &progress, &stop) => result,
            () = ring => unreachable!("it waits for ever"),
        };
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(bench.left().await, (0, 0, 0), "after {second} s: servers, unfinished images, jobs");
        match result {
            Err(trouble) => assert!(trouble.interrupted && bench.text() == before, "after {second} s"),
            Ok(_) => assert_ne!(bench.text(), before, "after {second} s"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_run_has_left_is_deleted_by_the_next() {
    let bench = Bench::new();
    let maker = Maker::here();
    let server = |node: NodeId| ServerOrder::new(node, Role::Build, "m1.small".into());
    let ours = maker.name("ehos", "build");
    let id = bench.cloud.create(&server(ours.clone())).await.unwrap();
    let theirs = bench.cloud.create(&server("ehos-build-other-20260101000000-abcdef".into())).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let unfinished = Properties::from([("ehos_node".to_owned(), ours.to_string())]);
    bench.cloud.make_image(&id, "half", &unfinished).await.unwrap();
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })));
    let servers = bench.cloud.servers().await.unwrap();
    assert_eq!(servers.iter().map(|server| &server.id).collect::<Vec<_>>(), [&theirs], "another machine's");
    assert_eq!(bench.cloud.images().await.unwrap().len(), 1, "the half one is gone");
}

/// Two clouds of a configuration may be the same project.
#[tokio::test(start_paused = true)]
async fn clouds_of_one_project_take_nothing_from_each_other() {
    let mut bench = Bench::new();
    let running = bench.order.maker.name("ehos", "build");
    let order = ServerOrder::new(running.clone(), Role::Build, "m1.small".into());
    let id = bench.cloud.create(&order).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let unfinished = Properties::from([("ehos_node".to_owned(), running.to_string())]);
    let half = bench.cloud.make_image(&id, "half", &unfinished).await.unwrap();
    let Ok(Done::Built { image, .. }) = bench.build().await else { panic!("not built") };
    assert_eq!(bench.cloud.servers().await.unwrap().len(), 1, "the other cloud's base server stays");
    bench.cloud.image(&half).await.unwrap();

    let named = BTreeMap::from([("east".into(), image.clone())]);
    bench.order.ids = Ids::new(Writer::new(vec![bench.file()]), named);
    (bench.order.force, bench.order.keep_images) = (true, 1);
    for _ in 0..2 {
        bench.build().await.unwrap();
    }
    bench.cloud.image(&image.as_str().into()).await.unwrap();
    assert_eq!(bench.good().await, 2, "the newest, and the one that another cloud names");

    bench.order.force = false;
    bench.site.configured = Some(image.clone());
    assert_eq!(bench.build().await, Ok(Done::UpToDate { image }), "a newer one is no reason to change");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_is_told_before_anything_is_made() {
    let bench = Bench::new();
    bench.order.ids.check(&bench.name()).unwrap();
    assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 1, "nothing is left beside it");
    std::fs::write(bench.file(), "clouds: {east: {image: None}}\n").unwrap();
    let begun = tokio::time::Instant::now();
    let why = bench.build().await.unwrap_err().why;
    assert!(why.contains("nothing is built") && why.contains("no file has the cloud `west`"), "{why}");
    assert_eq!(begun.elapsed(), Duration::ZERO, "no server was waited for");
    assert_eq!((bench.left().await, bench.good().await), ((0, 0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_console_that_cannot_be_read_is_told_with_whatever_went_wrong() {
    let bench = Bench::new();
    let (node, server) = (bench.order.maker.name("ehos", "build"), "one".into());
    let mut watch = Watch::new(&bench.cloud, &node, &server, "the base server");
    bench.world.faults().cloud_health(&bench.name(), Health::Unreachable("502 Bad Gateway".to_owned()));
    watch.look().await.unwrap();
    let trouble = watch.trouble("has switched itself off");
    let expected = "has switched itself off; its console log cannot be read (502 Bad Gateway";
    assert!(trouble.why.contains(expected), "{}", trouble.why);
    assert_eq!(trouble.console, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_is_kept_to_be_looked_at_if_wanted() {
    let mut bench = Bench::new();
    bench.order.keep = true;
    bench.world.faults().put_into_mouth(&bench.name(), "EHOS image: FAILED: no network");
    let trouble = bench.build().await.unwrap_err();
    assert!(trouble.why.ends_with("its servers are kept, the next run deletes them"), "{}", trouble.why);
    assert!(trouble.console.unwrap().contains("EHOS image: FAILED: no network"));
    assert_eq!(bench.left().await, (1, 0, 0), "the server is there");
    // The next run is another one.
    bench.order.maker = Maker::here();
    assert!(matches!(bench.build().await, Ok(Done::Built { .. })));
    assert_eq!(bench.left().await, (0, 0, 0), "and gone with the next run");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_cannot_be_written_is_told_and_the_image_stays() {
    let bench = Bench::new();
    let edit = async {
        while bench.cloud.servers().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::fs::write(bench.file(), "clouds: {east: {image: None}}\n").unwrap();
    };
    let (result, ()) = tokio::join!(bench.build(), edit);
    let why = result.unwrap_err().why;
    assert!(why.contains("is good, but its id cannot be written: no file has the cloud `west`"), "{why}");
    assert_eq!((bench.left().await, bench.good().await), ((0, 0, 0), 1));
}
