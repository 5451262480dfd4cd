//! Evaluates expressions: where names lead to, what is evaluated at all, and when it is enough.
//!
//! Deliberately recursive, with a bound on the depth that fits a thread's smallest usual stack, and with a budget of
//! steps that every loop here and in the functions draws from.

mod lookup;

use std::sync::Arc;

use crate::context::Context;
use crate::expr::{Base, BinaryOp, Kind};
use crate::functions::Args;
use crate::number::low_half;
use crate::operators::{binary, logical, unary};
use crate::scope::{Scope, Side};
use crate::{AdValue, Expr, ListValue, Name, Value};
use lookup::Found;

/// Levels of evaluation, attributes that lead to others included.
const MAX_DEPTH: u32 = 600;
/// The longest string that a function makes, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// One evaluation.
pub(crate) struct Evaluator<'c> {
    pub(crate) context: &'c Context,
    my: Option<Arc<Scope>>,
    target: Option<Arc<Scope>>,
    steps: u32,
    depth: u32,
    /// Draws of `random` so far.
    draws: u64,
    exhausted: bool,
    /// The attributes that are being evaluated, innermost last.
    active: Vec<usize>,
}

impl<'c> Evaluator<'c> {
    pub(crate) fn new(context: &'c Context) -> Self {
        let scope = |ad: &Option<crate::Ad>, side| {
            ad.as_ref().map(|ad| Arc::new(Scope { ad: ad.clone(), parent: None, side: Some(side) }))
        };
        let empty = (context.my.is_none() && context.target.is_some()).then(crate::Ad::new);
        Self {
            context,
            my: scope(if empty.is_some() { &empty } else { &context.my }, Side::My),
            target: scope(&context.target, Side::Target),
            steps: context.steps,
            depth: 0,
            draws: 0,
            exhausted: false,
            active: Vec::new(),
        }
    }

    /// Evaluates in `MY`; too much work makes all of it an error.
    pub(crate) fn run(&mut self, expr: &Expr) -> Value {
        let scope = self.my.clone();
        let value = self.eval(expr, scope.as_ref());
        if self.exhausted { Value::Error } else { value }
    }

    pub(crate) fn target_scope(&self) -> Option<&Arc<Scope>> {
        self.target.as_ref()
    }

    /// Makes all of the evaluation an error, for what HTCondor makes no value of.
    pub(crate) fn give_up(&mut self) -> Value {
        self.exhausted = true;
        Value::Error
    }

    /// Pays for work; false if there is nothing left.
    pub(crate) fn pay(&mut self, steps: usize) -> bool {
        match u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps)) {
            Some(rest) if !self.exhausted => {
                self.steps = rest;
                true
            }
            _ => {
                self.exhausted = true;
                false
            }
        }
    }

    /// Gives 64 random bits, the next of the context's seed.
    pub(crate) fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        let mut bits = self.context.seed.wrapping_add(self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Evaluates an expression where it stands.
    pub(crate) fn eval(&mut self, expr: &Expr, scope: Option<&Arc<Scope>>) -> Value {
        if let Kind::Literal(value) = expr.kind() {
            return value.clone();
        }
        if self.depth >= MAX_DEPTH || !self.pay(1) {
            return self.give_up();
        }
        self.depth += 1;
        let value = self.node(expr.kind(), scope);
        self.depth -= 1;
        value
    }

    fn node(&mut self, kind: &Kind, scope: Option<&Arc<Scope>>) -> Value {
        match kind {
            Kind::Literal(value) => value.clone(),
            Kind::Attribute(base, name) => self.attribute(base, name, scope),
            Kind::Unary(op, operand) => unary(*op, &self.eval(operand, scope)),
            Kind::Binary(first, rest) => self.chain(first, rest, scope),
            Kind::Parentheses(inner) => self.eval(inner, scope),
            Kind::Conditional(condition, then, otherwise) => match self.eval(condition, scope) {
                Value::Undefined => Value::Undefined,
                decision => match decision.as_condition() {
                    Some(true) => self.eval(then, scope),
                    Some(false) => self.eval(otherwise, scope),
                    None => Value::Error,
                },
            },
            Kind::Default(choices) => {
                let values = choices.iter().map(|choice| self.eval(choice, scope));
                values.into_iter().find(|value| !value.is_undefined()).unwrap_or(Value::Undefined)
            }
            Kind::Index(expr, index) => self.index(expr, index, scope),
            Kind::Call(call) => match call.function {
                Some(function) => function(self, &Args { exprs: &call.args, scope }),
                None => Value::Error,
            },
            Kind::List(items) => Value::List(ListValue { items: Arc::clone(items), scope: scope.cloned() }),
            Kind::Ad(ad) => {
                Value::Ad(AdValue(Arc::new(Scope { ad: ad.clone(), parent: scope.cloned(), side: None })))
            }
        }
    }

    fn chain(&mut self, first: &Expr, rest: &[(BinaryOp, Expr)], scope: Option<&Arc<Scope>>) -> Value {
        let mut value = self.eval(first, scope);
        for (op, operand) in rest {
            value = match op {
                BinaryOp::Or | BinaryOp::And => {
                    let decides = *op == BinaryOp::Or;
                    if value.as_condition() == Some(decides) {
                        value = Value::Bool(decides);
                        continue;
                    }
                    logical(*op, &value, &self.eval(operand, scope))
                }
                _ => binary(*op, &value, &self.eval(operand, scope)),
            };
        }
        value
    }

    fn index(&mut self, expr: &Expr, index: &Expr, scope: Option<&Arc<Scope>>) -> Value {
        let container = self.eval(expr, scope);
        let index = self.eval(index, scope);
        if container.is_error() || index.is_error() {
            return Value::Error;
        }
        if container.is_undefined() || index.is_undefined() {
            return Value::Undefined;
        }
        match (container, index) {
            (Value::List(list), Value::Int(position)) => {
                match usize::try_from(low_half(position)).ok().and_then(|position| list.items.get(position)) {
                    Some(item) => self.eval(item, list.scope.as_ref()),
                    None => Value::Error,
                }
            }
            (Value::Ad(ad), Value::String(name)) => match ad.ad().get(&name).cloned() {
                Some(expr) => self.named(&expr, Some(&ad.0)),
                None => Value::Undefined,
            },
            _ => Value::Error,
        }
    }

    fn attribute(&mut self, base: &Base, name: &Name, scope: Option<&Arc<Scope>>) -> Value {
        let found = match base {
            Base::Anywhere => scope.and_then(|scope| self.find_anywhere(name, scope)),
            Base::Root => match self.root(scope) {
                Some(root) => self.find(name, &root),
                None if scope.is_none() => return self.give_up(),
                None => None,
            },
            Base::Of(expr) => match self.eval(expr, scope) {
                Value::Undefined => None,
                Value::Ad(ad) => self.find(name, &ad.0),
                Value::List(list) => return self.attribute_of_each(&list, name, scope),
                _ => return Value::Error,
            },
        };
        match found {
            Some(Found::Expr(expr, scope)) => self.named(&expr, Some(&scope)),
            Some(Found::Ad(scope)) => Value::Ad(AdValue(scope)),
            Some(Found::Value(value)) => value,
            None => Value::Undefined,
        }
    }

    /// Evaluates what an attribute holds; one that leads back to itself is undefined there.
    pub(crate) fn named(&mut self, expr: &Expr, scope: Option<&Arc<Scope>>) -> Value {
        if let Kind::Literal(value) = expr.kind() {
            return value.clone();
        }
        let identity = expr.identity();
        if self.active.contains(&identity) {
            return Value::Undefined;
        }
        self.active.push(identity);
        let value = self.eval(expr, scope);
        self.active.pop();
        value
    }

    /// `{ a, b }.x` is `{ a.x, b.x }`, evaluated at once.
    fn attribute_of_each(&mut self, list: &ListValue, name: &Name, scope: Option<&Arc<Scope>>) -> Value {
        let mut values = Vec::with_capacity(list.items.len());
        for item in list.items.iter() {
            if !self.pay(1) {
                return Value::Error;
            }
            let value = match self.eval(item, scope) {
                Value::Undefined => Value::Undefined,
                Value::Ad(ad) => match self.find(name, &ad.0) {
                    Some(Found::Expr(expr, scope)) => self.named(&expr, Some(&scope)),
                    Some(Found::Ad(scope)) => Value::Ad(AdValue(scope)),
                    Some(Found::Value(value)) => value,
                    None => Value::Undefined,
                },
                Value::List(inner) if self.depth < MAX_DEPTH => {
                    self.depth += 1;
                    let value = self.attribute_of_each(&inner, name, scope);
                    self.depth -= 1;
                    value
                }
                _ => Value::Error,
            };
            values.push(Expr::literal(value));
        }
        Value::List(ListValue::unscoped(values))
    }
}
