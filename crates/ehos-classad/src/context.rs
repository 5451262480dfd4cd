//! Everything an evaluation depends on beside the expression: the ads, the time, chance, and how much work it may be.
//!
//! Deliberately complete: two evaluations in equal contexts give equal values.

use crate::eval::Evaluator;
use crate::{Ad, Expr, ListValue, Value};

/// What an expression is evaluated in.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) my: Option<Ad>,
    pub(crate) target: Option<Ad>,
    pub(crate) now: i64,
    pub(crate) utc_offset: i32,
    pub(crate) seed: u64,
    pub(crate) steps: u32,
}

impl Context {
    /// How many steps an evaluation takes at most by default; a usual `Requirements` takes some dozens.
    pub const DEFAULT_STEPS: u32 = 100_000;

    /// Starts with the time, in seconds since 1970: what `time()` and `CurrentTime` give.
    pub fn new(now: i64) -> Self {
        Self { my: None, target: None, now, utc_offset: 0, seed: 0, steps: Self::DEFAULT_STEPS }
    }

    /// Sets the ad that names without prefix and `MY.` names are looked up in.
    #[must_use]
    pub fn my(mut self, ad: &Ad) -> Self {
        self.my = Some(ad.clone());
        self
    }

    /// Sets the ad of the other side: for `TARGET.` names, and for names without prefix that `MY` does not have.
    #[must_use]
    pub fn target(mut self, ad: &Ad) -> Self {
        self.target = Some(ad.clone());
        self
    }

    /// Sets the local time zone, in seconds east of Greenwich; UTC if not set.
    #[must_use]
    pub fn utc_offset(mut self, seconds: i32) -> Self {
        self.utc_offset = seconds;
        self
    }

    /// Sets where `random()` begins; equal seeds give equal numbers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many steps an evaluation may take before it becomes `error`; a step is about a node of the tree or
    /// 64 bytes of text, and takes less than a microsecond.
    #[must_use]
    pub fn steps(mut self, steps: u32) -> Self {
        self.steps = steps;
        self
    }

    /// Evaluates an expression. `error` is also what becomes of one that is too deep or takes too many steps.
    pub fn evaluate(&self, expr: &Expr) -> Value {
        Evaluator::new(self).run(expr)
    }

    /// Evaluates the elements of a list, each where it was written.
    pub fn elements(&self, list: &ListValue) -> Vec<Value> {
        let mut evaluator = Evaluator::new(self);
        list.items.iter().map(|item| evaluator.eval(item, list.scope.as_ref())).collect()
    }
}
