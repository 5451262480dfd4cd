//! Regular expressions: matching and substitution.
//!
//! Deliberately without look-around and back-references, so that every match takes linear time; a pattern that needs
//! them, or that is huge, is an error as a malformed one is.

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::Args;
use super::string_lists::tokens;
use crate::Value;
use crate::eval::{Evaluator, MAX_TEXT};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

/// How large a compiled pattern may be, in bytes.
const PATTERN_SIZE: usize = 1 << 17;

/// Compiles a pattern, and pays for it.
pub(super) fn compile(evaluator: Eval<'_, '_>, pattern: &str, options: &str) -> Option<Regex> {
    if !evaluator.pay(400 + 10 * pattern.len()) {
        return None;
    }
    let has = |option| options.contains(option);
    RegexBuilder::new(pattern)
        .unicode(false)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .ok()
}

/// Gives the text to search. In PCRE, `$` also matches before a newline that ends the text; here it does not, so the
/// text goes without that newline where it matches only so.
fn haystack<'t>(regex: &Regex, text: &'t str) -> &'t [u8] {
    match text.strip_suffix('\n') {
        Some(line) if regex.as_str().contains('$') && !regex.is_match(text.as_bytes()) => line.as_bytes(),
        _ => text.as_bytes(),
    }
}

/// Evaluates arguments that all must be strings: an error wins over undefined, and that over another type.
fn texts(
    evaluator: Eval<'_, '_>,
    args: &Args<'_>,
    counts: std::ops::RangeInclusive<usize>,
) -> Result<Vec<Value>, Value> {
    let Some(values) = args.all(evaluator, counts) else { return Err(Value::Error) };
    if values.iter().any(Value::is_error) {
        return Err(Value::Error);
    }
    if values.iter().any(Value::is_undefined) {
        return Err(Value::Undefined);
    }
    Ok(values)
}

pub(super) fn regexp(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let values = match texts(evaluator, args, 2..=3) {
        Ok(values) => values,
        Err(value) => return value,
    };
    match values.iter().map(Value::as_str).collect::<Vec<_>>().as_slice() {
        [Some(pattern), Some(text), options @ ..] if !options.contains(&None) => {
            let options = options.first().copied().flatten().unwrap_or_default();
            found(evaluator, pattern, text, options).map_or(Value::Error, Value::Bool)
        }
        _ => Value::Error,
    }
}

fn found(evaluator: Eval<'_, '_>, pattern: &str, text: &str, options: &str) -> Option<bool> {
    let regex = compile(evaluator, pattern, options)?;
    evaluator.pay(text.len() / 32).then(|| regex.is_match(haystack(&regex, text)))
}

/// Looks for an element that matches; one that is undefined might.
pub(super) fn regexp_member(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let values = match texts(evaluator, args, 2..=3) {
        Ok(values) => values,
        Err(value) => return value,
    };
    let (pattern, list, options) = match values.as_slice() {
        [Value::String(pattern), Value::List(list)] => (pattern, list, ""),
        [Value::String(pattern), Value::List(list), Value::String(options)] => (pattern, list, &**options),
        _ => return Value::Error,
    };
    let regex = compile(evaluator, pattern, options);
    let mut unknown = false;
    for item in list.exprs() {
        match evaluator.eval(item, args.scope) {
            Value::String(text) if evaluator.pay(1 + text.len() / 64) => {
                // HTCondor passes over a malformed pattern here.
                if regex.as_ref().is_some_and(|regex| regex.is_match(haystack(regex, &text))) {
                    return Value::Bool(true);
                }
            }
            Value::Undefined => unknown = true,
            _ => return Value::Error,
        }
    }
    if unknown { Value::Undefined } else { Value::Bool(false) }
}

pub(super) fn regexps(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    substitution(evaluator, args, "")
}

pub(super) fn replace(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    substitution(evaluator, args, "f")
}

pub(super) fn replace_all(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    substitution(evaluator, args, "fg")
}

fn substitution(evaluator: Eval<'_, '_>, args: &Args<'_>, implied: &str) -> Value {
    let values = match texts(evaluator, args, 3..=4) {
        Ok(values) => values,
        Err(value) => return value,
    };
    let (pattern, text, with, options) = match values.iter().map(Value::as_str).collect::<Vec<_>>().as_slice()
    {
        [Some(pattern), Some(text), Some(with)] => (*pattern, *text, *with, ""),
        [Some(pattern), Some(text), Some(with), Some(options)] => (*pattern, *text, *with, *options),
        _ => return Value::Error,
    };
    let options = format!("{options}{implied}");
    match compile(evaluator, pattern, &options) {
        Some(regex) if evaluator.pay(text.len() / 32) => substitute(evaluator, &regex, text, with, &options)
            .map_or(Value::Error, |bytes| Value::string(String::from_utf8_lossy(&bytes))),
        _ => Value::Error,
    }
}

/// Puts `with` in the place of the first match, or with `g` of all; without `f` what did not match is left out.
fn substitute(
    evaluator: Eval<'_, '_>,
    regex: &Regex,
    text: &str,
    with: &str,
    options: &str,
) -> Option<Vec<u8>> {
    let (whole, all) = (options.contains('f'), options.contains('g'));
    let (text, searched) = (text.as_bytes(), haystack(regex, text));
    let mut out = Vec::new();
    let mut end = 0;
    while let Some(captures) = regex.captures_at(searched, end) {
        let place = captures.get(0)?;
        // With `g`, an empty match is an error in HTCondor.
        if all && place.is_empty() {
            return None;
        }
        if whole {
            out.extend_from_slice(text.get(end..place.start())?);
        }
        expand(&captures, with, &mut out)?;
        end = place.end();
        if out.len() > MAX_TEXT || !evaluator.pay(1 + with.len() / 64) {
            return None;
        }
        if !all {
            break;
        }
    }
    if whole {
        out.extend_from_slice(text.get(end..)?);
    }
    Some(out)
}

/// Writes the substitute; `\0` to `\9` are groups, and one after the last that matched is an error.
fn expand(captures: &Captures<'_>, with: &str, out: &mut Vec<u8>) -> Option<()> {
    let last = (0..captures.len()).rev().find(|group| captures.get(*group).is_some())?;
    let mut bytes = with.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(digit @ b'0'..=b'9') if byte == b'\\' => {
                let group = usize::from(digit - b'0');
                bytes.next();
                if group > last {
                    return None;
                }
                out.extend_from_slice(captures.get(group).map_or(&[], |group| group.as_bytes()));
            }
            _ => out.push(byte),
        }
    }
    Some(())
}

pub(super) fn string_list_regexp_member(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(values) = args.all(evaluator, 2..=4) else { return Value::Error };
    let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
    let (pattern, text, delimiters, options) = match texts.as_deref() {
        Some([pattern, text]) => (*pattern, *text, ", ", ""),
        Some([pattern, text, delimiters]) => (*pattern, *text, *delimiters, ""),
        Some([pattern, text, delimiters, options]) => (*pattern, *text, *delimiters, *options),
        _ => return Value::Error,
    };
    let Some(regex) = compile(evaluator, pattern, &options.to_ascii_lowercase()) else { return Value::Error };
    if !evaluator.pay(text.len() / 16) {
        return Value::Error;
    }
    let mut items = tokens(text, delimiters).peekable();
    if items.peek().is_none() {
        return Value::Undefined;
    }
    Value::Bool(items.any(|item| regex.is_match(haystack(&regex, item))))
}
