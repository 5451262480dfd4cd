//! What an expression evaluates to, and how one type becomes another.
//!
//! Deliberately with the conversions of HTCondor's own functions `int`, `real` and `string`, odd ones included.

use std::sync::Arc;

use crate::number::{int_to_real, leading_real, real_to_int};
use crate::time::{abs_time_text, rel_time_text};
use crate::{Ad, AdValue, ListValue};

/// A value of the language.
#[derive(Clone, Debug)]
pub enum Value {
    /// Something that was asked for is not there.
    Undefined,
    /// Something that makes no sense.
    Error,
    /// `true` or `false`.
    Bool(bool),
    /// 64 bits; it wraps around.
    Int(i64),
    /// A double.
    Real(f64),
    /// HTCondor's strings are bytes; here what is not UTF-8 becomes U+FFFD.
    String(Arc<str>),
    /// An instant.
    AbsTime(AbsTime),
    /// A duration in seconds.
    RelTime(f64),
    /// A list.
    List(ListValue),
    /// A nested ad.
    Ad(AdValue),
}

/// An instant and the time zone it is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsTime {
    /// Since 1970, UTC.
    pub seconds: i64,
    /// Seconds east of Greenwich.
    pub offset: i32,
}

impl Value {
    /// Makes a string.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(text.as_ref().into())
    }

    /// Gives true or false as conditions see it: numbers count, nothing else does.
    pub fn as_condition(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            Self::Int(int) => Some(*int != 0),
            Self::Real(real) => Some(*real != 0.0),
            _ => None,
        }
    }

    /// Gives an integer; reals and booleans are none.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    /// Gives a number, converted from an integer or boolean.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(bool) => Some(f64::from(u8::from(*bool))),
            Self::Int(int) => Some(int_to_real(*int)),
            Self::Real(real) => Some(*real),
            _ => None,
        }
    }

    /// Gives a string's content.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// Tells whether it is `undefined`.
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined)
    }

    /// Tells whether it is `error`.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error)
    }

    /// Converts as the function `real` does.
    pub(crate) fn to_real(&self) -> Value {
        match self {
            Self::Undefined => Self::Undefined,
            Self::Error | Self::List(_) | Self::Ad(_) => Self::Error,
            Self::Bool(_) | Self::Int(_) | Self::Real(_) => self.as_number().map_or(Self::Error, Self::Real),
            Self::String(text) => leading_real(text).map_or(Self::Error, Self::Real),
            Self::AbsTime(time) => Self::Real(int_to_real(time.seconds)),
            Self::RelTime(seconds) => Self::Real(seconds.trunc()),
        }
    }

    /// Converts as the function `int` does.
    pub(crate) fn to_int(&self) -> Value {
        match self {
            Self::Undefined => Self::Undefined,
            Self::Error | Self::List(_) | Self::Ad(_) => Self::Error,
            Self::Bool(bool) => Self::Int(i64::from(*bool)),
            Self::Int(int) => Self::Int(*int),
            Self::Real(real) => Self::Int(real_to_int(*real)),
            Self::String(text) => leading_real(text).map_or(Self::Error, |real| Self::Int(real_to_int(real))),
            Self::AbsTime(time) => Self::Int(time.seconds),
            Self::RelTime(seconds) => Self::Int(real_to_int(*seconds)),
        }
    }

    /// Converts as the function `string` does.
    pub(crate) fn to_text(&self) -> Value {
        match self {
            Self::Undefined | Self::Error | Self::String(_) => self.clone(),
            Self::AbsTime(time) => Self::string(abs_time_text(*time)),
            Self::RelTime(seconds) => Self::string(rel_time_text(seconds.trunc())),
            other => Self::string(other.to_string()),
        }
    }
}

/// Equal when they are the same type and content; reals by their bits, so that a literal equals itself.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined) | (Self::Error, Self::Error) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::Real(one), Self::Real(two)) | (Self::RelTime(one), Self::RelTime(two)) => {
                one.to_bits() == two.to_bits()
            }
            (Self::String(one), Self::String(two)) => one == two,
            (Self::AbsTime(one), Self::AbsTime(two)) => one == two,
            (Self::List(one), Self::List(two)) => one == two,
            (Self::Ad(one), Self::Ad(two)) => one == two,
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<f64> for Value {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<Ad> for Value {
    fn from(ad: Ad) -> Self {
        Self::Ad(ad.into())
    }
}
