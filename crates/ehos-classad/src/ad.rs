//! A set of named expressions, in the order and spelling they came in.
//!
//! Deliberately cheap to clone and to look up in, and deliberately not a map that others may order as they like:
//! HTCondor prints attributes in an order of its own, and so do we.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::compare;
use crate::parser::{Parser, old_ads};
use crate::{Context, Expr, Name, ParseError, Value};

/// A ClassAd; cloning one is cheap.
#[derive(Clone, Default)]
pub struct Ad(Arc<Attributes>);

#[derive(Clone, Default)]
struct Attributes {
    /// As they came.
    entries: Vec<(Name, Expr)>,
    /// Positions in `entries`, sorted by name.
    sorted: Vec<usize>,
}

impl Attributes {
    fn find(&self, name: &str) -> Result<usize, usize> {
        let by_name = |position: &usize| {
            self.entries.get(*position).map_or(Ordering::Less, |(entry, _)| compare(entry.as_str(), name))
        };
        self.sorted.binary_search_by(by_name)
    }
}

impl Ad {
    /// Makes one without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one in the new syntax, `[ A = 1; B = 2 ]`.
    ///
    /// # Errors
    /// When the text is not exactly one ad.
    pub fn parse_new(text: &str) -> Result<Self, ParseError> {
        Parser::new(text, false).and_then(Parser::whole_ad).map_err(|fault| *fault)
    }

    /// Reads one in the old syntax, a line an attribute, as `condor_q -long` prints it; empty lines and lines that
    /// begin with `#` are passed over.
    ///
    /// # Errors
    /// When a line is no `Name = expression`.
    pub fn parse_old(text: &str) -> Result<Self, ParseError> {
        let mut all = Self::new();
        for ad in Self::parse_old_all(text)? {
            for (name, expr) in ad.iter() {
                all.insert(name.clone(), expr.clone());
            }
        }
        Ok(all)
    }

    /// Reads all that `condor_status -long` prints: ads in the old syntax, with empty lines between them.
    ///
    /// # Errors
    /// When a line is no `Name = expression`.
    pub fn parse_old_all(text: &str) -> Result<Vec<Self>, ParseError> {
        old_ads(text).map_err(|fault| *fault)
    }

    /// Gives an attribute's expression.
    pub fn get(&self, name: &str) -> Option<&Expr> {
        let found = self.0.find(name).ok()?;
        let position = self.0.sorted.get(found)?;
        self.0.entries.get(*position).map(|(_, expr)| expr)
    }

    /// Sets an attribute; one that is there keeps its place and spelling, and its old expression is given back.
    pub fn insert(&mut self, name: impl Into<Name>, expr: impl Into<Expr>) -> Option<Expr> {
        let (name, expr) = (name.into(), expr.into());
        let attributes = Arc::make_mut(&mut self.0);
        match attributes.find(name.as_str()) {
            Ok(found) => {
                let position = *attributes.sorted.get(found)?;
                let entry = attributes.entries.get_mut(position)?;
                Some(std::mem::replace(&mut entry.1, expr))
            }
            Err(place) => {
                attributes.sorted.insert(place, attributes.entries.len());
                attributes.entries.push((name, expr));
                None
            }
        }
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, name: &str) -> Option<Expr> {
        let found = self.0.find(name).ok()?;
        let attributes = Arc::make_mut(&mut self.0);
        let position = attributes.sorted.remove(found);
        for other in &mut attributes.sorted {
            *other -= usize::from(*other > position);
        }
        Some(attributes.entries.remove(position).1)
    }

    /// Gives the attributes in the order they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &Expr)> {
        self.0.entries.iter().map(|(name, expr)| (name, expr))
    }

    /// Gives the attributes in HTCondor's order: short names first, then by letter.
    pub fn sorted(&self) -> impl Iterator<Item = (&Name, &Expr)> {
        let entry = |position: &usize| self.0.entries.get(*position).map(|(name, expr)| (name, expr));
        self.0.sorted.iter().filter_map(entry)
    }

    /// Counts the attributes.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Tells whether there is no attribute.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// Evaluates one attribute with this ad as `MY`; `Undefined` where it is missing.
    pub fn evaluate(&self, name: &str, context: &Context) -> Value {
        self.get(name).map_or(Value::Undefined, |expr| context.clone().my(self).evaluate(expr))
    }

    /// Tells this very ad from equal ones.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Equal when the same names have equal expressions, in whatever order.
impl PartialEq for Ad {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.sorted().eq(other.sorted())
    }
}

impl std::fmt::Debug for Ad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ad({self})")
    }
}

/// Reads either syntax: an ad that begins with `[` is a new one.
impl FromStr for Ad {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.trim_start().starts_with('[') { Self::parse_new(text) } else { Self::parse_old(text) }
    }
}

impl<N: Into<Name>, E: Into<Expr>> FromIterator<(N, E)> for Ad {
    fn from_iter<T: IntoIterator<Item = (N, E)>>(attributes: T) -> Self {
        let mut ad = Self::new();
        for (name, expr) in attributes {
            ad.insert(name, expr);
        }
        ad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_spelling_and_replaces_in_place() {
        let mut ad: Ad = "[ Beta = 1; A = 2; beta = 3 ]".parse().unwrap();
        let names: Vec<&str> = ad.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Beta", "A"]);
        assert_eq!(ad.to_string(), "[ A = 2; Beta = 3 ]");
        assert_eq!(ad.remove("BETA").unwrap().to_string(), "3");
        assert_eq!(ad.get("a").unwrap().to_string(), "2");
        assert_eq!((ad.len(), ad.remove("BETA")), (1, None));
    }
}
