//! A file with the changes made so far, each of them proved.
//!
//! Deliberately works in memory: nothing is written before all edits of all files are found possible.

use super::WriteBackError;
use super::edit::{self, Fill};
use super::order::Order;
use super::parsed::{Parsed, Plain};
use super::place;
use super::replace::{Held, Prepared};
use crate::document::Slot;
use crate::load::BYTE_ORDER_MARK;
use crate::tree::Content;
use crate::value;

/// A file with the changes made so far.
pub(super) struct Target {
    pub(super) held: Held,
    has_mark: bool,
    pub(super) parsed: Parsed,
    pub(super) is_changed: bool,
    has_new_secret: bool,
}

impl Target {
    /// Reads a file that is YAML.
    pub(super) fn read(held: Held) -> Result<Self, WriteBackError> {
        let parsed = Parsed::read(&held.path, &held.bytes).map_err(WriteBackError::Broken)?;
        let has_mark = held.bytes.starts_with(BYTE_ORDER_MARK);
        Ok(Self { held, has_mark, parsed, is_changed: false, has_new_secret: false })
    }

    /// Writes one value into the text in memory; tells whether that changed it.
    pub(super) fn carry_out(&mut self, order: &Order) -> Result<bool, WriteBackError> {
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
                self.part(&order.slot, others)?;
                self.proved(&order.slot, &order.fill)?
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

    /// Gives those who take their value from a place one of their own, which is what they have now.
    fn part(&mut self, from: &Slot, others: Vec<Slot>) -> Result<(), WriteBackError> {
        for slot in others {
            // What shares a place with a value is the same key of another cloud.
            if (slot.section, slot.key) != (from.section, from.key) {
                return Err(self.unusual(from));
            }
            let fill = self.current(&slot);
            self.parsed = *self.proved(&slot, &fill)?;
        }
        Ok(())
    }

    /// Writes a value where that changes no other one.
    fn proved(&mut self, slot: &Slot, fill: &Fill) -> Result<Box<Parsed>, WriteBackError> {
        match self.written(slot, fill)? {
            Attempt::Right(new) => Ok(new),
            Attempt::Wrong(_) => Err(self.unusual(slot)),
        }
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

    /// Gives the line that a value stands on now, from 1.
    pub(super) fn line(&self, slot: &Slot) -> usize {
        let steps = place::section(&self.parsed.root, slot).unwrap_or_default();
        place::value(&steps, slot).map_or(0, |entry| self.parsed.line(entry.key_range.start))
    }

    /// Writes the new file beside the old one.
    pub(super) fn prepare(&self) -> Result<Prepared<'_>, WriteBackError> {
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
