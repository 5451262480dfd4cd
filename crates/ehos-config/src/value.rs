//! Turns the text of a value into what its key expects.
//!
//! Deliberately strict about numbers and generous about spelling: `5m` and `5 minutes`, `yes` and `true`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ehos_model::Mebibytes;
use secrecy::{ExposeSecret as _, SecretString};

use crate::keys::Kind;
use crate::units::{duration, size, spell};

/// A value that its key accepts.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `none`, where that is a value.
    None,
    Text(String),
    Texts(Vec<String>),
    Path(PathBuf),
    Secret(SecretString),
    Whole(u64),
    Signed(i32),
    Number(f64),
    YesNo(bool),
    Duration(Duration),
    Durations(Duration, Duration),
    Seconds(u32, u32),
    Size(Mebibytes),
    Word(&'static str),
    Address(SocketAddr),
    Rows(Vec<Row>),
}

/// The values of one mapping in a list.
pub(crate) type Row = BTreeMap<&'static str, Value>;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(a), Self::Secret(b)) => a.expose_secret() == b.expose_secret(),
            (Self::Secret(_), _) | (_, Self::Secret(_)) => false,
            // Two texts and one with a comma in it look the same.
            (Self::Texts(a), Self::Texts(b)) => a == b,
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Text(text) => f.write_str(text),
            Self::Texts(texts) => write!(f, "[{}]", texts.join(", ")),
            Self::Path(path) => path.display().fmt(f),
            Self::Secret(_) => f.write_str(crate::source::MASK),
            Self::Whole(number) => number.fmt(f),
            Self::Signed(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::YesNo(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Self::Duration(time) => f.write_str(&spell(*time)),
            Self::Durations(min, max) if min == max => f.write_str(&spell(*min)),
            Self::Durations(min, max) => write!(f, "{}-{}", spell(*min), spell(*max)),
            Self::Seconds(min, max) if min == max => min.fmt(f),
            Self::Seconds(min, max) => write!(f, "{min}-{max}"),
            Self::Size(size) => size.fmt(f),
            Self::Word(word) => f.write_str(word),
            Self::Address(address) => address.fmt(f),
            Self::Rows(rows) => {
                let rows: Vec<String> = rows.iter().map(spell_row).collect();
                write!(f, "[{}]", rows.join(", "))
            }
        }
    }
}

fn spell_row(row: &Row) -> String {
    let values: Vec<String> = row.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", values.join(", "))
}

impl Kind {
    /// Names what is expected, for messages and the reference.
    pub(crate) fn expects(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Texts => "a text or a list of texts".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Paths => "a path or a list of paths".to_owned(),
            Self::Url => "an address like https://…".to_owned(),
            Self::Secret => "a text (secret)".to_owned(),
            Self::Whole { min, .. } => format!("a whole number, {min} or more"),
            Self::Signed => "a whole number, perhaps negative".to_owned(),
            Self::Number { max } if max <= 1.0 => "a number from 0 to 1".to_owned(),
            Self::Number { .. } => "a number, 0 or more".to_owned(),
            Self::YesNo => "yes or no".to_owned(),
            Self::Duration { none: false, .. } => "a time like 30s, 5m or 7d".to_owned(),
            Self::Duration { none: true, .. } => "a time like 30s, 5m or 7d, or none".to_owned(),
            Self::DurationRange => "a time like 8s, or two like 5s-12s".to_owned(),
            Self::SecondsRange => "whole seconds like 60, or two like 20-60".to_owned(),
            Self::Size { none: false, .. } => "a size like 8GiB or 512MiB".to_owned(),
            Self::Size { none: true, .. } => "a size like 8GiB or 512MiB, or none".to_owned(),
            Self::Word(words) => match words {
                [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
                _ => words.concat(),
            },
            Self::FloatingIp => "none, auto or the name of a pool".to_owned(),
            Self::Listen => "an address like 127.0.0.1:9680, or none".to_owned(),
            Self::Part(_) => "a mapping".to_owned(),
            Self::Rows(_) => "a list of mappings".to_owned(),
            Self::Clouds => "a mapping from names to clouds".to_owned(),
        }
    }

    /// Tells whether `none` is a value, not the lack of one.
    pub(crate) const fn takes_none(self) -> bool {
        matches!(
            self,
            Self::Duration { none: true, .. }
                | Self::Size { none: true, .. }
                | Self::FloatingIp
                | Self::Listen
        )
    }
}

/// Tells whether a text stands for no value: `None`, nothing, `<PLACEHOLDER>`.
pub(crate) fn is_unset(text: &str) -> bool {
    let text = text.trim();
    is_none(text) || text.is_empty() || text == "~" || is_placeholder(text)
}

/// Tells whether a text is `<PLACEHOLDER>`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    text.strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|inner| !inner.contains(['<', '>']))
}

pub(crate) fn is_none(text: &str) -> bool {
    ["none", "null"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Reads one text; `folder` is what paths are relative to. `Err` holds advice, where there is any.
pub(crate) fn read(kind: Kind, text: &str, folder: &Path) -> Result<Value, Option<String>> {
    let raw = text;
    let text = text.trim();
    if kind.takes_none() && is_none(text) {
        return Ok(Value::None);
    }
    let value = match kind {
        Kind::Text | Kind::FloatingIp => single_line(text).map(Value::Text)?,
        Kind::Texts => single_line(text).map(|text| Value::Texts(vec![text]))?,
        Kind::Path => single_line(text).map(|text| Value::Path(folder.join(text)))?,
        Kind::Paths => {
            let path = |text: String| folder.join(text).to_string_lossy().into_owned();
            single_line(text).map(|text| Value::Texts(vec![path(text)]))?
        }
        Kind::Url => address(text).map(Value::Text)?,
        Kind::Secret => Value::Secret(single_line(raw)?.into()),
        Kind::Whole { min, max } => Value::Whole(whole(text, min, max)?),
        Kind::Signed => Value::Signed(text.parse().map_err(|_| None)?),
        Kind::Number { max } => {
            let number: f64 = text.parse().map_err(|_| None)?;
            if !(0.0..=max).contains(&number) {
                return Err(None);
            }
            Value::Number(number)
        }
        Kind::YesNo => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "y" | "1" => Value::YesNo(true),
            "no" | "false" | "off" | "n" | "0" => Value::YesNo(false),
            _ => return Err(None),
        },
        Kind::Duration { zero, .. } => {
            let time = duration(text).ok_or(None)?;
            if time.is_zero() && !zero {
                return Err(Some("it must be longer than zero".to_owned()));
            }
            Value::Duration(time)
        }
        Kind::DurationRange => {
            let (min, max) = text.split_once('-').unwrap_or((text, text));
            let (min, max) = (duration(min).ok_or(None)?, duration(max).ok_or(None)?);
            ordered(&min, &max)?;
            Value::Durations(min, max)
        }
        Kind::SecondsRange => {
            let (min, max) = text.split_once('-').unwrap_or((text, text));
            let second = |text: &str| text.trim().trim_end_matches('s').parse::<u32>().map_err(|_| None);
            let (min, max) = (second(min)?, second(max)?);
            ordered(&min, &max)?;
            Value::Seconds(min, max)
        }
        Kind::Size { unit, .. } => Value::Size(size(text, unit).ok_or(None)?),
        Kind::Word(words) => Value::Word(word(text, words)?),
        Kind::Listen => Value::Address(listen(text)?),
        Kind::Part(_) | Kind::Rows(_) | Kind::Clouds => return Err(None),
    };
    Ok(value)
}

fn single_line(text: &str) -> Result<String, Option<String>> {
    if text.chars().any(|char| char.is_control() && char != '\t') {
        return Err(Some("it must be one line without control characters".to_owned()));
    }
    Ok(text.to_owned())
}

fn ordered<T: PartialOrd>(min: &T, max: &T) -> Result<(), Option<String>> {
    if min > max { Err(Some("the smaller one comes first".to_owned())) } else { Ok(()) }
}

fn address(text: &str) -> Result<String, Option<String>> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(None)?;
    if rest.is_empty() || rest.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err(None);
    }
    if rest.contains('@') {
        return Err(Some(
            "user and password have keys of their own and do not belong into the address".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

fn whole(text: &str, min: u64, max: u64) -> Result<u64, Option<String>> {
    if text.len() > 1 && text.starts_with('0') {
        return Err(Some("write it without leading zeros".to_owned()));
    }
    if !text.starts_with(|char: char| char.is_ascii_digit()) {
        return Err(None);
    }
    let number: u64 = text.replace('_', "").parse().map_err(|_| None)?;
    if number < min {
        return Err(None);
    }
    if number > max {
        return Err(Some(format!("the most is {max}")));
    }
    Ok(number)
}

fn word(text: &str, words: &'static [&'static str]) -> Result<&'static str, Option<String>> {
    let text = text.to_ascii_lowercase().replace(['_', ' '], "-");
    words
        .iter()
        .find(|word| **word == text)
        .copied()
        .ok_or_else(|| nearest(&text, words.iter().copied()).map(|word| format!("did you mean `{word}`?")))
}

fn listen(text: &str) -> Result<SocketAddr, Option<String>> {
    let text = text.replace("localhost:", "127.0.0.1:");
    if matches!(text.as_str(), "off" | "no" | "false") {
        return Err(Some("write none to switch it off".to_owned()));
    }
    text.parse().map_err(|_| {
        text.parse::<u16>()
            .is_ok()
            .then(|| format!("to listen on this machine alone, write 127.0.0.1:{text}"))
    })
}

/// Finds the word that was probably meant.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_ascii_lowercase().replace(['-', ' '], "_");
    words
        .map(|each| (strsim::damerau_levenshtein(&lower, &each.replace('-', "_")), each))
        .filter(|(distance, each)| *distance <= (each.len().max(word.len()) / 3).clamp(1, 4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, each)| each)
}
