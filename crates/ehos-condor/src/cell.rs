//! Reads the values that HTCondor's tools print with `-af:tV`: one ad a line, a tab between the values.
//!
//! Deliberately no ClassAd language: every expression is evaluated by HTCondor before it is printed.

use ehos_model::{Mebibytes, Timestamp};

/// One printed value: a number, a quoted string, `undefined`, `error`, or anything else HTCondor can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell<'a>(&'a str);

impl Cell<'_> {
    /// Gives a string's content; `None` for what is no string, and for an empty one.
    ///
    /// Under `V` the tools put a backslash before each quote and leave backslashes alone (seen in 23.9).
    pub(crate) fn text(self) -> Option<String> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.is_empty()).then(|| inner.replace("\\\"", "\""))
    }

    /// Gives a number; HTCondor prints whole ones as `1048576.0` where they were computed.
    pub(crate) fn number(self) -> Option<f64> {
        self.0.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Gives a count, rounded up; what is negative counts as nothing.
    pub(crate) fn count(self) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates at both ends, as wanted"
        )]
        let float = || self.number().map(|number| number.ceil() as u64);
        self.0.parse().ok().or_else(float)
    }

    /// Gives a count that no machine exceeds, saturating.
    pub(crate) fn count32(self) -> Option<u32> {
        self.count().map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Gives an amount that is printed in MiB.
    pub(crate) fn mebibytes(self) -> Option<Mebibytes> {
        self.count().map(Mebibytes)
    }

    /// Gives a moment that is printed in seconds since 1970.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_second(self.0.parse().ok()?).ok()
    }

    /// Tells whether it is `true`; everything else is not.
    pub(crate) fn is_true(self) -> bool {
        self.0 == "true"
    }
}

impl std::fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A line of an answer that does not have the values that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of its answer has {found} values, expected {expected}: {text}")]
pub(crate) struct BadLine {
    line: usize,
    found: usize,
    expected: usize,
    text: String,
}

/// Splits an answer into lines of exactly `N` values.
///
/// An answer that is cut off inside its last line is an error, too: half a pool is not the pool.
pub(crate) fn rows<const N: usize>(answer: &str) -> impl Iterator<Item = Result<[Cell<'_>; N], BadLine>> {
    answer.split_inclusive('\n').enumerate().map(|(index, line)| {
        let whole = line.strip_suffix('\n');
        let text = whole.unwrap_or(line);
        let mut row = [Cell(""); N];
        let mut found = 0;
        for value in text.split('\t') {
            if let Some(cell) = row.get_mut(found) {
                *cell = Cell(value);
            }
            found += 1;
        }
        if found == N && whole.is_some() {
            return Ok(row);
        }
        let found = if whole.is_some() { found } else { found.saturating_sub(1) };
        Err(BadLine { line: index + 1, found, expected: N, text: text.chars().take(80).collect() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_htcondor_prints_them() {
        for (printed, count, row) in [
            ("4", Some(4), "whole"),
            ("1048576.0", Some(1_048_576), "a computed whole number"),
            ("1.5", Some(2), "rounded up"),
            ("-3", Some(0), "negative"),
            ("1E300", Some(u64::MAX), "huge"),
            ("18446744073709551615", Some(u64::MAX), "as large as can be"),
            ("99999999999999999999", Some(u64::MAX), "larger than that"),
            ("real(\"INF\")", None, "infinite"),
            ("undefined", None, "not there"),
            ("error", None, "an error"),
            ("", None, "nothing"),
            ("\"4\"", None, "a string"),
        ] {
            assert_eq!(Cell(printed).count(), count, "{row}");
        }
    }

    #[test]
    fn strings_as_htcondor_prints_them() {
        for (printed, text, row) in [
            (r#""slot1@n1""#, Some("slot1@n1"), "plain"),
            (r#""Foo == \"x\\"y\"""#, Some(r#"Foo == "x\"y""#), "quotes are escaped, backslashes are not"),
            ("\"undefined\"", Some("undefined"), "a string of that word"),
            ("undefined", None, "the word itself"),
            ("\"\"", None, "an empty one"),
            ("\"", None, "half a string"),
        ] {
            assert_eq!(Cell(printed).text().as_deref(), text, "{row}");
        }
    }

    #[test]
    fn a_row_has_all_its_values_and_its_end() {
        let parse = |answer| rows::<2>(answer).collect::<Result<Vec<_>, _>>();
        assert_eq!(parse("").map(|rows| rows.len()), Ok(0));
        assert_eq!(parse("1\t2\n3\t4\n").map(|rows| rows.len()), Ok(2));
        assert!(parse("1\n").is_err(), "one is missing");
        assert!(parse("1\t2\t3\n").is_err(), "one too many");
        let cut = parse("1\t2\n3\t4").err().map(|error| error.to_string());
        assert_eq!(cut.as_deref(), Some("line 2 of its answer has 1 values, expected 2: 3\t4"), "cut off");
    }
}
