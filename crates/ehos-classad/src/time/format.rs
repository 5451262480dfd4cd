//! Writes times: as literals, and as C's `strftime` does.
//!
//! Deliberately in the C locale and in a zone that is always called UTC, as HTCondor's `formatTime` is.

use std::fmt::Write as _;

use super::{Civil, civil, clock, days_from_civil};
use crate::AbsTime;
use crate::number::percent_g;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Writes a date as C's `strftime` does in the C locale; the zone is always called UTC. At most 1022 bytes, as
/// HTCondor's: longer ones are empty.
pub(crate) fn format_time(time: Civil, format: &str) -> String {
    let mut out = String::new();
    put_time(&mut out, time, format);
    if out.len() > 1_022 { String::new() } else { out }
}

fn put_time(out: &mut String, time: Civil, format: &str) {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let mut symbols = after.chars();
        let Some(letter) = symbols.next() else {
            out.push('%');
            return;
        };
        rest = symbols.as_str();
        put_field(out, time, letter);
    }
    out.push_str(rest);
}

fn put_field(out: &mut String, time: Civil, letter: char) {
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or("?")
    };
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let (weekday, yearday) = (time.weekday(), time.day_of_year());
    let hour12 = if time.hour % 12 == 0 { 12 } else { time.hour % 12 };
    let noon = if time.hour < 12 { "AM" } else { "PM" };
    let (iso_year, iso_week) = iso_week(time);
    // Writing to a string cannot fail.
    let _ = match letter {
        'a' => out.write_str(short(name(&DAYS, weekday))),
        'A' => out.write_str(name(&DAYS, weekday)),
        'b' | 'h' => out.write_str(short(name(&MONTHS, time.month - 1))),
        'B' => out.write_str(name(&MONTHS, time.month - 1)),
        'c' => {
            put_time(out, time, "%a %b %e %H:%M:%S %Y");
            Ok(())
        }
        'C' => write!(out, "{:02}", time.year.div_euclid(100)),
        'd' => write!(out, "{:02}", time.day),
        'D' | 'x' => write!(out, "{:02}/{:02}/{:02}", time.month, time.day, time.year.rem_euclid(100)),
        'e' => write!(out, "{:2}", time.day),
        'F' => write!(out, "{}-{:02}-{:02}", time.year, time.month, time.day),
        'g' => write!(out, "{:02}", iso_year.rem_euclid(100)),
        'G' => write!(out, "{iso_year}"),
        'H' => write!(out, "{:02}", time.hour),
        'I' => write!(out, "{hour12:02}"),
        'j' => write!(out, "{:03}", yearday + 1),
        'k' => write!(out, "{:2}", time.hour),
        'l' => write!(out, "{hour12:2}"),
        'm' => write!(out, "{:02}", time.month),
        'M' => write!(out, "{:02}", time.minute),
        'n' => out.write_str("\n"),
        'p' => out.write_str(noon),
        'P' => out.write_str(&noon.to_ascii_lowercase()),
        'r' => write!(out, "{hour12:02}:{:02}:{:02} {noon}", time.minute, time.second),
        'R' => write!(out, "{:02}:{:02}", time.hour, time.minute),
        's' => write!(out, "{}", time.seconds()),
        'S' => write!(out, "{:02}", time.second),
        't' => out.write_str("\t"),
        'T' | 'X' => write!(out, "{:02}:{:02}:{:02}", time.hour, time.minute, time.second),
        'u' => write!(out, "{}", if weekday == 0 { 7 } else { weekday }),
        'U' => write!(out, "{:02}", (yearday + 7 - weekday) / 7),
        'V' => write!(out, "{iso_week:02}"),
        'w' => write!(out, "{weekday}"),
        'W' => write!(out, "{:02}", (yearday + 7 - (weekday + 6) % 7) / 7),
        'y' => write!(out, "{:02}", time.year.rem_euclid(100)),
        'Y' => write!(out, "{}", time.year),
        'z' => out.write_str("+0000"),
        'Z' => out.write_str("UTC"),
        '%' => out.write_str("%"),
        other => write!(out, "%{other}"),
    };
}

/// Gives the year and week of ISO 8601.
fn iso_week(time: Civil) -> (i64, i64) {
    let monday_based = (time.weekday() + 6) % 7;
    let week = (time.day_of_year() - monday_based + 10) / 7;
    if week < 1 {
        let last = Civil { year: time.year - 1, month: 12, day: 31, ..Civil::default() };
        return iso_week(last);
    }
    let thursday_next = Civil { year: time.year + 1, month: 1, day: 4, ..Civil::default() };
    let first_of_next = days_from_civil(thursday_next.year, 1, 4) - (thursday_next.weekday() + 6) % 7;
    if days_from_civil(time.year, time.month, time.day) >= first_of_next {
        return (time.year + 1, 1);
    }
    (time.year, week)
}

/// Writes an instant as `2024-01-02T03:04:05+01:00`.
pub(crate) fn abs_time_text(time: AbsTime) -> String {
    let local = civil(time.seconds.saturating_add(i64::from(time.offset)));
    let sign = if time.offset > 0 { '+' } else { '-' };
    let minutes = time.offset.unsigned_abs() / 60;
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        local.year,
        local.month,
        local.day,
        local.hour,
        local.minute,
        local.second,
        minutes / 60,
        minutes % 60
    )
}

/// Writes a duration as `[-][[[days+]hh:]mm:]ss[.fff]`.
pub(crate) fn rel_time_text(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let parts = clock(seconds);
    let fraction = seconds.abs().fract();
    let second = if fraction > 0.0 && fraction.is_finite() {
        let text = percent_g(f64::from(parts.second) + fraction, 6);
        if text.len() < 2 { format!("0{text}") } else { text }
    } else {
        format!("{:02}", parts.second)
    };
    if parts.days != 0 {
        format!("{sign}{}+{:02}:{:02}:{second}", parts.days, parts.hour, parts.minute)
    } else if parts.hour != 0 {
        format!("{sign}{:02}:{:02}:{second}", parts.hour, parts.minute)
    } else if parts.minute != 0 {
        format!("{sign}{:02}:{second}", parts.minute)
    } else {
        format!("{sign}{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strftime() {
        let format = "%a %A %b %B %c %d %H %I %j %m %M %p %S %U %w %W %x %X %y %Y %Z %% %V %G %u %e %Q %";
        let expected = "Tue Tuesday Nov November Tue Nov 14 22:13:20 2023 14 22 10 318 11 13 PM 20 46 2 46 \
                        11/14/23 22:13:20 23 2023 UTC % 46 2023 2 14 %Q %";
        assert_eq!(format_time(civil(1_700_000_000), format), expected);
    }
}
