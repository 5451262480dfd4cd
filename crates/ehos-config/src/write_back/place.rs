//! Finds where in a tree a value has its place.
//!
//! Deliberately knows all names that a key and its section may have, those of the Python EHOS, too.

use crate::document::Slot;
use crate::keys::{self, Key, Section};
use crate::tree::{Entry, Node};

/// An entry and the mapping it is in.
#[derive(Clone, Copy)]
pub(super) struct Step<'t> {
    pub(super) within: &'t Node,
    pub(super) entry: &'t Entry,
}

/// How near a file comes to having a value; the nearest gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    Nothing,
    /// It has the cloud, but not the section in it.
    Cloud,
    Section,
    /// It has the key, set or not.
    Key,
}

/// Names a value as messages do: `clouds.bergen.image`.
pub(super) fn path(slot: &Slot) -> String {
    format!("{}.{}", slot.section.path(slot.cloud.as_deref()), slot.key)
}

/// Tells how near a file comes to having a value.
pub(super) fn nearness(root: &Node, slot: &Slot) -> Nearness {
    let Some(steps) = section(root, slot) else {
        let has_cloud = slot.cloud.as_deref().is_some_and(|name| cloud(root, name).is_some());
        return if has_cloud { Nearness::Cloud } else { Nearness::Nothing };
    };
    match value(&steps, slot) {
        Some(_) => Nearness::Key,
        None => Nearness::Section,
    }
}

/// Finds the value itself, if its key is there.
pub(super) fn value<'t>(steps: &[Step<'t>], slot: &Slot) -> Option<&'t Entry> {
    let section = &steps.last()?.entry.value;
    entry(section, keys::find(slot.section, slot.key)?)
}

/// Finds the section that a value belongs to, from the root down.
pub(super) fn section<'t>(root: &'t Node, slot: &Slot) -> Option<Vec<Step<'t>>> {
    let part = match slot.section {
        Section::Cloud => return cloud(root, slot.cloud.as_deref()?),
        Section::Ehos => "ehos",
        Section::Daemon => "ehos_daemon",
        Section::Condor => "condor",
        _ => return None,
    };
    let Some(name) = slot.cloud.as_deref() else {
        let entry = entry(root, keys::find(Section::Top, part)?)?;
        return Some(vec![Step { within: root, entry }]);
    };
    let mut steps = cloud(root, name)?;
    let within = &steps.last()?.entry.value;
    steps.push(Step { within, entry: entry(within, keys::find(Section::Cloud, part)?)? });
    Some(steps)
}

/// Finds a cloud; of two of that name, the one whose values win.
pub(super) fn cloud<'t>(root: &'t Node, name: &str) -> Option<Vec<Step<'t>>> {
    let mut found = None;
    for entry in root.entries() {
        let first = Step { within: root, entry };
        if entry.key == "clouds" {
            let own = entry.value.entries().iter().find(|cloud| cloud.key == name);
            found = own.map(|own| vec![first, Step { within: &entry.value, entry: own }]).or(found);
        } else if entry.key == "cloud" && name == "default" {
            found = Some(vec![first]);
        }
    }
    found
}

/// Finds an entry by any name of its key; one of the old names only where there is none of today.
pub(super) fn entry<'t>(section: &'t Node, key: &Key) -> Option<&'t Entry> {
    let find = |is: &dyn Fn(&str) -> bool| section.entries().iter().find(|entry| is(&entry.key));
    find(&|name| key.is(name)).or_else(|| find(&|name| key.old.contains(&name)))
}
