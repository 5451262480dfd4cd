//! Says what is wrong with a text that is no ClassAd expression, and where.
//!
//! Deliberately only about syntax: evaluation has no errors beside the language's own value `error`.

use thiserror::Error;

/// A text that is not in the language.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Something else was needed here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand here.
        expected: &'static str,
        /// What stands here, shortened.
        found: String,
    },
    /// A string or quoted name without its closing quote.
    #[error("the quote that opens here is never closed")]
    OpenQuote,
    /// A comment without its end.
    #[error("the comment that opens here is never closed")]
    OpenComment,
    /// A zero byte in a string, which HTCondor cannot carry.
    #[error("a string cannot contain the character \\0")]
    Zero,
    /// A number that HTCondor refuses: a leading zero, a point or exponent without digits.
    #[error("malformed number")]
    Number,
    /// `absTime("…")` or `relTime("…")` of something that is no time.
    #[error("not a time")]
    Time,
    /// More levels of brackets and operators than [`Expr::MAX_DEPTH`](crate::Expr::MAX_DEPTH).
    #[error("nested too deeply")]
    Depth,
    /// More text than [`Expr::MAX_LENGTH`](crate::Expr::MAX_LENGTH).
    #[error("too long")]
    Length,
}

/// Turns a byte offset into a line and column.
pub(crate) fn at(text: &str, offset: usize, problem: Problem) -> ParseError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ParseError { line, column, problem }
}
