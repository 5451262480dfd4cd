//! Joins, cuts, splits and compares strings.
//!
//! Deliberately counts bytes and knows no letters beyond ASCII, as HTCondor does.

use super::Args;
use crate::eval::{Evaluator, MAX_TEXT};
use crate::number::low_half;
use crate::{Expr, ListValue, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

/// Appends, and pays for it; false if that is too long.
pub(super) fn append(evaluator: Eval<'_, '_>, text: &mut String, more: &str) -> bool {
    if text.len() + more.len() > MAX_TEXT || !evaluator.pay(more.len() / 64) {
        return false;
    }
    text.push_str(more);
    true
}

/// Makes a list of strings.
pub(super) fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
    let literal = |item: S| Expr::literal(Value::string(item));
    Value::List(ListValue::unscoped(items.into_iter().map(literal)))
}

pub(super) fn strcat(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let mut joined = String::new();
    for index in 0..args.len() {
        match args.get(evaluator, index).to_text() {
            Value::String(more) if append(evaluator, &mut joined, &more) => {}
            Value::Undefined => return Value::Undefined,
            _ => return Value::Error,
        }
    }
    Value::string(joined)
}

/// Joins the other arguments with the first, or with one or two arguments the elements of the list that is last.
pub(super) fn join(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let last =
        if matches!(args.len(), 1 | 2) { args.get(evaluator, args.len() - 1) } else { Value::Undefined };
    let (separator, items): (Value, Vec<Expr>) = match (last, args.exprs) {
        (Value::List(found), [_]) => (Value::string(""), found.exprs().to_vec()),
        (Value::List(found), [_, _]) => (args.get(evaluator, 0), found.exprs().to_vec()),
        (_, [_, rest @ ..]) => (args.get(evaluator, 0), rest.to_vec()),
        (_, []) => return Value::string(""),
    };
    let separator = match separator.to_text() {
        Value::String(text) => text,
        Value::Undefined if items.is_empty() => return Value::Undefined,
        Value::Undefined => "".into(),
        _ => return Value::Error,
    };
    let mut text = String::new();
    // Undefined ones are passed over; nothing but undefined ones is undefined.
    let mut defined = items.is_empty();
    for item in &items {
        match evaluator.eval(item, args.scope).to_text() {
            Value::Undefined => {}
            Value::String(more) => {
                let between = if text.is_empty() { "" } else { &*separator };
                if !append(evaluator, &mut text, between) || !append(evaluator, &mut text, &more) {
                    return Value::Error;
                }
                defined = true;
            }
            _ => return Value::Error,
        }
        if !evaluator.pay(1) {
            return Value::Error;
        }
    }
    if defined { Value::string(text) } else { Value::Undefined }
}

pub(super) fn to_upper(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    change_case(evaluator, args, str::to_ascii_uppercase)
}

pub(super) fn to_lower(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    change_case(evaluator, args, str::to_ascii_lowercase)
}

fn change_case(evaluator: Eval<'_, '_>, args: &Args<'_>, how: fn(&str) -> String) -> Value {
    match args.only(evaluator).map(|value| value.to_text()) {
        Some(Value::String(text)) if evaluator.pay(text.len() / 64) => Value::string(how(&text)),
        Some(Value::Undefined) => Value::Undefined,
        _ => Value::Error,
    }
}

/// Cuts as Perl does: negative offsets and lengths count from the end.
pub(super) fn substr(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=3) else { return Value::Error };
    if values.iter().any(Value::is_undefined) {
        return Value::Undefined;
    }
    let (text, offset, length) = match values.as_slice() {
        [Value::String(text), Value::Int(offset)] => (text, low_half(*offset), None),
        [Value::String(text), Value::Int(offset), Value::Int(length)] => {
            (text, low_half(*offset), Some(low_half(*length)))
        }
        _ => return Value::Error,
    };
    let size = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { size.saturating_add(offset).max(0) } else { offset.min(size) };
    let left = size - start;
    let length = match length {
        None => left,
        Some(length) if length < 0 => left.saturating_add(length).max(0),
        Some(length) => length.min(left),
    };
    let range = usize::try_from(start).ok().zip(usize::try_from(start + length).ok());
    let bytes = range.and_then(|(start, end)| text.as_bytes().get(start..end)).unwrap_or_default();
    Value::string(String::from_utf8_lossy(bytes))
}

pub(super) fn strcmp(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    compare(evaluator, args, str::to_owned)
}

pub(super) fn stricmp(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    compare(evaluator, args, str::to_ascii_lowercase)
}

fn compare(evaluator: Eval<'_, '_>, args: &Args<'_>, fold: fn(&str) -> String) -> Value {
    match two_texts(evaluator, args) {
        Ok((one, two)) => Value::Int(fold(&one).as_bytes().cmp(fold(&two).as_bytes()) as i64),
        Err(value) => value,
    }
}

/// Evaluates two arguments to texts; undefined wins over error.
pub(super) fn two_texts(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Result<(String, String), Value> {
    let Some(values) = args.all(evaluator, 2..=2) else { return Err(Value::Error) };
    if values.iter().any(Value::is_undefined) {
        return Err(Value::Undefined);
    }
    match values.iter().map(Value::to_text).collect::<Vec<_>>().as_slice() {
        [Value::String(one), Value::String(two)] if evaluator.pay((one.len() + two.len()) / 64) => {
            Ok((one.to_string(), two.to_string()))
        }
        _ => Err(Value::Error),
    }
}

/// Splits at any of some characters; runs of blanks are one place, runs of another character are several.
pub(super) fn split(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 1..=2) else { return Value::Error };
    let (text, separators) = match values.as_slice() {
        [Value::String(text)] => (text, ", \t"),
        [Value::String(text), Value::String(separators)] => (text, &**separators),
        _ => return Value::Error,
    };
    if !evaluator.pay(text.len() / 8) {
        return Value::Error;
    }
    let mut items = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, symbol) in text.char_indices().filter(|(_, symbol)| separators.contains(*symbol)) {
        let item = text.get(start..at).unwrap_or_default();
        let blank = symbol.is_ascii_whitespace();
        if !item.is_empty() || !blank && before == Some(symbol) {
            items.push(item);
        }
        if !blank {
            before = Some(symbol);
        }
        start = at + symbol.len_utf8();
    }
    let rest = text.get(start..).unwrap_or_default();
    items.extend((!rest.is_empty()).then_some(rest));
    list(items)
}

pub(super) fn split_user_name(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    split_at(evaluator, args, |name| [name, ""])
}

pub(super) fn split_slot_name(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    split_at(evaluator, args, |name| ["", name])
}

fn split_at(evaluator: Eval<'_, '_>, args: &Args<'_>, whole: fn(&str) -> [&str; 2]) -> Value {
    match args.only(evaluator) {
        Some(Value::String(name)) => {
            list(name.split_once('@').map_or_else(|| whole(&name), |(user, domain)| [user, domain]))
        }
        _ => Value::Error,
    }
}
