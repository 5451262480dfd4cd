//! Splits a text into tokens, as HTCondor's lexer does where that is documented or seen.
//!
//! Deliberately knows nothing of grammar but this: whether a minus before a digit belongs to the number depends on
//! the token before it.

use std::sync::Arc;

use crate::error::{Problem, at};
use crate::{ParseError, Value};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A number, string, boolean, `undefined` or `error`.
    Literal(Value),
    Name(Arc<str>),
    /// An operator or bracket, in its shortest spelling.
    Symbol(&'static str),
    End,
}

/// Symbols, longer ones before their beginnings.
const SYMBOLS: [&str; 35] = [
    ">>>", "=?=", "=!=", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "=", "<", ">", "!", "&", "|", "^",
    "~", "+", "-", "*", "/", "%", "?", ":", ";", ",", "(", ")", "[", "]", "{", "}", ".",
];

/// An error in a box, since the results of a recursive parser decide how deep it can go.
pub(crate) type Fault = Box<ParseError>;

/// Hands out tokens.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    /// Where the last token began.
    start: usize,
    /// Strings as in old ClassAds.
    old: bool,
    /// Whether the last token can end an operand.
    after_operand: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, old: bool) -> Self {
        Self { text, offset: 0, start: 0, old, after_operand: false }
    }

    /// Makes an error at the last token.
    #[expect(clippy::unnecessary_box_returns, reason = "see `Fault`")]
    pub(crate) fn error(&self, problem: Problem) -> Fault {
        Box::new(at(self.text, self.start, problem))
    }

    /// Gives the text of the last token, shortened.
    pub(crate) fn shown(&self) -> String {
        let token = self.text.get(self.start..self.offset).unwrap_or_default();
        if token.is_empty() {
            return "the end".to_owned();
        }
        let short: String = token.chars().take(20).collect();
        if short.len() < token.len() { format!("'{short}…'") } else { format!("'{short}'") }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.offset + ahead).copied().unwrap_or(0)
    }

    fn count(&self, ahead: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(self.offset + ahead..).unwrap_or_default();
        rest.iter().take_while(|byte| belongs(**byte)).count()
    }

    /// Gives the next token.
    pub(crate) fn next(&mut self) -> Result<Token, Fault> {
        self.skip_blank()?;
        self.start = self.offset;
        let first = self.peek(0);
        let after_point = |ahead: usize| self.peek(ahead) == b'.' && self.peek(ahead + 1).is_ascii_digit();
        let token = match first {
            b'"' => Token::Literal(Value::String(self.string(b'"')?)),
            b'\'' => Token::Name(self.string(b'\'')?),
            b'0'..=b'9' => self.number()?,
            b'.' if after_point(0) => self.number()?,
            b'-' if !self.after_operand && (self.peek(1).is_ascii_digit() || after_point(1)) => {
                self.number()?
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            _ => self.symbol()?,
        };
        self.after_operand =
            matches!(token, Token::Literal(_) | Token::Name(_) | Token::Symbol("." | ")" | "]" | "}"));
        Ok(token)
    }

    fn skip_blank(&mut self) -> Result<(), Fault> {
        loop {
            self.offset += self.count(0, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
            if self.peek(0) != b'/' {
                return Ok(());
            }
            match self.peek(1) {
                b'/' => self.offset += self.count(0, |byte| byte != b'\n'),
                b'*' => {
                    self.start = self.offset;
                    let body = self.text.get(self.offset + 2..).unwrap_or_default();
                    let Some(length) = body.find("*/") else {
                        return Err(self.error(Problem::OpenComment));
                    };
                    self.offset += length + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    fn symbol(&mut self) -> Result<Token, Fault> {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Token::End);
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.offset += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        self.offset += rest.chars().next().map_or(1, char::len_utf8);
        Err(self.error(Problem::Unexpected { expected: "an expression", found: self.shown() }))
    }

    fn word(&mut self) -> Token {
        let length = self.count(0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.offset += length;
        let word = self.text.get(self.start..self.offset).unwrap_or_default();
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("true") {
            Token::Literal(Value::Bool(true))
        } else if is("false") {
            Token::Literal(Value::Bool(false))
        } else if is("undefined") {
            Token::Literal(Value::Undefined)
        } else if is("error") {
            Token::Literal(Value::Error)
        } else if is("is") {
            Token::Symbol("=?=")
        } else if is("isnt") {
            Token::Symbol("=!=")
        } else {
            Token::Name(word.into())
        }
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let sign = usize::from(self.peek(0) == b'-');
        let whole = self.count(sign, |byte| byte.is_ascii_digit());
        let leading_zero = whole > 1 && self.peek(sign) == b'0';
        let mut length = sign + whole;
        let mut real = false;
        if self.peek(length) == b'.' {
            let fraction = self.count(length + 1, |byte| byte.is_ascii_digit());
            length += 1 + fraction;
            real = true;
            if fraction == 0 {
                self.offset += length;
                return Err(self.error(Problem::Number));
            }
        }
        if matches!(self.peek(length), b'e' | b'E') {
            let signed = usize::from(matches!(self.peek(length + 1), b'+' | b'-'));
            let digits = self.count(length + 1 + signed, |byte| byte.is_ascii_digit());
            length += 1 + signed + digits;
            real = true;
            if digits == 0 {
                self.offset += length;
                return Err(self.error(Problem::Number));
            }
        }
        let text = self.text.get(self.offset..self.offset + length).unwrap_or_default();
        self.offset += length;
        if real {
            let value = text.parse().map_err(|_| self.error(Problem::Number))?;
            return Ok(Token::Literal(Value::Real(value)));
        }
        if leading_zero {
            return Err(self.error(Problem::Number));
        }
        // What does not fit is 0 in HTCondor since 23.10.
        Ok(Token::Literal(Value::Int(text.parse().unwrap_or(0))))
    }

    /// Reads a quoted text and those that follow it with nothing but blanks between.
    fn string(&mut self, quote: u8) -> Result<Arc<str>, Fault> {
        let mut bytes = Vec::new();
        loop {
            self.offset += 1;
            let read = if self.old { Self::old_string } else { Self::new_string };
            read(self, quote, &mut bytes)?;
            let blanks = self.count(0, |byte| byte.is_ascii_whitespace() || byte == 0x0b);
            if self.old || self.peek(blanks) != quote {
                break;
            }
            self.offset += blanks;
        }
        if bytes.contains(&0) {
            return Err(self.error(Problem::Zero));
        }
        Ok(String::from_utf8_lossy(&bytes).into())
    }

    fn new_string(&mut self, quote: u8, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let text = self.text.as_bytes();
        loop {
            match text.get(self.offset) {
                None => return Err(self.error(Problem::OpenQuote)),
                Some(byte) if *byte == quote => {
                    self.offset += 1;
                    return Ok(());
                }
                Some(b'\\') if self.offset + 1 < text.len() => {
                    self.offset += 1;
                    self.escape(bytes);
                }
                Some(byte) => {
                    bytes.push(*byte);
                    self.offset += 1;
                }
            }
        }
    }

    /// Reads what follows a backslash: a letter, up to three octal digits, or the character itself.
    fn escape(&mut self, bytes: &mut Vec<u8>) {
        let symbol = self.peek(0);
        self.offset += 1;
        bytes.push(match symbol {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut code = symbol - b'0';
                for _ in 0..2 {
                    // A third digit counts where the first two leave room for it in a byte.
                    if matches!(self.peek(0), b'0'..=b'7') && code < 0x20 {
                        code = code * 8 + (self.peek(0) - b'0');
                        self.offset += 1;
                    }
                }
                code
            }
            other => other,
        });
    }

    /// Reads up to a quote that has no backslash before it, or that ends its line.
    fn old_string(&mut self, quote: u8, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let text = self.text.as_bytes();
        loop {
            match text.get(self.offset) {
                None => return Err(self.error(Problem::OpenQuote)),
                Some(byte) if *byte == quote => {
                    self.offset += 1;
                    let ends = matches!(text.get(self.offset), None | Some(b'\n'));
                    if bytes.last() == Some(&b'\\') && !ends {
                        bytes.pop();
                        bytes.push(quote);
                    } else {
                        return Ok(());
                    }
                }
                Some(byte) => {
                    bytes.push(*byte);
                    self.offset += 1;
                }
            }
        }
    }
}
