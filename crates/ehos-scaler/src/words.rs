//! Writes durations and counts the way a person would say them.
//!
//! Deliberately for reasons and reports only: nothing is decided from these words.

use std::time::Duration;

/// Writes `45s`, `5m12s`, `5m`, `2h03m`, `3d`: two units at most.
pub(crate) fn span(time: Duration) -> String {
    let s = time.as_secs();
    let two = |big: u64, unit: char, small: u64, small_unit: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small:02}{small_unit}") }
    };
    match s {
        0..60 => format!("{s}s"),
        60..3600 => two(s / 60, 'm', s % 60, 's'),
        3600..86_400 => two(s / 3600, 'h', s % 3600 / 60, 'm'),
        _ => two(s / 86_400, 'd', s % 86_400 / 3600, 'h'),
    }
}

/// Writes `1 job`, `2 jobs`.
pub(crate) fn count(n: u64, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

/// Gives the ending of a verb: one job wait*s*, two jobs wait.
pub(crate) const fn verb_s(n: u64) -> &'static str {
    if n == 1 { "s" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_sentence() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (312, "5m12s"),
            (3600, "1h"),
            (7380, "2h03m"),
            (86_400 * 3, "3d"),
            (86_400 + 7200, "1d02h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(0, "job"), "0 jobs");
    }
}
