//! The time, and what times are made of and written as.
//!
//! Deliberately takes "now" and the local zone from the context.

use super::Args;
use crate::eval::Evaluator;
use crate::number::{int_to_real, low_half, real_to_int};
use crate::time::{Civil, civil, clock, format_time};
use crate::{AbsTime, Ad, Value};

type Eval<'e, 'c> = &'e mut Evaluator<'c>;

fn without_arguments(args: &Args<'_>, value: Value) -> Value {
    if args.len() == 0 { value } else { Value::Error }
}

fn now(evaluator: &Evaluator<'_>) -> AbsTime {
    AbsTime { seconds: evaluator.context.now, offset: evaluator.context.utc_offset }
}

fn local(time: AbsTime) -> Civil {
    civil(time.seconds.saturating_add(i64::from(time.offset)))
}

pub(super) fn time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    without_arguments(args, Value::Int(evaluator.context.now))
}

pub(super) fn current_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    without_arguments(args, Value::AbsTime(now(evaluator)))
}

pub(super) fn time_zone_offset(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    without_arguments(args, Value::RelTime(f64::from(evaluator.context.utc_offset)))
}

pub(super) fn day_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let time = local(now(evaluator));
    let seconds = time.hour * 3_600 + time.minute * 60 + time.second;
    without_arguments(args, Value::RelTime(int_to_real(seconds)))
}

pub(super) fn abs_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    if args.len() == 0 {
        return Value::AbsTime(now(evaluator));
    }
    let Some(values) = args.all(evaluator, 1..=2) else { return Value::Error };
    let offset = match values.get(1) {
        None => Some(evaluator.context.utc_offset),
        Some(Value::Int(seconds)) => i32::try_from(*seconds).ok(),
        Some(Value::Real(seconds) | Value::RelTime(seconds)) => i32::try_from(real_to_int(*seconds)).ok(),
        Some(_) => None,
    };
    let Some(offset) = offset else { return Value::Error };
    if offset == -1 && values.len() == 2 && matches!(values.first(), Some(Value::Int(_))) {
        return evaluator.give_up();
    }
    match values.into_iter().next() {
        Some(Value::Undefined) => Value::Undefined,
        Some(Value::Int(seconds)) => Value::AbsTime(AbsTime { seconds, offset }),
        Some(Value::Real(seconds) | Value::RelTime(seconds)) => {
            Value::AbsTime(AbsTime { seconds: real_to_int(seconds), offset })
        }
        // Only a string in the text of an expression is read as a time; one that was computed stays a string.
        Some(value @ (Value::AbsTime(_) | Value::String(_))) => value,
        _ => Value::Error,
    }
}

pub(super) fn rel_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    match args.only(evaluator) {
        Some(Value::Undefined) => Value::Undefined,
        Some(Value::Int(seconds)) => Value::RelTime(int_to_real(seconds)),
        Some(Value::Real(seconds) | Value::RelTime(seconds)) => Value::RelTime(seconds),
        Some(Value::AbsTime(time)) => Value::RelTime(int_to_real(time.seconds)),
        Some(Value::String(_)) => Value::RelTime(0.0),
        _ => Value::Error,
    }
}

/// Takes a field of an instant, in local time, or of a duration.
fn field(
    evaluator: Eval<'_, '_>,
    args: &Args<'_>,
    of_time: Option<fn(Civil) -> i64>,
    of_duration: Option<fn(i64) -> i64>,
) -> Value {
    let value = args.only(evaluator);
    let offset = evaluator.context.utc_offset;
    let field = match value {
        Some(Value::AbsTime(time)) => of_time.map(|of| of(local(AbsTime { offset, ..time }))),
        Some(Value::RelTime(seconds)) => of_duration.map(|of| of(real_to_int(seconds))),
        _ => None,
    };
    field.map_or(Value::Error, Value::Int)
}

pub(super) fn year(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.year), None)
}

pub(super) fn month(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.month), None)
}

pub(super) fn day_of_year(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(Civil::day_of_year), None)
}

pub(super) fn day_of_month(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.day), None)
}

pub(super) fn day_of_week(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(Civil::weekday), None)
}

pub(super) fn days(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, None, Some(|seconds| seconds / 86_400))
}

pub(super) fn hours(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.hour), Some(|seconds| seconds % 86_400 / 3_600))
}

pub(super) fn minutes(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.minute), Some(|seconds| seconds % 3_600 / 60))
}

pub(super) fn seconds(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    field(evaluator, args, Some(|time| time.second), Some(|seconds| seconds % 60))
}

/// Takes what counts as an instant: such a value or a number of seconds since 1970.
fn instant(evaluator: &Evaluator<'_>, value: &Value) -> Option<AbsTime> {
    let offset = evaluator.context.utc_offset;
    match value {
        Value::AbsTime(time) => Some(*time),
        Value::Int(seconds) => Some(AbsTime { seconds: *seconds, offset }),
        Value::Real(seconds) => Some(AbsTime { seconds: real_to_int(*seconds), offset }),
        _ => None,
    }
}

pub(super) fn split_time(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(value) = args.only(evaluator) else { return Value::Error };
    let ad: Ad = if let Some(time) = instant(evaluator, &value) {
        let local = local(time);
        let fields = [
            ("Year", local.year),
            ("Month", local.month),
            ("Day", local.day),
            ("Hours", local.hour),
            ("Minutes", local.minute),
            ("Seconds", local.second),
            ("Offset", i64::from(time.offset)),
        ];
        let kind = ("Type", Value::string("AbsoluteTime"));
        std::iter::once(kind).chain(fields.map(|(name, field)| (name, Value::Int(field)))).collect()
    } else if let Value::RelTime(seconds) = value {
        split_duration(seconds)
    } else {
        return if value.is_undefined() { Value::Undefined } else { Value::Error };
    };
    Value::from(ad)
}

/// The sign goes to the first part that is not zero.
fn split_duration(seconds: f64) -> Ad {
    let parts = clock(seconds);
    let mut fields = [parts.days, parts.hour, parts.minute];
    let mut rest = f64::from(parts.second) + seconds.abs().fract();
    if seconds < 0.0 {
        match fields.iter_mut().find(|field| **field > 0) {
            Some(first) => *first = -*first,
            None => rest = -rest,
        }
    }
    let [days, hours, minutes] = fields.map(Value::Int);
    [
        ("Type", Value::string("RelativeTime")),
        ("Days", days),
        ("Hours", hours),
        ("Minutes", minutes),
        ("Seconds", Value::Real(rest)),
    ]
    .into_iter()
    .collect()
}

pub(super) fn format(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let time = match args.len() {
        0 => local(now(evaluator)),
        1 | 2 => match args.get(evaluator, 0) {
            Value::Ad(ad) => {
                let mut part = |name: &str, missing: i64| {
                    let expr = ad.ad().get(name).cloned();
                    let part = expr.and_then(|expr| evaluator.eval(&expr, Some(&ad.0)).as_int());
                    part.map_or(missing, low_half)
                };
                Civil {
                    year: part("Year", 1900),
                    month: part("Month", 1),
                    day: part("Day", 0),
                    hour: part("Hours", 0),
                    minute: part("Minutes", 0),
                    second: part("Seconds", 0),
                }
            }
            other => match instant(evaluator, &other) {
                Some(time) => local(time),
                None => return Value::Error,
            },
        },
        _ => return Value::Error,
    };
    if args.len() < 2 {
        return Value::string(format_time(time, "%c"));
    }
    match args.get(evaluator, 1) {
        Value::String(format) if evaluator.pay(format.len() / 4) => Value::string(format_time(time, &format)),
        _ => Value::Error,
    }
}

/// Writes seconds as `days+hh:mm:ss`, without what is zero in front.
pub(super) fn interval(evaluator: Eval<'_, '_>, args: &Args<'_>) -> Value {
    let Some(Value::Int(total)) = args.only(evaluator).map(|value| value.to_int()) else {
        return Value::Error;
    };
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    Value::string(if days != 0 {
        format!("{days}+{:02}:{:02}:{:02}", hours.abs(), minutes.abs(), seconds.abs())
    } else if hours != 0 {
        format!("{hours}:{:02}:{:02}", minutes.abs(), seconds.abs())
    } else if minutes != 0 {
        format!("{minutes}:{:02}", seconds.abs())
    } else {
        seconds.to_string()
    })
}
