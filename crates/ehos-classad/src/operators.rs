//! What the operators make of two values.
//!
//! Deliberately total: every operator has a result for every pair of values. `&&`, `||` and the conditionals are
//! lazy and therefore with the evaluator.

use std::cmp::Ordering;

use crate::expr::{BinaryOp, UnaryOp};
use crate::number::{int_to_real, real_to_int};
use crate::{AbsTime, Value};

/// Applies an operator to its only operand.
pub(crate) fn unary(op: UnaryOp, operand: &Value) -> Value {
    match (op, operand) {
        (_, Value::Error) => Value::Error,
        (_, Value::Undefined) => Value::Undefined,
        (UnaryOp::Plus, Value::Int(_) | Value::Real(_) | Value::RelTime(_)) => operand.clone(),
        (UnaryOp::Minus, Value::Int(int)) => Value::Int(int.wrapping_neg()),
        (UnaryOp::Minus, Value::Real(real)) => Value::Real(-real),
        (UnaryOp::Minus, Value::RelTime(seconds)) => Value::RelTime(-seconds),
        (UnaryOp::Not, operand) => operand.as_condition().map_or(Value::Error, |bool| Value::Bool(!bool)),
        (UnaryOp::BitNot, Value::Int(int)) => Value::Int(!int),
        _ => Value::Error,
    }
}

/// Applies an operator other than `&&` and `||`.
pub(crate) fn binary(op: BinaryOp, left: &Value, right: &Value) -> Value {
    use BinaryOp as B;
    match op {
        B::Is => identical(left, right).map_or(Value::Error, Value::Bool),
        B::Isnt => identical(left, right).map_or(Value::Error, |same| Value::Bool(!same)),
        _ if left.is_error() || right.is_error() => Value::Error,
        _ if left.is_undefined() || right.is_undefined() => Value::Undefined,
        B::Equal | B::NotEqual | B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => {
            compare(op, left, right)
        }
        B::Add | B::Subtract | B::Multiply | B::Divide | B::Modulo => arithmetic(op, left, right),
        _ => bitwise(op, left, right),
    }
}

/// Combines the left side of `&&` or `||` with the right one, where the left did not decide alone.
pub(crate) fn logical(op: BinaryOp, left: &Value, right: &Value) -> Value {
    let decides = op == BinaryOp::Or;
    match (truth(left), truth(right)) {
        (None | Some(Value::Error), _) | (_, None) => Value::Error,
        (Some(Value::Bool(left)), _) if left == decides => Value::Bool(decides),
        (Some(Value::Bool(_)), Some(right)) => right,
        (Some(_), Some(Value::Bool(right))) if right == decides => Value::Bool(decides),
        (Some(_), Some(Value::Error)) => Value::Error,
        _ => Value::Undefined,
    }
}

/// Gives true, false, undefined or error; `None` for what is none of them.
fn truth(value: &Value) -> Option<Value> {
    match value {
        Value::Undefined => Some(Value::Undefined),
        Value::Error => Some(Value::Error),
        other => other.as_condition().map(Value::Bool),
    }
}

/// Compares as `=?=`; `None` for two lists or two ads, of which HTCondor says neither.
fn identical(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::List(_), Value::List(_)) | (Value::Ad(_), Value::Ad(_)) => None,
        // Two NaN are not the same, and two zeros are.
        #[expect(clippy::float_cmp, reason = "the language compares exactly")]
        (Value::Real(one), Value::Real(two)) | (Value::RelTime(one), Value::RelTime(two)) => Some(one == two),
        _ => Some(left == right),
    }
}

fn compare(op: BinaryOp, left: &Value, right: &Value) -> Value {
    use BinaryOp as B;
    let order = match (left, right) {
        (Value::String(one), Value::String(two)) => {
            let lower = |byte: u8| byte.to_ascii_lowercase();
            Some(one.bytes().map(lower).cmp(two.bytes().map(lower)))
        }
        (Value::AbsTime(one), Value::AbsTime(two)) => Some(one.seconds.cmp(&two.seconds)),
        (Value::RelTime(one), Value::RelTime(two)) => one.partial_cmp(two),
        _ => match (whole(left), whole(right), left.as_number(), right.as_number()) {
            (Some(one), Some(two), ..) => Some(one.cmp(&two)),
            (_, _, Some(one), Some(two)) => one.partial_cmp(&two),
            _ => return Value::Error,
        },
    };
    Value::Bool(match op {
        B::Equal => order == Some(Ordering::Equal),
        B::NotEqual => order != Some(Ordering::Equal),
        B::Less => order == Some(Ordering::Less),
        B::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        B::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

/// Gives an integer, converted from a boolean.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(bool) => Some(i64::from(*bool)),
        Value::Int(int) => Some(*int),
        _ => None,
    }
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Value {
    if let (Some(one), Some(two)) = (whole(left), whole(right)) {
        return integers(op, one, two);
    }
    if let (Some(one), Some(two)) = (left.as_number(), right.as_number()) {
        return reals(op, one, two);
    }
    times(op, left, right)
}

fn integers(op: BinaryOp, one: i64, two: i64) -> Value {
    use BinaryOp as B;
    match op {
        B::Add => Value::Int(one.wrapping_add(two)),
        B::Subtract => Value::Int(one.wrapping_sub(two)),
        B::Multiply => Value::Int(one.wrapping_mul(two)),
        _ if two == 0 => Value::Error,
        // The one quotient that does not fit is off by one.
        B::Divide => Value::Int(one.saturating_div(two)),
        _ => Value::Int(one.wrapping_rem(two)),
    }
}

fn reals(op: BinaryOp, one: f64, two: f64) -> Value {
    use BinaryOp as B;
    let result = match op {
        B::Add => one + two,
        B::Subtract => one - two,
        B::Multiply => one * two,
        B::Divide => one / two,
        _ => return Value::Error,
    };
    // Only the positive infinity is an error: HTCondor compares with HUGE_VAL.
    if result == f64::INFINITY { Value::Error } else { Value::Real(result) }
}

fn times(op: BinaryOp, left: &Value, right: &Value) -> Value {
    use BinaryOp as B;
    let moved = |time: &AbsTime, seconds: f64, sign: i64| {
        let shift = real_to_int(seconds).saturating_mul(sign);
        Value::AbsTime(AbsTime { seconds: time.seconds.saturating_add(shift), ..*time })
    };
    let number = |value: &Value| match value {
        Value::Int(int) => Some(int_to_real(*int)),
        Value::Real(real) => Some(*real),
        _ => None,
    };
    match (op, left, right) {
        (B::Add, Value::AbsTime(time), Value::RelTime(seconds))
        | (B::Add, Value::RelTime(seconds), Value::AbsTime(time)) => moved(time, *seconds, 1),
        (B::Subtract, Value::AbsTime(time), Value::RelTime(seconds)) => moved(time, *seconds, -1),
        (B::Subtract, Value::AbsTime(one), Value::AbsTime(two)) => {
            Value::RelTime(int_to_real(one.seconds.saturating_sub(two.seconds)))
        }
        (B::Add, Value::RelTime(one), Value::RelTime(two)) => Value::RelTime(one + two),
        (B::Subtract, Value::RelTime(one), Value::RelTime(two)) => Value::RelTime(one - two),
        (B::Multiply, Value::RelTime(seconds), factor) | (B::Multiply, factor, Value::RelTime(seconds)) => {
            number(factor).map_or(Value::Error, |factor| Value::RelTime(seconds * factor))
        }
        (B::Divide, Value::RelTime(seconds), divisor) => {
            number(divisor).map_or(Value::Error, |divisor| Value::RelTime(seconds / divisor))
        }
        _ => Value::Error,
    }
}

fn bitwise(op: BinaryOp, left: &Value, right: &Value) -> Value {
    use BinaryOp as B;
    let (Value::Int(one), Value::Int(two)) = (left, right) else { return Value::Error };
    // The processor shifts by the lowest six bits.
    let places = |distance: i64| u32::try_from(distance & 63).unwrap_or(0);
    Value::Int(match op {
        B::BitOr => one | two,
        B::BitXor => one ^ two,
        B::BitAnd => one & two,
        B::ShiftLeft => one.wrapping_shl(places(*two)),
        B::ShiftRightUnsigned if *one < 0 => {
            ((one >> 1) & i64::MAX).wrapping_shr(places(two.wrapping_sub(1)))
        }
        B::ShiftRight if *one < 0 => one >> (*two).clamp(0, 63),
        _ => one.wrapping_shr(places(*two)),
    })
}
