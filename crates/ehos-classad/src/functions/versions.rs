//! Compares version numbers: texts in which runs of digits are numbers.
//!
//! Deliberately as glibc's `strverscmp`: a number with leading zeros comes before one without.

use super::Args;
use super::strings::two_texts;
use crate::Value;
use crate::eval::Evaluator;

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

/// Less than, equal to or greater than zero; how much is HTCondor's, too.
pub(crate) fn compare(one: &str, other: &str) -> i64 {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    // A C string ends with a zero byte, and C's char is signed.
    let at = |text: &[u8], index: usize| text.get(index).copied().unwrap_or(0);
    let digit = |text: &[u8], index: usize| at(text, index).is_ascii_digit();
    let mismatch = i64::from(at(one, same).cast_signed()) - i64::from(at(other, same).cast_signed());
    if same == one.len() && same == other.len() {
        return 0;
    }
    let start = same
        - one.get(..same).unwrap_or_default().iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if start == same && !(digit(one, same) && digit(other, same)) {
        return mismatch;
    }
    let zeros = |text: &[u8]| {
        let zeros = text.get(start..).unwrap_or_default().iter().take_while(|byte| **byte == b'0').count();
        // A last zero is a number and no leading zero.
        if zeros > 0 && !digit(text, start + zeros) { zeros - 1 } else { zeros }
    };
    let (zeros_one, zeros_other) = (zeros(one), zeros(other));
    let distance = |one: usize, other: usize| {
        i64::try_from(one).unwrap_or(i64::MAX) - i64::try_from(other).unwrap_or(i64::MAX)
    };
    if zeros_one != zeros_other {
        return distance(zeros_other, zeros_one);
    }
    if zeros_one > 0 {
        return mismatch;
    }
    let length = |text: &[u8]| {
        text.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    match distance(length(one), length(other)) {
        0 => mismatch,
        difference => difference,
    }
}

fn test(evaluator: Eval<'_, '_>, args: &Args<'_>, of: fn(i64) -> Value) -> Value {
    match two_texts(evaluator, args) {
        Ok((one, other)) => of(compare(&one, &other)),
        Err(value) => value,
    }
}

pub(super) fn cmp(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, Value::Int)
}

pub(super) fn eq(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, |order| Value::Bool(order == 0))
}

pub(super) fn ge(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, |order| Value::Bool(order >= 0))
}

pub(super) fn gt(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, |order| Value::Bool(order > 0))
}

pub(super) fn le(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, |order| Value::Bool(order <= 0))
}

pub(super) fn lt(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    test(evaluator, args, |order| Value::Bool(order < 0))
}

pub(super) fn in_range(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 3..=3) else { return Value::Error };
    if values.iter().skip(1).any(Value::is_undefined) {
        return Value::Undefined;
    }
    match values.iter().map(Value::to_text).collect::<Vec<_>>().as_slice() {
        [Value::String(version), Value::String(min), Value::String(max)]
            if evaluator.pay((version.len() + min.len() + max.len()) / 64) =>
        {
            Value::Bool(compare(min, version) <= 0 && compare(version, max) <= 0)
        }
        _ => Value::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_manual() {
        let order = ["000", "00", "01", "010", "09", "0", "1", "9", "10"];
        for (index, one) in order.iter().enumerate() {
            for (other_index, other) in order.iter().enumerate() {
                assert_eq!(compare(one, other).signum(), (index.cmp(&other_index) as i64), "{one} {other}");
            }
        }
        assert_eq!((compare("a", "zz"), compare("é", "z"), compare("1.010", "1.01")), (-25, -183, 48));
    }
}
