//! Finds what a name leads to: in an ad, the ads around it, or the ad of the other side.
//!
//! Deliberately evaluates nothing of what it finds.

use std::sync::Arc;

use super::Evaluator;
use crate::expr::Base;
use crate::scope::{Scope, Side};
use crate::{Expr, Name, Value};

/// Where a name leads.
pub(super) enum Found {
    Expr(Expr, Arc<Scope>),
    Ad(Arc<Scope>),
    Value(Value),
}

/// What a name means in every ad that has no such attribute.
enum Special {
    Leads(Found),
    Nowhere,
    Not,
}

impl Evaluator<'_> {
    /// Gives the outermost ad; in a match that is neither side.
    pub(super) fn root(&self, scope: Option<&Arc<Scope>>) -> Option<Arc<Scope>> {
        if self.target.is_some() {
            return None;
        }
        let mut level = scope?;
        while let Some(parent) = &level.parent {
            level = parent;
        }
        Some(Arc::clone(level))
    }

    /// Looks a name without prefix up: here, in the ads around, then on the other side.
    pub(super) fn find_anywhere(&self, name: &Name, scope: &Arc<Scope>) -> Option<Found> {
        self.find(name, scope).or_else(|| {
            let other = match scope.side? {
                Side::My => self.target.as_ref()?,
                Side::Target => self.my.as_ref()?,
            };
            self.find(name, other)
        })
    }

    /// Finds the expression that an attribute reference leads to, not evaluated, and where the search ended: where
    /// it was found, or else in the outermost ad, which in a match is neither side.
    pub(crate) fn dereference(
        &mut self,
        base: &Base,
        name: &Name,
        scope: Option<&Arc<Scope>>,
    ) -> (Option<Expr>, Option<Arc<Scope>>) {
        let found = match base {
            Base::Anywhere => scope.and_then(|scope| self.find_anywhere(name, scope)),
            Base::Root => self.root(scope).and_then(|root| self.find(name, &root)),
            Base::Of(expr) => match self.eval(expr, scope) {
                Value::Ad(ad) => self.find(name, &ad.0),
                _ => return (None, scope.cloned()),
            },
        };
        match found {
            Some(Found::Expr(expr, scope)) => (Some(expr), Some(scope)),
            Some(_) => (None, scope.cloned()),
            None => (None, self.root(scope)),
        }
    }

    /// Looks a name up in an ad and the ads around it.
    pub(super) fn find(&self, name: &Name, start: &Arc<Scope>) -> Option<Found> {
        if let Some(expr) = start.ad.get(name.as_str()) {
            return Some(Found::Expr(expr.clone(), Arc::clone(start)));
        }
        match self.special(name.as_str(), start) {
            Special::Leads(found) => return Some(found),
            Special::Nowhere => return None,
            Special::Not => {}
        }
        let mut level = start;
        while let Some(parent) = &level.parent {
            level = parent;
            if let Some(expr) = level.ad.get(name.as_str()) {
                return Some(Found::Expr(expr.clone(), Arc::clone(level)));
            }
        }
        self.side_name(name.as_str(), level.side?)
    }

    /// The names that every ad knows.
    fn special(&self, name: &str, start: &Arc<Scope>) -> Special {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let ad =
            |scope: Option<Arc<Scope>>| scope.map_or(Special::Nowhere, |ad| Special::Leads(Found::Ad(ad)));
        match name.len() {
            2 if is("my") => ad(Some(Arc::clone(start))),
            4 if is("self") => ad(Some(Arc::clone(start))),
            4 if is("root") => ad(self.root(Some(start))),
            6 if is("parent") => ad(start.parent.clone()),
            8 if is("toplevel") => ad(self.root(Some(start))),
            11 if is("currenttime") => Special::Leads(Found::Value(Value::Int(self.context.now))),
            _ => Special::Not,
        }
    }

    /// The names of the two sides of a match.
    fn side_name(&self, name: &str, side: Side) -> Option<Found> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let (own, other) = match side {
            Side::My => (self.my.as_ref()?, self.target.as_ref()?),
            Side::Target => (self.target.as_ref()?, self.my.as_ref()?),
        };
        if is("target") || is("other") {
            Some(Found::Ad(Arc::clone(other)))
        } else if is("ad") {
            Some(Found::Ad(Arc::clone(own)))
        } else {
            None
        }
    }
}
