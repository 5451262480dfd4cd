//! What the programs of EHOS share on the terminal: their log, tables, colours, and times as people write them.
//!
//! Deliberately knows nothing of pools and clouds.

mod logging;
mod progress;

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

pub use logging::{DECISION, Sink, Verbosity, start_log};
pub use progress::{Bars, Progress};

/// Exit status where the command line or the configuration is wrong.
pub const WRONG: u8 = 2;

/// Tells whether standard error is a terminal that wants colours.
#[must_use]
pub fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Says on standard error what is no log line.
pub fn say(text: &str) {
    let _closed_pipe = writeln!(std::io::stderr(), "{text}");
}

/// Gives the number of the user who runs this; root is 0.
#[must_use]
pub fn user() -> u32 {
    std::fs::metadata("/proc/self").map_or(0, |data| data.uid())
}

/// Pads every column but the last to its widest cell.
#[must_use]
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Reads a time of the command line: seconds, or friendly as in `90s`, `10m`, `1h 30m`.
///
/// # Errors
/// In words for clap, where it is none or negative.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration; expected for example 90s, 10m or 2h");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let signed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["a", "long word", "x"], ["longer", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), ["a       long word  x", "longer  b"]);
    }

    #[test]
    fn durations_are_friendly() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h 30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "-5s", "5 parsecs"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
