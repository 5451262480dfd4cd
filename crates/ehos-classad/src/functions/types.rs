//! What type a value has, how large it is, and conversions.
//!
//! Deliberately no conversion that HTCondor does not make.

use super::Args;
use crate::Value;
use crate::eval::Evaluator;

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

fn is(evaluator: Eval<'_, '_>, args: &Args<'_>, test: fn(&Value) -> bool) -> Value {
    args.only(evaluator).map_or(Value::Error, |value| Value::Bool(test(&value)))
}

pub(super) fn is_undefined(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, Value::is_undefined)
}

pub(super) fn is_error(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, Value::is_error)
}

pub(super) fn is_string(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::String(_)))
}

pub(super) fn is_integer(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::Int(_)))
}

pub(super) fn is_real(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::Real(_)))
}

pub(super) fn is_list(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::List(_)))
}

pub(super) fn is_ad(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::Ad(_)))
}

pub(super) fn is_boolean(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::Bool(_)))
}

pub(super) fn is_abs_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::AbsTime(_)))
}

pub(super) fn is_rel_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    is(evaluator, args, |value| matches!(value, Value::RelTime(_)))
}

pub(super) fn int(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    args.only(evaluator).map_or(Value::Error, |value| value.to_int())
}

pub(super) fn real(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    args.only(evaluator).map_or(Value::Error, |value| value.to_real())
}

pub(super) fn string(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    args.only(evaluator).map_or(Value::Error, |value| value.to_text())
}

pub(super) fn bool(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match args.only(evaluator) {
        Some(Value::RelTime(seconds)) => Value::Bool(seconds.trunc() != 0.0),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        Some(Value::Undefined | Value::String(_)) => Value::Undefined,
        Some(other) => other.as_condition().map_or(Value::Error, Value::Bool),
        None => Value::Error,
    }
}

/// Counts bytes, elements or attributes.
pub(super) fn size(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let size = match args.only(evaluator) {
        Some(Value::Undefined) => return Value::Undefined,
        Some(Value::String(text)) => text.len(),
        Some(Value::List(list)) => list.exprs().len(),
        Some(Value::Ad(ad)) => ad.ad().len(),
        _ => return Value::Error,
    };
    i64::try_from(size).map_or(Value::Error, Value::Int)
}
