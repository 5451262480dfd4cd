//! Rounding, powers, steps and chance.
//!
//! Deliberately with HTCondor's way to make integers of reals, at both ends of their range.

use super::Args;
use crate::eval::Evaluator;
use crate::number::{int_to_real, real_to_int};
use crate::{ListValue, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

pub(super) fn floor(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    rounded(evaluator, args, f64::floor)
}

pub(super) fn ceiling(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    rounded(evaluator, args, f64::ceil)
}

pub(super) fn round(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    rounded(evaluator, args, f64::round_ties_even)
}

fn rounded(evaluator: Eval<'_, '_>, args: &Args<'_>, how: fn(f64) -> f64) -> Value {
    match args.only(evaluator) {
        Some(Value::Int(int)) => Value::Int(int),
        Some(other) => number(&other).map_or(Value::Error, |real| Value::Int(real_to_int(how(real)))),
        None => Value::Error,
    }
}

/// Converts to a real; `None` where that is undefined or an error.
fn number(value: &Value) -> Option<f64> {
    if let Value::Real(real) = value.to_real() { Some(real) } else { None }
}

pub(super) fn pow(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=2) else { return Value::Error };
    match values.as_slice() {
        // Half is added to round, below zero, too: pow(-2, 3) is -7.
        [Value::Int(base), Value::Int(exponent)] if *exponent >= 0 => {
            Value::Int(real_to_int(int_to_real(*base).powf(int_to_real(*exponent)) + 0.5))
        }
        [base, exponent] => match (number(base), number(exponent)) {
            (Some(base), Some(exponent)) => Value::Real(base.powf(exponent)),
            _ => Value::Error,
        },
        _ => Value::Error,
    }
}

pub(super) fn quantize(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=2) else { return Value::Error };
    let [value, step] = values.as_slice() else { return Value::Error };
    let Some(real) = number(value) else { return Value::Error };
    match step {
        Value::List(steps) => match pick(evaluator, args, steps, real) {
            Ok(found) => found,
            Err(None) => Value::Error,
            Err(Some(last)) => multiple(value, real, &last),
        },
        step => multiple(value, real, step),
    }
}

/// Gives the first element that is large enough, or else the last one, or nothing where one is no number.
fn pick(
    evaluator: Eval<'_, '_>,
    args: &Args<'_>,
    steps: &ListValue,
    wanted: f64,
) -> Result<Value, Option<Value>> {
    // An empty list does not quantize.
    let mut last = Value::Real(0.0);
    for item in steps.exprs() {
        if !evaluator.pay(1) {
            return Err(None);
        }
        last = evaluator.eval(item, args.scope);
        match number(&last) {
            Some(step) if step >= wanted => return Ok(last),
            Some(_) => {}
            None => return Err(None),
        }
    }
    Err(Some(last))
}

/// Gives the next multiple of a step.
fn multiple(value: &Value, real: f64, step: &Value) -> Value {
    match (value, step) {
        (value, Value::Int(0)) => value.clone(),
        (Value::Int(int), Value::Int(step)) => {
            let up = int.wrapping_add(*step).wrapping_sub(1);
            Value::Int(up.checked_div(*step).unwrap_or(i64::MAX).wrapping_mul(*step))
        }
        (_, Value::Int(step)) => {
            let step = int_to_real(*step);
            Value::Real((real / step).ceil() * step)
        }
        (value, step) => match number(step) {
            None => Value::Error,
            Some(step) if step.abs() <= 1e-8 => value.clone(),
            Some(step) => Value::Real((real / step).ceil() * step),
        },
    }
}

pub(super) fn random(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let bound = match args.len() {
        0 => Value::Real(1.0),
        1 => args.get(evaluator, 0),
        _ => return Value::Error,
    };
    let bits = evaluator.draw();
    match bound {
        Value::Int(bound) if bound > 0 => Value::Int(i64::try_from(bits % bound.unsigned_abs()).unwrap_or(0)),
        Value::Real(bound) => {
            // 53 bits make a real from 0 up to, but not including, 1.
            let high = u32::try_from(bits >> 43).unwrap_or(0);
            let low = u32::try_from((bits >> 11) & 0xFFFF_FFFF).unwrap_or(0);
            let unit = (f64::from(high) * 4_294_967_296.0 + f64::from(low)) / 9_007_199_254_740_992.0;
            Value::Real(bound * unit)
        }
        Value::Int(_) => evaluator.give_up(),
        _ => Value::Error,
    }
}
