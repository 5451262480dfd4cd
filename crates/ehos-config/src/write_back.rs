//! Writes single values into the operator's files: only the value's own characters change.
//!
//! Deliberately writes nothing rather than something else: the result is parsed again and must say what the old file said
//! but for that value.

mod edit;
mod error;
mod items;
mod lines;
mod order;
mod parsed;
mod place;
mod replace;
mod section;
mod spell;
mod target;

use std::path::PathBuf;

pub use self::error::WriteBackError;
use self::order::Order;
pub use self::order::{Edit, NewValue};
use self::place::Nearness;
use self::target::Target;
use crate::value;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file, as given.
    pub file: PathBuf,
    /// Which value: `clouds.bergen.image`.
    pub key: String,
    /// The line it stands on now, from 1.
    pub line: usize,
    /// The file as it was before; `None` where the value was there already and nothing was written.
    pub backup: Option<PathBuf>,
    /// The mode before and now, where a secret was written into a file that others could use.
    pub closed: Option<(u32, u32)>,
}

/// Writes values into the files they belong to; later files override earlier ones key by key.
///
/// A value goes to the last file that has its key, set or not; else to the last one that has its section; else the first
/// file gets the section. Old names of keys stay. Comments, order, quotes, line ends, byte order mark, owner, group and mode
/// stay as well; access control lists, other extended attributes and further hard links are not carried over. Behind an
/// alias or `<<`, the value gets a place of its own, so that no other one changes; what takes its value from this place
/// through `<<` gets its old one as its own.
///
/// Each file is replaced at once or not at all: a new one is written beside it, the old one becomes `FILE.backup`. Symbolic
/// links are followed first. All edits of a file go in one step; the files are prepared before the first is replaced.
/// Programs that use this function wait for each other, 10 s at most.
///
/// A secret never gets into a file that all users can read, nor does its backup: their rights are taken away and
/// [`Written::closed`] tells so. The group keeps its rights: a daemon that is not root often reads its file by them.
///
/// # Errors
/// Where nothing was written. Of several files, those before the one of a [`WriteBackError::Write`] or
/// [`WriteBackError::Changed`] may have been replaced; calling this once more does the rest.
pub fn write_back(files: &[PathBuf], edits: &[Edit]) -> Result<Vec<Written>, WriteBackError> {
    let Edited { orders, targets, places } = edited(files, edits)?;
    let prepared = prepared(&targets)?;
    let done: Vec<Option<replace::Replaced>> = prepared
        .into_iter()
        .map(|each| each.map(replace::Prepared::commit).transpose())
        .collect::<Result<_, _>>()?;
    let written = orders.iter().zip(places).filter_map(|(order, (place, changed))| {
        let target = targets.get(place)?;
        let replaced = done.get(place)?.as_ref().filter(|_| changed);
        Some(Written {
            file: target.held.path.clone(),
            key: place::path(&order.slot),
            line: target.line(&order.slot),
            backup: replaced.map(|replaced| replaced.backup.clone()),
            closed: replaced.and_then(|replaced| replaced.closed).filter(|_| order.is_secret()),
        })
    });
    Ok(written.collect())
}

/// Checks whether [`write_back`] could do the same now; leaves the files as they are.
///
/// # Errors
/// Its own.
pub fn can_write_back(files: &[PathBuf], edits: &[Edit]) -> Result<(), WriteBackError> {
    prepared(&edited(files, edits)?.targets).map(drop)
}

/// The files with all edits carried out in memory.
struct Edited {
    orders: Vec<Order>,
    targets: Vec<Target>,
    /// Which file each order went to, and whether it changed it.
    places: Vec<(usize, bool)>,
}

fn edited(files: &[PathBuf], edits: &[Edit]) -> Result<Edited, WriteBackError> {
    let orders: Vec<Order> = edits.iter().map(Edit::checked).collect::<Result<_, _>>()?;
    let mut targets: Vec<Target> =
        replace::hold(files)?.into_iter().map(Target::read).collect::<Result<_, _>>()?;
    let mut places = Vec::new();
    for order in &orders {
        let place = place_of(&targets, order)?;
        if let Some(target) = targets.get_mut(place) {
            let changed = target.carry_out(order)?;
            places.push((place, changed));
        }
    }
    Ok(Edited { orders, targets, places })
}

/// Writes what has changed beside the files; it goes away again unless it is put in their places.
fn prepared(targets: &[Target]) -> Result<Vec<Option<replace::Prepared<'_>>>, WriteBackError> {
    targets.iter().map(|target| target.is_changed.then(|| target.prepare()).transpose()).collect()
}

/// Chooses the file that a value goes to.
fn place_of(targets: &[Target], order: &Order) -> Result<usize, WriteBackError> {
    let nearest = targets
        .iter()
        .enumerate()
        .map(|(at, target)| (place::nearness(&target.parsed.root, &order.slot), at))
        .max()
        .ok_or(WriteBackError::NoFile)?;
    match (nearest, &order.slot.cloud) {
        ((Nearness::Nothing, _), Some(cloud)) => {
            let known = targets.iter().flat_map(|target| &target.parsed.document.clouds);
            let near = value::nearest(cloud, known.map(|(name, _)| name.as_str())).map(ToOwned::to_owned);
            Err(WriteBackError::Cloud { cloud: cloud.clone(), near })
        }
        ((Nearness::Nothing, _), None) => Ok(0),
        ((_, at), _) => Ok(at),
    }
}
