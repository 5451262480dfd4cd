//! Reads and writes times and sizes as people write them.
//!
//! Deliberately in whole numbers: no rounding but up to the next MiB.

use std::time::Duration;

use ehos_model::Mebibytes;

use crate::keys::Unit;

/// Writes a time as one would in the file: `1h 30m`.
pub(crate) fn spell(time: Duration) -> String {
    let mut seconds = time.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if seconds >= length {
            parts.push(format!("{}{unit}", seconds / length));
            seconds %= length;
        }
    }
    if time.subsec_millis() > 0 {
        parts.push(format!("{}ms", time.subsec_millis()));
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Reads a decimal number as a whole one and what it is to be divided by.
fn decimal(text: &str) -> Option<(u128, u128)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || (text.contains('.') && part.is_empty()) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    Some((format!("{whole}{part}").parse().ok()?, scale))
}

/// Reads `30`, `0.5`, `5m`, `1h 30m`, `7 days`; at most a hundred years.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0_u128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(rest.len());
        let (digits, after) = rest.split_at_checked(number)?;
        let after = after.trim_start();
        let unit = after.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let length = match unit {
            "ms" => 1,
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 604_800_000,
            _ => return None,
        };
        if unit.is_empty() && (rest != text.trim() || !after.is_empty()) {
            return None;
        }
        let (number, scale) = decimal(digits)?;
        millis = millis.checked_add(number.checked_mul(length)? / scale)?;
        rest = after.trim_start();
    }
    let hundred_years = 100 * 366 * 86_400_000;
    u64::try_from(millis).ok().filter(|millis| *millis <= hundred_years).map(Duration::from_millis)
}

/// Reads `8`, `1.5`, `8GiB`, `512 MB`; G and GB count as GiB, as HTCondor and OpenStack count. Rounds up to whole MiB.
pub(crate) fn size(text: &str, bare: Unit) -> Option<Mebibytes> {
    let number = text.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(number)?;
    let kibibytes: u128 = match (unit.trim().to_ascii_lowercase().as_str(), bare) {
        ("k" | "kb" | "kib", _) => 1,
        ("m" | "mb" | "mib", _) | ("", Unit::Mebibytes) => 1024,
        ("g" | "gb" | "gib", _) | ("", Unit::Gibibytes) => 1024 * 1024,
        ("t" | "tb" | "tib", _) => 1024 * 1024 * 1024,
        _ => return None,
    };
    let (number, scale) = decimal(digits)?;
    let mebibytes = number.checked_mul(kibibytes)?.div_ceil(scale.checked_mul(1024)?);
    u64::try_from(mebibytes).ok().filter(|size| *size <= 1 << 40).map(Mebibytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [
            ("0", Some(0)),
            ("30", Some(30_000)),
            ("0.5", Some(500)),
            ("500ms", Some(500)),
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m 5s", Some(5_405_000)),
            ("2 days", Some(172_800_000)),
            ("1w", Some(604_800_000)),
            ("100 weeks", Some(60_480_000_000)),
            ("", None),
            ("-5", None),
            ("5x", None),
            ("m", None),
            ("1h30", None),
            ("5.", None),
            (".5", None),
            ("1.2.3s", None),
            ("1e3", None),
            ("999999999999w", None),
            ("9999999999999999999999", None),
            ("5mø", None),
        ] {
            assert_eq!(duration(text).map(|time| time.as_millis()), millis, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for seconds in [0, 1, 59, 60, 61, 3600, 86_400, 90_061, 604_800] {
            let time = Duration::from_secs(seconds);
            assert_eq!(duration(&spell(time)), Some(time), "{}", spell(time));
        }
        assert_eq!(spell(Duration::from_millis(1500)), "1s 500ms");
    }

    #[test]
    fn sizes() {
        for (text, mebibytes) in [
            ("8", Some(8192)),
            ("0", Some(0)),
            ("1.5", Some(1536)),
            ("8GiB", Some(8192)),
            ("8 gb", Some(8192)),
            ("8G", Some(8192)),
            ("512 MiB", Some(512)),
            ("1KiB", Some(1)),
            ("1T", Some(1 << 20)),
            ("", None),
            ("GiB", None),
            ("-1", None),
            ("8 apples", None),
            ("8 GiB more", None),
            ("999999999999T", None),
        ] {
            assert_eq!(size(text, Unit::Gibibytes).map(|size| size.0), mebibytes, "{text:?}");
        }
        assert_eq!(size("512", Unit::Mebibytes), Some(Mebibytes(512)));
    }
}
