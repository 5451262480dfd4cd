//! Chooses image, flavors and network from what a cloud offers, and says why.
//!
//! Deliberately chooses what works for most: the operator reads the reasons and writes something else.

use ehos_cloud::ImageStatus;
use ehos_cloud::prepare::{Network, OfferedImage};
use ehos_model::{Flavor, Mebibytes, Quota};

use crate::prepare::{PrepareError, only_network};

/// Systems that images of nodes are built from, the best one first: as `os_distro`, as `os_version` begins, in words.
const SYSTEMS: [(&str, &str, &str); 6] = [
    ("debian", "13", "Debian 13"),
    ("debian", "12", "Debian 12"),
    ("ubuntu", "24.04", "Ubuntu 24.04"),
    ("ubuntu", "22.04", "Ubuntu 22.04"),
    ("almalinux", "9", "AlmaLinux 9"),
    ("rocky", "9", "Rocky Linux 9"),
];

/// Other words for those systems in names of images.
const ALIASES: [(&str, &str); 7] = [
    ("trixie", "debian 13"),
    ("bookworm", "debian 12"),
    ("noble", "ubuntu 24.04"),
    ("jammy", "ubuntu 22.04"),
    ("alma 9", "almalinux 9"),
    ("alma-9", "almalinux 9"),
    ("rockylinux", "rocky"),
];

/// The least memory of a node.
const MEMORY_MIN: Mebibytes = Mebibytes(2000);

/// The least disk of a node, in GiB: HTCondor and a container runtime take their share.
const DISK_MIN: u64 = 8;

/// The most flavors that are chosen.
const FLAVORS_MAX: usize = 4;

/// What was chosen: nothing where nothing fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Names, as they go into the configuration.
    pub values: Vec<String>,
    /// Why, or why nothing.
    pub why: String,
}

impl Choice {
    fn none(why: String) -> Self {
        Self { values: Vec::new(), why }
    }
}

/// Chooses what images of nodes are built from.
#[must_use]
pub fn image(offered: &[OfferedImage]) -> Choice {
    let usable = |one: &&OfferedImage| {
        one.image.status == ImageStatus::Active && !one.is_snapshot && one.image.properties.is_empty()
    };
    let order = SYSTEMS.map(|(_, _, words)| words).join(", ");
    for (distro, version, words) in SYSTEMS {
        let fits = |one: &&OfferedImage| is_of(one, distro, version);
        let newest = offered.iter().filter(usable).filter(fits).max_by_key(|one| one.image.created);
        if let Some(one) = newest {
            let by = if one.distro.is_some() { "by its os_distro" } else { "by its name" };
            let name = if one.image.name.is_empty() { one.image.id.as_str() } else { &one.image.name };
            let day = one.image.created.to_string();
            let day = day.split('T').next().unwrap_or_default();
            let why = format!(
                "it is the newest {words} here ({by}, made {day}); looked for, in this order: {order}"
            );
            return Choice { values: vec![name.to_owned()], why };
        }
    }
    let there: Vec<_> = offered.iter().filter(usable).map(|one| one.image.name.as_str()).take(20).collect();
    let there = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
    Choice::none(format!("none of these was found: {order}; the cloud has: {there}"))
}

fn is_of(one: &OfferedImage, distro: &str, version: &str) -> bool {
    let wrong_machine = |architecture: &String| !["x86_64", "amd64"].contains(&&**architecture);
    if one.architecture.as_ref().is_some_and(wrong_machine) {
        return false;
    }
    let begins = |text: &str| {
        text.strip_prefix(version).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if let (Some(is), Some(number)) = (&one.distro, &one.version) {
        let is = is.to_lowercase();
        let alias = matches!((is.as_str(), distro), ("alma", "almalinux") | ("rockylinux", "rocky"));
        return (is == distro || alias) && begins(number);
    }
    let mut name = one.image.name.to_lowercase();
    if ["arm64", "aarch64", "ppc64"].iter().any(|other| name.contains(other)) {
        return false;
    }
    for (alias, word) in ALIASES {
        name = name.replace(alias, word);
    }
    // `debian-13`, `Debian GNU/Linux 13 (trixie)`, `ubuntu24.04`: the number follows, not another one.
    name.split_once(distro).is_some_and(|(_, behind)| {
        let number = behind.find(|c: char| c.is_ascii_digit()).and_then(|at| behind.get(at..));
        number.is_some_and(begins)
    })
}

/// Chooses flavors of nodes: the smallest that is large enough, then such with at least twice the cores of the one before.
#[must_use]
pub fn flavors(offered: &[Flavor], quota: &Quota) -> Choice {
    let fits = |flavor: &&Flavor| {
        let size = &flavor.size;
        size.cores >= 1
            && size.memory >= MEMORY_MIN
            && size.disk >= Mebibytes::from_gibibytes(DISK_MIN)
            && size.gpus == 0
            && u64::from(size.cores) <= quota.cores.left()
            && size.memory <= quota.memory_left()
    };
    let mut sorted: Vec<_> = offered.iter().filter(fits).collect();
    sorted.sort_by_key(|flavor| (flavor.size.cores, flavor.size.memory, flavor.size.disk));
    let mut chosen: Vec<&Flavor> = Vec::new();
    for flavor in sorted {
        let grown = chosen.last().is_none_or(|last| {
            flavor.size.cores >= 2 * last.size.cores && flavor.size.memory >= last.size.memory
        });
        if grown && chosen.len() < FLAVORS_MAX {
            chosen.push(flavor);
        }
    }
    if chosen.is_empty() {
        return Choice::none(format!(
            "none of the cloud's {} flavors has 2 GB of memory, {DISK_MIN} GB of disk and room in the quota ({} cores, \
             {} MiB left)",
            offered.len(),
            quota.cores.left(),
            quota.memory_left().0
        ));
    }
    let sizes: Vec<_> = chosen
        .iter()
        .map(|one| {
            format!(
                "{} has {} core{} and {} GiB",
                one.name,
                one.size.cores,
                if one.size.cores == 1 { "" } else { "s" },
                one.size.memory.0.div_ceil(1024)
            )
        })
        .collect();
    let why = format!(
        "they fit into the quota and each has at least twice the cores of the one before: {}; the planner takes what suits \
         the jobs",
        sizes.join(", ")
    );
    Choice { values: chosen.iter().map(|one| one.name.to_string()).collect(), why }
}

/// Chooses the network, where only one can be meant.
#[must_use]
pub fn network(offered: &[Network]) -> Choice {
    match only_network(offered) {
        Ok(one) => {
            let unique = offered.iter().filter(|other| other.name == one.name).count() == 1;
            let value = if unique && !one.name.is_empty() { &one.name } else { &one.id };
            let whose = if one.own { "our project's" } else { "a shared one" };
            let why = format!("it is the only one that nodes can be plugged into ({whose}, with a subnet)");
            Choice { values: vec![value.clone()], why }
        }
        Err(PrepareError::SeveralNetworks(names)) => {
            Choice::none(format!("there are several, write one of them: {names}"))
        }
        Err(other) => Choice::none(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
