//! Arguments and environments of jobs, in the old and the new quoting of submit files.
//!
//! Deliberately without the outer double quotes of submit files: these are the forms that ads carry.

use std::collections::BTreeMap;

use super::Args;
use super::strings::list;
use crate::eval::{Evaluator, MAX_TEXT};
use crate::{Expr, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

/// Splits at blanks outside single quotes; two single quotes inside are one. `None` if a quote stays open.
fn split_v2(text: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut item: Option<String> = None;
    let mut symbols = text.chars().peekable();
    let mut quoted = false;
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\'' if quoted && symbols.peek() == Some(&'\'') => {
                symbols.next();
                item.get_or_insert_default().push('\'');
            }
            '\'' => {
                quoted = !quoted;
                item.get_or_insert_default();
            }
            ' ' | '\t' | '\n' | '\r' if !quoted => items.extend(item.take()),
            other => item.get_or_insert_default().push(other),
        }
    }
    items.extend(item);
    (!quoted).then_some(items)
}

/// Writes one item so that [`split_v2`] reads it again: blanks and quotes are put in quotes, neighbours together.
fn put_v2(out: &mut String, item: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    if item.is_empty() {
        out.push_str("''");
    }
    let mut quoted = false;
    for symbol in item.chars() {
        let special = matches!(symbol, '\'' | ' ' | '\t' | '\n' | '\r');
        if special != quoted {
            out.push('\'');
            quoted = special;
        }
        if symbol == '\'' {
            out.push('\'');
        }
        out.push(symbol);
    }
    if quoted {
        out.push('\'');
    }
}

/// Gives the version of the quoting, 1 or 2.
fn version(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Option<i64> {
    match args.len() {
        1 => Some(2),
        2 => args.get(evaluator, 1).as_int().filter(|version| matches!(version, 1 | 2)),
        _ => None,
    }
}

pub(super) fn args_to_list(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(version) = version(evaluator, args) else { return Value::Error };
    let Value::String(text) = args.get(evaluator, 0) else { return Value::Error };
    if !evaluator.pay(text.len() / 8) {
        return Value::Error;
    }
    if version == 1 {
        return list(text.split_ascii_whitespace());
    }
    split_v2(&text).map_or(Value::Error, list)
}

pub(super) fn list_to_args(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(version) = version(evaluator, args) else { return Value::Error };
    let Value::List(items) = args.get(evaluator, 0) else { return Value::Error };
    let mut out = String::new();
    for item in items.exprs() {
        let Value::String(item) = argument(evaluator, item, args) else { return Value::Error };
        if version == 2 {
            put_v2(&mut out, &item);
        } else if item.contains(char::is_whitespace) || item.is_empty() {
            return Value::Error;
        } else {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&item);
        }
        if out.len() > MAX_TEXT {
            return Value::Error;
        }
    }
    Value::string(out)
}

fn argument(evaluator: Eval<'_, '_>, item: &Expr, args: &Args<'_>) -> Value {
    let value = evaluator.eval(item, args.scope);
    let length = value.as_str().map_or(0, str::len);
    if evaluator.pay(1 + length / 16) { value } else { Value::Error }
}

/// An environment, in the order of its names.
#[derive(Default)]
struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    /// Takes `NAME=value`; a lone `$$(…)` is kept as it is. False for anything else.
    fn put(&mut self, entry: &str) -> bool {
        match entry.split_once('=') {
            Some(("", _)) => return false,
            Some((name, value)) => {
                self.0.insert(name.to_owned(), Some(value.to_owned()));
            }
            None if entry.contains("$$") => {
                self.0.insert(entry.to_owned(), None);
            }
            None => return false,
        }
        true
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.0 {
            match value {
                Some(value) => put_v2(&mut out, &format!("{name}={value}")),
                None => put_v2(&mut out, name),
            }
        }
        out
    }
}

pub(super) fn env_v1_to_v2(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let text = match args.only(evaluator) {
        Some(Value::Undefined) => return Value::Undefined,
        Some(Value::String(text)) if evaluator.pay(text.len() / 8) => text,
        _ => return Value::Error,
    };
    let mut environment = Environment::default();
    // One of these in front is the delimiter; brackets, quotes, `.`, `=` and what names consist of are none.
    let delimiter = text.chars().next().filter(|first| "!#$%&*+,-/:;<>?@^`|~".contains(*first));
    for entry in text.split([delimiter.unwrap_or(';'), '\n']) {
        let entry = entry.trim_start_matches([' ', '\t', '\n', '\r']);
        if !entry.is_empty() && !environment.put(entry) {
            return Value::Error;
        }
    }
    Value::string(environment.text())
}

pub(super) fn merge_environment(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let mut environment = Environment::default();
    for item in args.exprs {
        let text = match argument(evaluator, item, args) {
            Value::Undefined => continue,
            Value::String(text) => text,
            _ => return Value::Error,
        };
        let entries = split_v2(&text);
        if !entries.is_some_and(|entries| entries.iter().all(|entry| environment.put(entry))) {
            return Value::Error;
        }
    }
    Value::string(environment.text())
}
