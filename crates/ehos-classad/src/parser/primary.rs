//! Reads what operators stand between: literals, names, calls, lists, ads and brackets.
//!
//! Deliberately a function for each, since all in one would need much of the stack at every level.

use std::sync::Arc;

use super::{Parsed, Parser};
use crate::error::Problem;
use crate::expr::{Base, Call, Kind};
use crate::functions::find;
use crate::lexer::Token;
use crate::time::{parse_abs_time, parse_rel_time};
use crate::{Expr, Value};

impl Parser<'_> {
    /// Reads what operators stand between. A function for each kind, since all together they need much stack.
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        match &self.token {
            Token::Literal(_) => self.literal(),
            Token::Name(_) => self.named(),
            Token::Symbol(".") => self.rooted(),
            Token::Symbol("(") => self.parentheses(),
            Token::Symbol("{") => self.list(),
            Token::Symbol("[") => self.nested_ad(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn literal(&mut self) -> Parsed<Expr> {
        match self.advance()? {
            Token::Literal(value) => self.node(Kind::Literal(value)),
            _ => Err(self.unexpected("a literal")),
        }
    }

    fn named(&mut self) -> Parsed<Expr> {
        let name = self.name()?;
        if self.at("(") { self.call(name.shared()) } else { self.node(Kind::Attribute(Base::Anywhere, name)) }
    }

    fn rooted(&mut self) -> Parsed<Expr> {
        self.advance()?;
        let name = self.name()?;
        self.node(Kind::Attribute(Base::Root, name))
    }

    fn parentheses(&mut self) -> Parsed<Expr> {
        self.advance()?;
        let inner = self.expression()?;
        self.expect(")", "')'")?;
        self.node(Kind::Parentheses(inner))
    }

    fn list(&mut self) -> Parsed<Expr> {
        self.advance()?;
        let items = self.items("}", "',' or '}'", false)?;
        self.node(Kind::List(items.into()))
    }

    fn nested_ad(&mut self) -> Parsed<Expr> {
        self.advance()?;
        let ad = self.deeper(Self::attributes)?;
        self.node(Kind::Ad(ad))
    }

    /// Reads expressions up to a closing bracket.
    fn items(&mut self, close: &str, expected: &'static str, semicolons: bool) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        if self.accept(close)? {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            if self.accept(close)? {
                return Ok(items);
            }
            if !(self.accept(",")? || semicolons && self.accept(";")?) {
                return Err(self.unexpected(expected));
            }
        }
    }

    fn call(&mut self, name: Arc<str>) -> Parsed<Expr> {
        let start = self.lexer.error(Problem::Time);
        self.advance()?;
        let args = self.items(")", "',' or ')'", true)?;
        let text = match args.as_slice() {
            [only] => only.as_literal().and_then(Value::as_str),
            _ => None,
        };
        // Times are written as calls, but they are literals.
        let time = match text {
            Some(text) if name.eq_ignore_ascii_case("absTime") => {
                Some(parse_abs_time(text).map(Value::AbsTime))
            }
            Some(text) if name.eq_ignore_ascii_case("relTime") => {
                Some(parse_rel_time(text).map(Value::RelTime))
            }
            _ => None,
        };
        if let Some(time) = time {
            return self.node(Kind::Literal(time.ok_or(start)?));
        }
        let function = find(&name);
        self.node(Kind::Call(Box::new(Call { name, function, args })))
    }
}
