//! The place where an expression is evaluated: an ad, and the ads around it.
//!
//! Deliberately part of the values that are lists and ads, since what is in them is evaluated where it stands.

use std::sync::Arc;

use crate::{Ad, Expr};

/// An ad with what is around it.
pub(crate) struct Scope {
    pub(crate) ad: Ad,
    /// The ad that this one is nested in.
    pub(crate) parent: Option<Arc<Scope>>,
    /// Set for the two outermost ads, and for those that stand in for them.
    pub(crate) side: Option<Side>,
}

impl Scope {
    /// Gives the same ad as if it were the one of its side, so that names it lacks are looked up on the other.
    pub(crate) fn on_side(self: &Arc<Self>) -> Arc<Self> {
        let mut outermost = self;
        while let Some(parent) = &outermost.parent {
            outermost = parent;
        }
        if outermost.side == self.side {
            return Arc::clone(self);
        }
        Arc::new(Self { ad: self.ad.clone(), parent: self.parent.clone(), side: outermost.side })
    }
}

/// One of the two ads of a match.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    My,
    Target,
}

/// A list as a value; its elements are expressions until somebody asks for them.
#[derive(Clone)]
pub struct ListValue {
    pub(crate) items: Arc<[Expr]>,
    pub(crate) scope: Option<Arc<Scope>>,
}

impl ListValue {
    /// Gives the elements as they were written; [`Context::elements`](crate::Context::elements) evaluates them.
    pub fn exprs(&self) -> &[Expr] {
        &self.items
    }

    pub(crate) fn shared(self) -> Arc<[Expr]> {
        self.items
    }

    pub(crate) fn unscoped(items: impl IntoIterator<Item = Expr>) -> Self {
        Self { items: items.into_iter().collect(), scope: None }
    }
}

/// An ad as a value.
#[derive(Clone)]
pub struct AdValue(pub(crate) Arc<Scope>);

impl AdValue {
    /// Gives the ad.
    pub fn ad(&self) -> &Ad {
        &self.0.ad
    }
}

impl PartialEq for ListValue {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl PartialEq for AdValue {
    fn eq(&self, other: &Self) -> bool {
        self.ad() == other.ad()
    }
}

impl std::fmt::Debug for ListValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.exprs()).finish()
    }
}

impl std::fmt::Debug for AdValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ad().fmt(f)
    }
}

impl From<Ad> for AdValue {
    fn from(ad: Ad) -> Self {
        Self(Arc::new(Scope { ad, parent: None, side: None }))
    }
}
