//! Calendar and clock: instants into dates, texts into times, dates into texts.
//!
//! Deliberately without clock and without time zone database: a zone is a number of seconds east of Greenwich, and
//! texts that name none are taken for UTC.

mod format;

use crate::AbsTime;
use crate::number::real_to_int;

pub(crate) use format::{abs_time_text, format_time, rel_time_text};

/// A date and time of day, as C's `struct tm` has it, but with true numbers for year and month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

const DAY: i64 = 86_400;

/// Gives the date and time of day, in UTC, of seconds since 1970.
pub(crate) fn civil(seconds: i64) -> Civil {
    // The algorithm counts in eras of 400 years that begin on the first of March.
    let days = seconds.div_euclid(DAY) + 719_468;
    let within = seconds.rem_euclid(DAY);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted + 2) / 5 + 1,
        hour: within / 3_600,
        minute: within / 60 % 60,
        second: within % 60,
    }
}

/// Gives the day's number since 1970; months and days beyond their range count on.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 + day - 1
}

impl Civil {
    /// Gives seconds since 1970, of UTC.
    fn seconds(self) -> i64 {
        let day = days_from_civil(self.year, self.month, self.day).saturating_mul(DAY);
        day.saturating_add(self.hour * 3_600 + self.minute * 60 + self.second)
    }

    /// From Sunday, 0.
    pub(crate) fn weekday(self) -> i64 {
        (days_from_civil(self.year, self.month, self.day) + 4).rem_euclid(7)
    }

    /// From 0.
    pub(crate) fn day_of_year(self) -> i64 {
        days_from_civil(self.year, self.month, self.day) - days_from_civil(self.year, 1, 1)
    }
}

/// A duration in parts, without its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) days: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i32,
}

/// Splits the whole seconds of a duration.
pub(crate) fn clock(seconds: f64) -> Clock {
    // What does not fit has become the smallest integer.
    let whole = real_to_int(seconds.abs()).checked_abs().unwrap_or(i64::MAX);
    Clock {
        days: whole / DAY,
        hour: whole / 3_600 % 24,
        minute: whole / 60 % 60,
        second: i32::try_from(whole % 60).unwrap_or(0),
    }
}

/// Reads `2024-01-02T03:04:05+01:00` and what resembles it: digits in this order, whatever is between them.
pub(crate) fn parse_abs_time(text: &str) -> Option<AbsTime> {
    let trimmed = text.trim_end();
    let (date, offset) = zone(trimmed);
    let mut digits = Digits(date.as_bytes());
    let mut fields = [0_i64; 6];
    for (index, field) in fields.iter_mut().enumerate() {
        *field = match digits.take(if index == 0 { 4 } else { 2 }) {
            Some(value) => value,
            // Without a month it is the month before January, and without a day the day before the first.
            None if index == 0 => return None,
            None => i64::from(index == 1),
        };
    }
    if digits.more() {
        return None;
    }
    let [year, month, day, hour, minute, second] = fields;
    let date = Civil { year, month, day, hour, minute, second };
    // Fields beyond their range count on, but not out of the years that are written with four digits.
    let seconds = date.seconds();
    if !(0..=9_999).contains(&civil(seconds).year) {
        return None;
    }
    Some(AbsTime { seconds: seconds - i64::from(offset), offset })
}

/// Splits off a time zone.
fn zone(text: &str) -> (&str, i32) {
    if let Some(date) = text.strip_suffix(['z', 'Z']) {
        return (date, 0);
    }
    for length in [5, 6] {
        let Some((date, zone)) = text.len().checked_sub(length).and_then(|at| text.split_at_checked(at))
        else {
            continue;
        };
        let sign = match zone.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => continue,
        };
        let hour = zone.get(1..3).and_then(|digits| digits.parse::<u8>().ok());
        let minute =
            zone.get(length - 2..).and_then(|digits| digits.parse::<u8>().ok().filter(|minute| *minute < 60));
        let colon = length == 5 || zone.as_bytes().get(3) == Some(&b':');
        if let (Some(hour), Some(minute), true, false) = (hour, minute, colon, date.is_empty()) {
            return (date, sign * (i32::from(hour) * 3_600 + i32::from(minute) * 60));
        }
    }
    (text, 0)
}

struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn more(&mut self) -> bool {
        let skipped = self.0.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        self.0 = self.0.get(skipped..).unwrap_or_default();
        !self.0.is_empty()
    }

    /// Takes a number of that many characters.
    fn take(&mut self, length: usize) -> Option<i64> {
        if !self.more() {
            return None;
        }
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit());
        Some(digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }
}

/// Reads `[-][[[days+]hh:]mm:]ss[.fff]`, and `1d 2h 3m 4s`.
pub(crate) fn parse_rel_time(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    // From the end: seconds may stand without a unit, the others may not.
    let units: [(&[char], f64); 4] = [
        (&['s', 'S'], 1.0),
        (&['m', 'M', ':'], 60.0),
        (&['h', 'H', ':'], 3_600.0),
        (&['d', 'D', '+'], 86_400.0),
    ];
    for (index, (marks, factor)) in units.into_iter().enumerate() {
        let marked = rest.strip_suffix(marks);
        let body = match marked {
            Some(body) => body.trim_end(),
            None if index == 0 && rest.ends_with(|last: char| last.is_ascii_digit()) => rest,
            None => continue,
        };
        let belongs = |symbol: char| symbol.is_ascii_digit() || index == 0 && symbol == '.';
        let kept = body.trim_end_matches(belongs);
        let digits = body.get(kept.len()..).unwrap_or_default();
        total += digits.parse::<f64>().unwrap_or(0.0) * factor;
        rest = kept.trim_end();
    }
    let negative = rest.ends_with('-');
    let rest = if negative { rest.get(..rest.len() - 1).unwrap_or_default() } else { rest };
    rest.trim_end().is_empty().then_some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        for seconds in [0, 951_782_400, 1_700_000_000, -1, -86_401, 4_102_444_800, -62_135_596_800] {
            assert_eq!(civil(seconds).seconds(), seconds);
        }
        assert_eq!((civil(0).weekday(), civil(0).day_of_year()), (4, 0));
    }

    #[test]
    fn absolute_times() {
        let rows: &[(&str, Option<(i64, i32)>)] = &[
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("1970-01-01T01:00:00+01:00", Some((0, 3600))),
            ("1970-01-01T00:00:00-0130", Some((5400, -5400))),
            ("1970-01-01 00:01:00", Some((60, 0))),
            ("1970-01-02", Some((86400, 0))),
            ("1970", Some((-86400, 0))),
            ("x", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = parse_abs_time(text).map(|time| (time.seconds, time.offset));
            assert_eq!(found, *expected, "{text:?}");
        }
    }

    #[test]
    fn relative_times() {
        let rows: &[(&str, Option<f64>)] = &[
            ("1+02:03:04", Some(93_784.0)),
            ("02:03:04.5", Some(7_384.5)),
            ("5", Some(5.0)),
            ("2h3m", Some(7_380.0)),
            ("2h 3m 4s", Some(7_384.0)),
            ("1d2h", Some(93_600.0)),
            ("-1:00", Some(-60.0)),
            ("", Some(0.0)),
            ("x", None),
            ("1x", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_rel_time(text), *expected, "{text:?}");
        }
    }
}
