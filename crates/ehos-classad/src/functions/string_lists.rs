//! Lists in strings, as configuration files have them: `"a, b, c"`.
//!
//! Deliberately passes over empty items and trims blanks, whatever the delimiters are.

use std::collections::HashSet;

use super::Args;
use crate::Value;
use crate::eval::Evaluator;
use crate::number::{FLOAT_MAX, FLOAT_MIN, leading_real, real_to_int};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

/// Gives the items of a string.
pub(super) fn tokens<'a>(text: &'a str, delimiters: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(move |symbol| delimiters.contains(symbol))
        .map(|item| item.trim_matches(|symbol: char| symbol.is_ascii_whitespace()))
        .filter(|item| !item.is_empty())
}

/// Evaluates a string and perhaps its delimiters.
fn one_list(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Option<(String, String)> {
    let values = args.all(evaluator, 1..=2)?;
    let (text, delimiters) = match values.as_slice() {
        [Value::String(text)] => (text, ", "),
        [Value::String(text), Value::String(delimiters)] => (text, &**delimiters),
        _ => return None,
    };
    evaluator.pay(text.len() / 8).then(|| (text.to_string(), delimiters.to_owned()))
}

pub(super) fn size(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let count = one_list(evaluator, args).map(|(text, delimiters)| tokens(&text, &delimiters).count());
    count.and_then(|count| i64::try_from(count).ok()).map_or(Value::Error, Value::Int)
}

/// The numbers of a string list, and whether one of them is not written as an integer.
struct Numbers {
    values: Vec<f64>,
    real: bool,
}

fn numbers(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Option<Numbers> {
    let (text, delimiters) = one_list(evaluator, args)?;
    let items: Vec<&str> = tokens(&text, &delimiters).collect();
    let values = items.iter().map(|item| leading_real(item)).collect::<Option<Vec<f64>>>()?;
    let whole = |item: &&str| item.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+' || byte == b'-');
    Some(Numbers { values, real: !items.iter().all(whole) })
}

fn summary(evaluator: Eval<'_, '_>, args: &Args<'_>, empty: Value, of: fn(&[f64]) -> f64) -> Value {
    match numbers(evaluator, args) {
        None => Value::Error,
        Some(numbers) if numbers.values.is_empty() => empty,
        Some(numbers) if numbers.real => Value::Real(of(&numbers.values)),
        Some(numbers) => Value::Int(real_to_int(of(&numbers.values))),
    }
}

pub(super) fn sum(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    summary(evaluator, args, Value::Real(0.0), |values| values.iter().sum())
}

pub(super) fn avg(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    summary(evaluator, args, Value::Real(0.0), |values| {
        let count = u32::try_from(values.len()).map_or(f64::INFINITY, f64::from);
        values.iter().sum::<f64>() / count
    })
}

pub(super) fn min(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    summary(evaluator, args, Value::Undefined, |values| values.iter().copied().fold(FLOAT_MAX, f64::min))
}

/// The bound below is the smallest positive `float`: among negative numbers the greatest is 0.
pub(super) fn max(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    summary(evaluator, args, Value::Undefined, |values| values.iter().copied().fold(FLOAT_MIN, f64::max))
}

/// Two strings and delimiters; an undefined one counts as empty, two undefined ones are undefined.
struct Pair {
    left: String,
    right: String,
    delimiters: String,
}

fn pair(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Result<Pair, Value> {
    let Some(values) = args.all(evaluator, 2..=3) else { return Err(Value::Error) };
    let text = |value: &Value, default: &str| match value {
        Value::String(text) => Some(text.to_string()),
        Value::Undefined => Some(default.to_owned()),
        _ => None,
    };
    let delimiters = values.get(2).unwrap_or(&Value::Undefined);
    let [left, right, ..] = values.as_slice() else { return Err(Value::Error) };
    let (Some(one), Some(two), Some(delimiters)) =
        (text(left, ""), text(right, ""), text(delimiters, ", \t\r\n"))
    else {
        return Err(Value::Error);
    };
    if left.is_undefined() && right.is_undefined() {
        return Err(Value::Undefined);
    }
    if !evaluator.pay((one.len() + two.len()) / 8) {
        return Err(Value::Error);
    }
    Ok(Pair { left: one, right: two, delimiters })
}

pub(super) fn member(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    pair(evaluator, args).map_or_else(
        |value| value,
        |pair| Value::Bool(tokens(&pair.right, &pair.delimiters).any(|item| item == pair.left)),
    )
}

pub(super) fn imember(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    pair(evaluator, args).map_or_else(
        |value| value,
        |pair| {
            Value::Bool(
                tokens(&pair.right, &pair.delimiters).any(|item| item.eq_ignore_ascii_case(&pair.left)),
            )
        },
    )
}

pub(super) fn subset(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    pair(evaluator, args).map_or_else(|value| value, |pair| Value::Bool(contained(&pair)))
}

pub(super) fn isubset(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    pair(evaluator, args).map_or_else(
        |value| value,
        |mut pair| {
            pair.left.make_ascii_lowercase();
            pair.right.make_ascii_lowercase();
            Value::Bool(contained(&pair))
        },
    )
}

fn contained(pair: &Pair) -> bool {
    if pair.left.is_empty() {
        return true;
    }
    let all: HashSet<&str> = tokens(&pair.right, &pair.delimiters).collect();
    let mut wanted = tokens(&pair.left, &pair.delimiters).peekable();
    // Delimiters and nothing between them is no subset, by an oversight of HTCondor's.
    wanted.peek().is_some() && wanted.all(|item| all.contains(item))
}

/// Splits at single delimiters and trims nothing, unlike all others here.
pub(super) fn intersect(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=3) else { return Value::Error };
    if values.iter().any(Value::is_error) {
        return Value::Error;
    }
    if values.iter().any(Value::is_undefined) {
        return Value::Undefined;
    }
    let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    let (left, right, delimiters) = match texts.as_deref() {
        Some([left, right]) => (*left, *right, ""),
        Some([left, right, delimiters]) => (*left, *right, *delimiters),
        _ => return Value::Error,
    };
    if !evaluator.pay((left.len() + right.len()) / 8) {
        return Value::Error;
    }
    let delimiters = if delimiters.is_empty() { " ," } else { delimiters };
    let right: HashSet<&str> =
        right.split(|symbol| delimiters.contains(symbol)).filter(|item| !item.is_empty()).collect();
    Value::Bool(left.split(|symbol| delimiters.contains(symbol)).any(|item| right.contains(item)))
}
