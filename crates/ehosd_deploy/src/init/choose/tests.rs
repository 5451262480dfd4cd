//! What is chosen from which offer.

use ehos_cloud::{Image, Properties};
use ehos_model::{Allowance, Resources};

use super::*;

fn offered(name: &str, system: Option<(&str, &str)>, made: &str) -> OfferedImage {
    OfferedImage {
        image: Image {
            id: format!("id of {name}").into(),
            name: name.to_owned(),
            status: ImageStatus::Active,
            created: made.parse().unwrap(),
            min_disk: 0,
            min_memory: 0,
            properties: Properties::new(),
        },
        distro: system.map(|(distro, _)| distro.to_owned()),
        version: system.map(|(_, version)| version.to_owned()),
        architecture: None,
        size: 0,
        is_snapshot: false,
    }
}

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2026-01-01T00:00:00Z";

#[test]
fn a_system_is_known_by_its_labels_or_its_name() {
    for (name, system, expected) in [
        ("x", Some(("debian", "13")), Some("Debian 13")),
        ("x", Some(("debian", "13.2")), Some("Debian 13")),
        ("x", Some(("Debian", "12")), Some("Debian 12")),
        ("x", Some(("debian", "130")), None),
        ("x", Some(("ubuntu", "24.04")), Some("Ubuntu 24.04")),
        ("x", Some(("alma", "9.4")), Some("AlmaLinux 9")),
        ("x", Some(("rocky", "9")), Some("Rocky Linux 9")),
        ("debian-13", Some(("centos", "7")), None),
        ("debian-13", None, Some("Debian 13")),
        ("GOLD Debian 12", None, Some("Debian 12")),
        ("Debian GNU/Linux 13 (trixie)", None, Some("Debian 13")),
        ("debian-trixie-cloud", None, Some("Debian 13")),
        ("ubuntu24.04", None, Some("Ubuntu 24.04")),
        ("Ubuntu 22.04 LTS Jammy", None, Some("Ubuntu 22.04")),
        ("Ubuntu Noble", None, Some("Ubuntu 24.04")),
        ("AlmaLinux-9-20260101", None, Some("AlmaLinux 9")),
        ("Rocky Linux 9.5", None, Some("Rocky Linux 9")),
        ("debian-12-arm64", None, None),
        ("debian-11", None, None),
        ("CentOS 7", None, None),
        ("", None, None),
    ] {
        let choice = image(&[offered(name, system, OLD)]);
        let found = SYSTEMS.map(|(_, _, words)| words).into_iter().find(|words| {
            !choice.values.is_empty() && choice.why.starts_with(&format!("it is the newest {words} here"))
        });
        assert_eq!(found, expected, "{name} {system:?}: {}", choice.why);
    }
}

#[test]
fn the_best_system_comes_before_the_newest_image() {
    let mut snapshot = offered("debian-13 of mine", None, NEW);
    snapshot.is_snapshot = true;
    let mut ours = offered("debian-13 node", None, NEW);
    ours.image.properties.insert("ehos_pool".into(), "p".into());
    let mut queued = offered("debian-13 soon", None, NEW);
    queued.image.status = ImageStatus::Coming("queued".into());
    let mut arm = offered("debian-13 for others", Some(("debian", "13")), NEW);
    arm.architecture = Some("aarch64".into());
    let all = [
        offered("ubuntu-24.04", None, NEW),
        snapshot,
        ours,
        queued,
        arm,
        offered("debian-13 old", None, OLD),
        offered("debian-13 new", None, "2025-06-01T00:00:00Z"),
    ];
    let choice = image(&all);
    assert_eq!(choice.values, ["debian-13 new"]);
    assert!(choice.why.contains("made 2025-06-01"), "{}", choice.why);
    let none = image(&[offered("CentOS 7", None, NEW)]);
    assert!(none.values.is_empty() && none.why.ends_with("the cloud has: CentOS 7"), "{}", none.why);
    assert!(image(&[]).why.ends_with("none at all"));
    assert_eq!(image(&[offered("", Some(("debian", "13")), NEW)]).values, ["id of "], "one without a name");
}

fn flavor(name: &str, cores: u32, gibibytes: u64, disk: u64, gpus: u32) -> Flavor {
    let memory = Mebibytes::from_gibibytes(gibibytes);
    Flavor {
        name: name.into(),
        size: Resources { cores, memory, disk: Mebibytes::from_gibibytes(disk), gpus },
    }
}

#[test]
fn flavors_grow_from_the_smallest_and_fit_the_quota() {
    let common = [
        flavor("tiny", 1, 1, 20, 0),
        flavor("small", 1, 2, 20, 0),
        flavor("small.more", 1, 4, 20, 0),
        flavor("medium", 2, 4, 40, 0),
        flavor("three", 3, 6, 40, 0),
        flavor("large", 4, 8, 80, 0),
        flavor("xlarge", 8, 16, 160, 0),
        flavor("huge", 16, 32, 160, 0),
        flavor("gpu", 8, 64, 80, 1),
        flavor("diskless", 2, 8, 0, 0),
    ];
    let cores = |max, used| Quota { cores: Allowance { max: Some(max), used }, ..Quota::default() };
    let memory = Quota { memory: Allowance { max: Some(5000), used: 0 }, ..Quota::default() };
    for (quota, expected, row) in [
        (Quota::default(), &["small", "medium", "large", "xlarge"][..], "without limit"),
        (cores(10, 6), &["small", "medium", "large"][..], "four cores left"),
        (memory, &["small", "medium"][..], "little memory left"),
        (cores(4, 4), &[][..], "nothing left"),
    ] {
        let choice = flavors(&common, &quota);
        assert_eq!(choice.values, expected, "{row}: {}", choice.why);
    }
    let only = flavors(&[flavor("only", 8, 16, 80, 0)], &Quota::default());
    assert_eq!((only.values.len(), only.why.contains("only has 8 cores and 16 GiB")), (1, true));
}

#[test]
fn the_network_is_chosen_where_one_can_be_meant() {
    let one = |name: &str, own, external| Network {
        id: format!("id-{name}"),
        name: name.to_owned(),
        external,
        shared: false,
        own,
        up: true,
        subnets: 1,
    };
    let (lan, wan) = (one("lan", true, false), one("wan", false, true));
    assert_eq!(network(&[lan.clone(), wan.clone()]).values, ["lan"]);
    assert_eq!(
        network(&[lan.clone(), one("lan", false, true)]).values,
        ["id-lan"],
        "another one is called so"
    );
    let several = network(&[lan, one("dmz", true, false)]);
    assert!(several.values.is_empty() && several.why.ends_with("write one of them: lan, dmz"), "{several:?}");
    assert!(network(&[wan]).why.starts_with("there is no network"));
}
