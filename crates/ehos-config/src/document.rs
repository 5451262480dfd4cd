//! The values of all files together, key by key, each with the place it was set at.
//!
//! Deliberately knows only single keys; how they belong together is for the assembly of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use ehos_model::Mebibytes;
use secrecy::SecretString;

use crate::Change;
use crate::keys::{self, KEYS, Section};
use crate::source::At;
use crate::value::{self, Row, Value};

/// Which value: section, cloud (for those that are a cloud's own), key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) section: Section,
    pub(crate) cloud: Option<String>,
    pub(crate) key: &'static str,
}

/// A value and where it was set; no place for what came from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) at: Option<At>,
}

/// All values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// The clouds in the order in which they appear.
    pub(crate) clouds: Vec<(String, At)>,
    pub(crate) values: BTreeMap<Slot, Setting>,
    /// Keys that are there but not set, with what stands there.
    pub(crate) unset: BTreeMap<Slot, (String, At)>,
    /// Where sections begin.
    pub(crate) sections: BTreeMap<(Section, Option<String>), At>,
    /// Keys whose values were refused; they are reported already, and not missing.
    pub(crate) refused: BTreeSet<Slot>,
}

static DEFAULTS: LazyLock<BTreeMap<(Section, &'static str), Value>> = LazyLock::new(|| {
    let value = |key: &keys::Key| value::read(key.kind, key.default, Path::new("")).ok();
    let set = KEYS.iter().filter(|key| !key.default.is_empty());
    set.filter_map(|key| Some(((key.section, key.name), value(key)?))).collect()
});

/// Gives the value that a key has unless it is set.
pub(crate) fn default(section: Section, key: &'static str) -> Option<&'static Value> {
    DEFAULTS.get(&(section, key))
}

impl Document {
    /// Lays another one over this one, key by key. What is not set there stays as it is here.
    pub(crate) fn override_with(&mut self, later: Self) {
        for (name, at) in later.clouds {
            if !self.clouds.iter().any(|(known, _)| *known == name) {
                self.clouds.push((name, at));
            }
        }
        self.values.extend(later.values);
        self.unset.extend(later.unset);
        self.sections.extend(later.sections);
        self.refused.extend(later.refused);
    }

    /// Opens a section; `cloud` for those that are a cloud's own.
    pub(crate) fn view<'a>(&'a self, section: Section, cloud: Option<&'a str>) -> View<'a> {
        View { document: self, section, cloud }
    }

    /// Lists the values that differ.
    pub(crate) fn changes(&self, new: &Self) -> Vec<Change> {
        let slots: BTreeSet<&Slot> = self.values.keys().chain(new.values.keys()).collect();
        slots.into_iter().filter_map(|slot| change(slot, self, new)).collect()
    }
}

fn change(slot: &Slot, old: &Document, new: &Document) -> Option<Change> {
    let value = |document: &Document| document.values.get(slot).map(|setting| setting.value.clone());
    let effective = |set: Option<Value>| set.or_else(|| default(slot.section, slot.key).cloned());
    let (was, is) = (effective(value(old)), effective(value(new)));
    if was == is {
        return None;
    }
    let is_secret = matches!(was, Some(Value::Secret(_))) || matches!(is, Some(Value::Secret(_)));
    let spell = |value: Option<Value>| value.map_or_else(|| "not set".to_owned(), |value| value.to_string());
    let values = (!is_secret).then(|| (spell(was), spell(is)));
    Some(Change { key: format!("{}.{}", slot.section.path(slot.cloud.as_deref()), slot.key), values })
}

/// One section of a document; gives defaults for what is not set.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    document: &'a Document,
    section: Section,
    cloud: Option<&'a str>,
}

impl<'a> View<'a> {
    fn slot(&self, key: &'static str) -> Slot {
        Slot { section: self.section, cloud: self.cloud.map(ToOwned::to_owned), key }
    }

    /// Gives a value that is set, without its default.
    pub(crate) fn set(&self, key: &'static str) -> Option<&'a Value> {
        self.document.values.get(&self.slot(key)).map(|setting| &setting.value)
    }

    /// Gives a value or its default. Of a cloud's own `ehos`, what is not set there comes from the common one.
    pub(crate) fn get(&self, key: &'static str) -> Option<&'a Value> {
        let common = || match (self.section, self.cloud) {
            (Section::Ehos, Some(_)) => self.document.view(Section::Ehos, None).set(key),
            _ => None,
        };
        self.set(key).or_else(common).or_else(|| default(self.section, key))
    }

    /// Tells where a value is set, or where it stands unset; of a cloud's own `ehos`, also the common one's.
    pub(crate) fn at(&self, key: &'static str) -> Option<At> {
        let own = |slot: &Slot| {
            let set = self.document.values.get(slot).map(|setting| setting.at.clone());
            set.unwrap_or_else(|| self.document.unset.get(slot).map(|(_, at)| at.clone()))
        };
        own(&self.slot(key)).or_else(|| match (self.section, self.cloud) {
            (Section::Ehos, Some(_)) => own(&Slot { cloud: None, ..self.slot(key) }),
            _ => None,
        })
    }

    /// Tells whether a value was there that is reported as wrong; of a cloud's own `ehos`, also the common one's.
    pub(crate) fn is_refused(&self, key: &'static str) -> bool {
        let is_common = self.section == Section::Ehos;
        self.document.refused.contains(&self.slot(key))
            || (is_common && self.document.refused.contains(&Slot { cloud: None, ..self.slot(key) }))
    }

    /// Tells where the section begins, if it is there.
    pub(crate) fn section_at(&self) -> Option<At> {
        self.document.sections.get(&(self.section, self.cloud.map(ToOwned::to_owned))).cloned()
    }

    /// Gives what stands in place of a value that is not set, and where.
    pub(crate) fn unset(&self, key: &'static str) -> Option<&'a (String, At)> {
        self.document.unset.get(&self.slot(key))
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, key: &'static str) -> Vec<String> {
        match self.get(key) {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn path(&self, key: &'static str) -> Option<PathBuf> {
        match self.get(key) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    pub(crate) fn secret(&self, key: &'static str) -> Option<SecretString> {
        match self.get(key) {
            Some(Value::Secret(secret)) => Some(secret.clone()),
            _ => None,
        }
    }

    pub(crate) fn word(&self, key: &'static str) -> &'static str {
        match self.get(key) {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }

    pub(crate) fn count(&self, key: &'static str) -> Option<u32> {
        match self.get(key) {
            Some(Value::Whole(number)) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(crate) fn signed(&self, key: &'static str) -> i32 {
        match self.get(key) {
            Some(Value::Signed(number)) => *number,
            _ => 0,
        }
    }

    pub(crate) fn number(&self, key: &'static str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn yes(&self, key: &'static str) -> bool {
        matches!(self.get(key), Some(Value::YesNo(true)))
    }

    /// Gives a time; `None` for `none`.
    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        match self.get(key) {
            Some(Value::Duration(time)) => Some(*time),
            _ => None,
        }
    }

    pub(crate) fn size(&self, key: &'static str) -> Option<Mebibytes> {
        match self.get(key) {
            Some(Value::Size(size)) => Some(*size),
            _ => None,
        }
    }

    pub(crate) fn rows(&self, key: &'static str) -> Option<&'a [Row]> {
        match self.get(key) {
            Some(Value::Rows(rows)) => Some(rows),
            _ => None,
        }
    }
}
