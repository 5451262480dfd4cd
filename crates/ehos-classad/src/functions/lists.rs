//! Membership, sums and bounds of lists.
//!
//! Deliberately evaluates elements where the call stands, as HTCondor does, not where the list was written.

use super::Args;
use crate::eval::Evaluator;
use crate::expr::BinaryOp;
use crate::operators::binary;
use crate::{Expr, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

pub(super) fn member(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    membership(evaluator, args, BinaryOp::Equal)
}

pub(super) fn identical_member(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    membership(evaluator, args, BinaryOp::Is)
}

fn membership(evaluator: Eval<'_, '_>, args: &Args<'_>, op: BinaryOp) -> Value {
    let Some(values) = args.all(evaluator, 2..=2) else { return Value::Error };
    let strict = op == BinaryOp::Is;
    let (wanted, list) = match values.as_slice() {
        [_, Value::Undefined] => return Value::Undefined,
        [Value::Undefined, _] if !strict => return Value::Undefined,
        [Value::List(_) | Value::Ad(_), _] => return Value::Error,
        [Value::Error, _] if !strict => return Value::Error,
        [wanted, Value::List(list)] => (wanted, list),
        _ => return Value::Error,
    };
    for item in list.exprs() {
        let value = evaluator.eval(item, args.scope);
        if !evaluator.pay(1) {
            return Value::Error;
        }
        if matches!(binary(op, &value, wanted), Value::Bool(true)) {
            return Value::Bool(true);
        }
    }
    Value::Bool(false)
}

/// Evaluates the only argument's elements to numbers, passing over undefined ones.
fn numbers(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Result<Vec<Value>, Value> {
    let list = match args.only(evaluator) {
        Some(Value::Undefined) => return Err(Value::Undefined),
        Some(Value::List(list)) => list,
        _ => return Err(Value::Error),
    };
    let mut numbers = Vec::new();
    for item in list.exprs() {
        match element(evaluator, item, args) {
            Value::Undefined => {}
            number @ (Value::Bool(_) | Value::Int(_) | Value::Real(_)) => numbers.push(number),
            _ => return Err(Value::Error),
        }
    }
    Ok(numbers)
}

fn element(evaluator: Eval<'_, '_>, item: &Expr, args: &Args<'_>) -> Value {
    if evaluator.pay(1) { evaluator.eval(item, args.scope) } else { Value::Error }
}

fn total(numbers: &[Value]) -> Value {
    let mut numbers = numbers.iter();
    let first = numbers.next().cloned().unwrap_or(Value::Int(0));
    numbers.fold(first, |total, number| binary(BinaryOp::Add, &total, number))
}

pub(super) fn sum(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match numbers(evaluator, args) {
        Ok(numbers) => total(&numbers),
        Err(value) => value,
    }
}

pub(super) fn avg(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match numbers(evaluator, args) {
        Ok(numbers) if numbers.is_empty() => Value::Int(0),
        Ok(numbers) => {
            let count = u32::try_from(numbers.len()).map_or(f64::INFINITY, f64::from);
            binary(BinaryOp::Divide, &total(&numbers), &Value::Real(count))
        }
        Err(value) => value,
    }
}

pub(super) fn min(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    bound(evaluator, args, BinaryOp::Less)
}

pub(super) fn max(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    bound(evaluator, args, BinaryOp::Greater)
}

fn bound(evaluator: Eval<'_, '_>, args: &Args<'_>, better: BinaryOp) -> Value {
    let numbers = match numbers(evaluator, args) {
        Ok(numbers) => numbers,
        Err(value) => return value,
    };
    let several = numbers.len() > 1;
    let real = numbers.iter().any(|number| matches!(number, Value::Real(_)));
    let bound = numbers.into_iter().reduce(|bound, number| {
        if matches!(binary(better, &number, &bound), Value::Bool(true)) { number } else { bound }
    });
    match bound {
        None => Value::Undefined,
        // A comparison leaves its operands in a common type.
        Some(bound) if several && real => bound.to_real(),
        Some(bound) if several => bound.to_int(),
        Some(bound) => bound,
    }
}

pub(super) fn any_compare(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    compare(evaluator, args, false)
}

pub(super) fn all_compare(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    compare(evaluator, args, true)
}

fn compare(evaluator: Eval<'_, '_>, args: &Args<'_>, all: bool) -> Value {
    let Some(values) = args.all(evaluator, 3..=3) else { return Value::Error };
    let (op, list, wanted) = match values.as_slice() {
        [Value::Undefined, ..] => return Value::Undefined,
        [Value::String(op), list, wanted] => match (comparison(op), list) {
            (None, _) => return Value::Error,
            (_, Value::Undefined) => return Value::Undefined,
            (Some(op), Value::List(list)) => (op, list, wanted),
            _ => return Value::Error,
        },
        _ => return Value::Error,
    };
    for item in list.exprs() {
        let value = element(evaluator, item, args);
        match binary(op, &value, wanted) {
            Value::Bool(hit) if hit == all => {}
            // One that cannot be compared ends it, and counts as a miss.
            Value::Bool(_) => return Value::Bool(!all),
            Value::Undefined => return Value::Bool(false),
            _ => return Value::Error,
        }
    }
    Value::Bool(all)
}

fn comparison(op: &str) -> Option<BinaryOp> {
    Some(match op {
        "<" => BinaryOp::Less,
        "<=" => BinaryOp::LessOrEqual,
        "==" => BinaryOp::Equal,
        "!=" => BinaryOp::NotEqual,
        ">=" => BinaryOp::GreaterOrEqual,
        ">" => BinaryOp::Greater,
        "is" => BinaryOp::Is,
        "isnt" => BinaryOp::Isnt,
        _ => return None,
    })
}
