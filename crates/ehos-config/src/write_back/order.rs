//! What is to be written, and whether its key takes it.
//!
//! Deliberately refuses what would be read as something else: blanks at its ends, words for no value.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::WriteBackError;
use super::edit::Fill;
use crate::document::Slot;
use crate::keys::{self, Key, Kind, Section};
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
    pub(super) fn checked(&self) -> Result<Order, WriteBackError> {
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
pub(super) struct Order {
    pub(super) slot: Slot,
    key: &'static Key,
    pub(super) fill: Fill,
}

impl Order {
    /// Gives the value as it is to be read.
    pub(super) fn wanted(&self) -> Option<Value> {
        match &self.fill {
            Fill::Text(text) => value::read(self.key.kind, text, Path::new("")).ok(),
            Fill::List(texts) => Some(Value::Texts(texts.clone())),
            Fill::Unset => None,
        }
    }

    pub(super) fn is_secret(&self) -> bool {
        self.key.kind == Kind::Secret
    }
}
