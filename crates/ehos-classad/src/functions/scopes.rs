//! Functions that decide what is evaluated, and where.
//!
//! Deliberately without users, maps and homes of this machine: `userHome` and `userMap` give their defaults.

use std::sync::Arc;

use super::Args;
use super::patterns::compile;
use crate::eval::Evaluator;
use crate::expr::Kind;
use crate::{AdValue, Expr, ListValue, Name, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

pub(super) fn if_then_else(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    if args.len() != 3 {
        return Value::Error;
    }
    match args.get(evaluator, 0) {
        Value::Undefined => Value::Undefined,
        condition => match condition.as_condition() {
            Some(true) => args.get(evaluator, 1),
            Some(false) => args.get(evaluator, 2),
            None => Value::Error,
        },
    }
}

/// Reads a text as an expression and evaluates that here.
pub(super) fn eval(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(Value::String(text)) = args.only(evaluator).map(|value| value.to_text()) else {
        return Value::Error;
    };
    if !evaluator.pay(1 + text.len() / 4) {
        return Value::Error;
    }
    Expr::parse(&text).map_or(Value::Error, |expr| evaluator.eval(&expr, args.scope))
}

/// Does nothing, since there is no log to write to.
pub(super) fn debug(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    args.only(evaluator).unwrap_or(Value::Error)
}

/// Gives the text of an attribute's expression.
pub(super) fn unparse(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let [only] = args.exprs else { return Value::Error };
    let Kind::Attribute(..) = only.kind() else { return Value::Error };
    // HTCondor looks for an attribute that is called as the whole argument is spelled, prefix included.
    let expr = args.scope.and_then(|scope| scope.ad.get(&only.to_string()).cloned());
    let text = expr.map(|expr| expr.to_indented()).unwrap_or_default();
    if evaluator.pay(text.len() / 16) { Value::string(text) } else { Value::Error }
}

/// Gives the names that an attribute's expression looks at and that are not in this ad, or whether one of them
/// matches a pattern.
pub(super) fn unresolved(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let (only, pattern) = match args.exprs {
        [only] => (only, None),
        [only, pattern] => (only, Some(pattern)),
        _ => return Value::Error,
    };
    let Kind::Attribute(base, name) = only.kind() else { return Value::Error };
    let (Some(expr), Some(scope)) = evaluator.dereference(base, name, args.scope) else {
        return Value::Undefined;
    };
    let found = expr.references(&scope.ad);
    let other = evaluator.target_scope().map(|scope| scope.ad.clone()).unwrap_or_default();
    let theirs = found.target.into_iter().filter(|name| other.get(name.as_str()).is_none());
    // HTCondor sorts those of the other side by their prefix, which it leaves out then.
    let mut names: Vec<(String, Name)> = theirs.map(|name| (format!("target.{name}"), name)).collect();
    names.extend(found.external.into_iter().map(|name| (name.to_string(), name)));
    names.sort_by_key(|(key, _)| key.to_ascii_lowercase());
    let Some(pattern) = pattern else {
        return Value::string(names.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(","));
    };
    let Value::String(pattern) = evaluator.eval(pattern, args.scope) else { return evaluator.give_up() };
    match compile(evaluator, &pattern, "") {
        Some(regex) => Value::Bool(names.iter().any(|(_, name)| regex.is_match(name.as_str().as_bytes()))),
        None => Value::Error,
    }
}

pub(super) fn eval_in_each_context(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match in_each(evaluator, args) {
        Ok(values) => Value::List(ListValue::unscoped(values.into_iter().map(Expr::literal))),
        Err(value) => value,
    }
}

pub(super) fn count_matches(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match in_each(evaluator, args) {
        Ok(values) => {
            let count = values.iter().filter(|value| value.as_condition() == Some(true)).count();
            i64::try_from(count).map_or(Value::Error, Value::Int)
        }
        Err(Value::Undefined) => Value::Int(0),
        Err(value) => value,
    }
}

/// Evaluates an expression, or what an attribute holds, in each ad of a list.
fn in_each(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Result<Vec<Value>, Value> {
    let [expr, contexts] = args.exprs else { return Err(Value::Error) };
    // The search for the attribute moves HTCondor to where it ends, and there it evaluates the list.
    let (attribute, scope) = match expr.kind() {
        Kind::Attribute(base, name) => evaluator.dereference(base, name, args.scope),
        _ => (None, args.scope.cloned()),
    };
    let expr = attribute.as_ref().unwrap_or(expr);
    let contexts = match evaluator.eval(contexts, scope.as_ref()) {
        Value::List(list) => list,
        Value::Undefined => return Err(Value::Undefined),
        _ => return Err(Value::Error),
    };
    let mut values = Vec::with_capacity(contexts.exprs().len());
    for context in contexts.exprs() {
        if !evaluator.pay(1) {
            return Err(Value::Error);
        }
        values.push(match evaluator.eval(context, scope.as_ref()) {
            Value::Ad(AdValue(inner)) => evaluator.eval(expr, Some(&inner.on_side())),
            Value::Undefined => Value::Undefined,
            _ => Value::Error,
        });
    }
    Ok(values)
}

/// Gives the default, or else undefined: no user of this machine is looked for.
pub(super) fn user_home(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 1..=2) else { return evaluator.give_up() };
    match values.as_slice() {
        [_, Value::String(default)] if !default.is_empty() => Value::String(Arc::clone(default)),
        [Value::String(_) | Value::Undefined, ..] => Value::Undefined,
        _ => Value::Error,
    }
}

/// Gives the default, or else undefined: there are no maps.
pub(super) fn user_map(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=4) else { return Value::Error };
    match values.as_slice() {
        [Value::Error, ..] | [_, Value::Error, ..] => Value::Error,
        [_, _, _, default] => default.clone(),
        _ => Value::Undefined,
    }
}
