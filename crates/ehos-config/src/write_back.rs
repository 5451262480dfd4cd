//! Writes single values into the operator's files: only the value's own characters change.
//!
//! Deliberately writes nothing rather than something else: the result is parsed again and must say what the old file said
//! but for that value.

mod edit;
mod error;
mod parsed;
mod place;
mod replace;
mod spell;

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use self::edit::Fill;
pub use self::error::WriteBackError;
use self::parsed::{Parsed, Plain};
use self::place::Nearness;
use self::replace::Held;
use crate::document::Slot;
use crate::keys::{self, Key, Kind, Section};
use crate::load::BYTE_ORDER_MARK;
use crate::tree::Content;
use crate::value::{self, Value};

/// A new value.
#[derive(Clone, Debug)]
pub enum NewValue {
    /// One line of text.
    Text(String),
    /// One line of text that is never shown.
    Secret(SecretString),
    /// One line of text each; at least one.
    List(Vec<String>),
}

impl From<&str> for NewValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for NewValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<SecretString> for NewValue {
    fn from(secret: SecretString) -> Self {
        Self::Secret(secret)
    }
}

impl From<Vec<String>> for NewValue {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts)
    }
}

/// One value to be written back.
#[derive(Clone)]
pub struct Edit {
    section: Section,
    cloud: Option<String>,
    key: String,
    value: NewValue,
}

/// Shows the key alone: somebody may give a secret as text.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Edit").field(&self.path()).finish()
    }
}

impl Edit {
    /// Sets a key of a cloud: `image` for example.
    #[must_use]
    pub fn cloud(cloud: &str, key: &str, value: impl Into<NewValue>) -> Self {
        Self::new(Section::Cloud, Some(cloud), key, value.into())
    }

    /// Sets a key of the `ehos` section that is a cloud's own.
    #[must_use]
    pub fn cloud_ehos(cloud: &str, key: &str, value: impl Into<NewValue>) -> Self {
        Self::new(Section::Ehos, Some(cloud), key, value.into())
    }

    /// Sets a key of the common `ehos` section: `key`, `network` or `security_groups` for example.
    #[must_use]
    pub fn ehos(key: &str, value: impl Into<NewValue>) -> Self {
        Self::new(Section::Ehos, None, key, value.into())
    }

    /// Sets a key of the section `ehos_daemon`: `master_cloud` for example.
    #[must_use]
    pub fn daemon(key: &str, value: impl Into<NewValue>) -> Self {
        Self::new(Section::Daemon, None, key, value.into())
    }

    /// Sets a key of the section `condor`: `host_ip` or `password` for example.
    #[must_use]
    pub fn condor(key: &str, value: impl Into<NewValue>) -> Self {
        Self::new(Section::Condor, None, key, value.into())
    }

    fn new(section: Section, cloud: Option<&str>, key: &str, value: NewValue) -> Self {
        Self { section, cloud: cloud.map(ToOwned::to_owned), key: key.to_owned(), value }
    }

    fn path(&self) -> String {
        format!("{}.{}", self.section.path(self.cloud.as_deref()), self.key)
    }

    /// Checks that the key takes the value, and that it will be read as what it is.
    fn checked(&self) -> Result<Order, WriteBackError> {
        let key = keys::find(self.section, &self.key)
            .filter(|key| matches!(key.kind, Kind::Text | Kind::Texts | Kind::Secret))
            .ok_or_else(|| WriteBackError::Key { key: self.path() })?;
        let wrong = |why: &str| WriteBackError::Value { key: self.path(), why: why.to_owned() };
        let fill = match (&self.value, key.kind) {
            (NewValue::Secret(_), Kind::Text | Kind::Texts) => {
                return Err(wrong("it is a secret, and the key is not"));
            }
            (NewValue::List(_), Kind::Text | Kind::Secret) => {
                return Err(wrong("it is a list, and the key takes one text"));
            }
            (NewValue::List(texts), _) if texts.is_empty() => return Err(wrong("it is an empty list")),
            (NewValue::Secret(secret), _) => Fill::Text(secret.expose_secret().to_owned()),
            (NewValue::Text(text), _) => Fill::Text(text.clone()),
            (NewValue::List(texts), _) => Fill::List(texts.clone()),
        };
        let texts = match &fill {
            Fill::List(texts) => texts.as_slice(),
            Fill::Text(text) => std::slice::from_ref(text),
            Fill::Unset => &[],
        };
        for text in texts {
            if value::is_unset(text) {
                return Err(wrong("it would be read as not set"));
            }
            if text.trim() != text && key.kind != Kind::Secret {
                return Err(wrong("there is a blank before or behind it"));
            }
            value::read(key.kind, text, Path::new(""))
                .map_err(|advice| wrong(&advice.unwrap_or_default()))?;
        }
        let slot = Slot { section: self.section, cloud: self.cloud.clone(), key: key.name };
        Ok(Order { slot, key, fill })
    }
}

/// An edit that can be carried out.
struct Order {
    slot: Slot,
    key: &'static Key,
    fill: Fill,
}

impl Order {
    /// Gives the value as it is to be read.
    fn wanted(&self) -> Option<Value> {
        match &self.fill {
            Fill::Text(text) => value::read(self.key.kind, text, Path::new("")).ok(),
            Fill::List(texts) => Some(Value::Texts(texts.clone())),
            Fill::Unset => None,
        }
    }

    fn is_secret(&self) -> bool {
        self.key.kind == Kind::Secret
    }
}

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
/// Where nothing was written, but for [`WriteBackError::Write`] with several files: those before it were.
pub fn write_back(files: &[PathBuf], edits: &[Edit]) -> Result<Vec<Written>, WriteBackError> {
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
    let mut prepared = Vec::new();
    for target in &targets {
        prepared.push(if target.is_changed { Some(target.prepare()?) } else { None });
    }
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

/// A file with the changes made so far.
struct Target {
    held: Held,
    has_mark: bool,
    parsed: Parsed,
    is_changed: bool,
    has_new_secret: bool,
}

impl Target {
    fn read(held: Held) -> Result<Self, WriteBackError> {
        let parsed = Parsed::read(&held.path, &held.bytes).map_err(WriteBackError::Broken)?;
        let has_mark = held.bytes.starts_with(BYTE_ORDER_MARK);
        Ok(Self { held, has_mark, parsed, is_changed: false, has_new_secret: false })
    }

    /// Writes one value into the text in memory; tells whether that changed it.
    fn carry_out(&mut self, order: &Order) -> Result<bool, WriteBackError> {
        let wanted = order.wanted();
        let is_read = |parsed: &Parsed| {
            parsed.document.values.get(&order.slot).map(|setting| &setting.value) == wanted.as_ref()
        };
        if is_read(&self.parsed) {
            return Ok(false);
        }
        let new = match self.written(&order.slot, &order.fill)? {
            Attempt::Right(new) => new,
            Attempt::Wrong(others) => {
                for slot in others {
                    let fill = self.current(&slot);
                    match self.written(&slot, &fill)? {
                        Attempt::Right(new) => self.parsed = *new,
                        Attempt::Wrong(_) => return Err(self.unusual(&order.slot)),
                    }
                }
                match self.written(&order.slot, &order.fill)? {
                    Attempt::Right(new) => new,
                    Attempt::Wrong(_) => return Err(self.unusual(&order.slot)),
                }
            }
        };
        if !is_read(&new) {
            return Err(self.unusual(&order.slot));
        }
        self.parsed = *new;
        self.is_changed = true;
        self.has_new_secret |= order.is_secret();
        Ok(true)
    }

    /// Writes a value, reads the result and compares the two.
    fn written(&mut self, slot: &Slot, fill: &Fill) -> Result<Attempt, WriteBackError> {
        let edited = match edit::write(&self.parsed, slot, fill) {
            Ok(edited) => edited,
            Err(refusal) => return Err(WriteBackError::Refused(Box::new(self.parsed.refuse(refusal)))),
        };
        let Ok(new) = Parsed::read(&self.held.path, edited.text.as_bytes()) else {
            return Err(self.unusual(slot));
        };
        let expected = Plain::from(&self.parsed.root).with(&edited.path, fill.plain());
        Ok(if Plain::from(&new.root) == expected {
            Attempt::Right(Box::new(new))
        } else {
            Attempt::Wrong(self.parsed.differing(&new, slot).into_iter().collect())
        })
    }

    /// Gives what stands at a place now, to be written there as its own.
    fn current(&self, slot: &Slot) -> Fill {
        let steps = place::section(&self.parsed.root, slot).unwrap_or_default();
        match place::value(&steps, slot).map(|entry| &entry.value.content) {
            Some(Content::Scalar(text)) if !value::is_unset(text) => Fill::Text(text.clone()),
            Some(Content::List(items)) => {
                Fill::List(items.iter().filter_map(|item| item.scalar().map(ToOwned::to_owned)).collect())
            }
            _ => Fill::Unset,
        }
    }

    fn unusual(&mut self, slot: &Slot) -> WriteBackError {
        let refusal = edit::unusual(&self.parsed, slot);
        WriteBackError::Refused(Box::new(self.parsed.refuse(refusal)))
    }

    fn line(&self, slot: &Slot) -> usize {
        let steps = place::section(&self.parsed.root, slot).unwrap_or_default();
        place::value(&steps, slot).map_or(0, |entry| self.parsed.line(entry.key_range.start))
    }

    fn prepare(&self) -> Result<replace::Prepared<'_>, WriteBackError> {
        let mark = if self.has_mark { BYTE_ORDER_MARK } else { b"" };
        self.held.prepare(&[mark, self.parsed.text().as_bytes()].concat(), self.has_new_secret)
    }
}

/// What came of writing a value.
enum Attempt {
    /// The document is the old one but for that value.
    Right(Box<Parsed>),
    /// These values changed as well.
    Wrong(Vec<Slot>),
}
