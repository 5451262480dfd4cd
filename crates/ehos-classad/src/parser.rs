//! Reads expressions and ads: the grammar.
//!
//! Deliberately bounded in depth, and deliberately stricter than HTCondor where that reads half a text and drops the
//! rest.

mod old;
mod primary;

use crate::error::Problem;
use crate::expr::{Base, BinaryOp, Kind, UnaryOp};
use crate::lexer::{Fault, Lexer, Token};
use crate::{Ad, Expr, Name};

pub(crate) use old::old_ads;

/// Reads one text.
pub(crate) struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    depth: usize,
}

type Parsed<T> = Result<T, Fault>;

/// Operators of one precedence, the last of which still lacks its right operand.
struct Chain {
    first: Expr,
    rest: Vec<(BinaryOp, Expr)>,
    op: BinaryOp,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, old: bool) -> Parsed<Self> {
        let mut lexer = Lexer::new(text, old);
        if text.len() > Expr::MAX_LENGTH {
            return Err(lexer.error(Problem::Length));
        }
        let token = lexer.next()?;
        Ok(Self { lexer, token, depth: 0 })
    }

    pub(crate) fn whole_expression(mut self) -> Parsed<Expr> {
        let expr = self.expression()?;
        self.end()?;
        Ok(expr)
    }

    pub(crate) fn whole_ad(mut self) -> Parsed<Ad> {
        self.expect("[", "'['")?;
        let ad = self.attributes()?;
        self.end()?;
        Ok(ad)
    }

    /// Reads `Name = expression` and nothing more.
    pub(crate) fn whole_attribute(mut self) -> Parsed<(Name, Expr)> {
        let attribute = self.attribute()?;
        while self.accept(";")? {}
        self.end()?;
        Ok(attribute)
    }

    fn advance(&mut self) -> Parsed<Token> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn at(&self, symbol: &str) -> bool {
        matches!(&self.token, Token::Symbol(here) if *here == symbol)
    }

    fn accept(&mut self, symbol: &str) -> Parsed<bool> {
        let here = self.at(symbol);
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    fn expect(&mut self, symbol: &str, expected: &'static str) -> Parsed<()> {
        if self.accept(symbol)? { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn end(&self) -> Parsed<()> {
        if self.token == Token::End { Ok(()) } else { Err(self.unexpected("an operator or the end")) }
    }

    #[expect(clippy::unnecessary_box_returns, reason = "see `Fault`")]
    fn unexpected(&self, expected: &'static str) -> Fault {
        self.lexer.error(Problem::Unexpected { expected, found: self.lexer.shown() })
    }

    fn node(&self, kind: Kind) -> Parsed<Expr> {
        Expr::checked(kind).ok_or_else(|| self.lexer.error(Problem::Depth))
    }

    /// Runs a part of the grammar one level deeper.
    fn deeper<T>(&mut self, part: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= Expr::MAX_DEPTH {
            return Err(self.lexer.error(Problem::Depth));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(Self::conditional)
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let condition = self.binary()?;
        if !self.accept("?")? {
            return Ok(condition);
        }
        let then = self.expression()?;
        self.expect(":", "':'")?;
        let otherwise = self.expression()?;
        self.node(Kind::Conditional(condition, then, otherwise))
    }

    /// Reads operands and the operators between them.
    fn binary(&mut self) -> Parsed<Expr> {
        // Chains that are still open, each of tighter operators than the one before. A list and no recursion: nested
        // brackets would otherwise cost the stack ten levels each.
        let mut open: Vec<Chain> = Vec::new();
        let mut operand = self.unary()?;
        while let Some(op) = self.operator() {
            self.advance()?;
            while let Some(chain) = open.pop_if(|chain| chain.op.precedence() > op.precedence()) {
                operand = self.close(chain, operand)?;
            }
            match open.last_mut() {
                Some(chain) if chain.op.precedence() == op.precedence() => {
                    chain.rest.push((chain.op, operand));
                    chain.op = op;
                }
                _ => open.push(Chain { first: operand, rest: Vec::new(), op }),
            }
            operand = self.unary()?;
        }
        while let Some(chain) = open.pop() {
            operand = self.close(chain, operand)?;
        }
        Ok(operand)
    }

    fn close(&self, mut chain: Chain, last: Expr) -> Parsed<Expr> {
        chain.rest.push((chain.op, last));
        self.node(Kind::Binary(chain.first, chain.rest.into()))
    }

    fn operator(&self) -> Option<BinaryOp> {
        let Token::Symbol(symbol) = self.token else { return None };
        BinaryOp::ALL.iter().find(|(spelling, _)| *spelling == symbol).map(|(_, op)| *op)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let op = match self.token {
            Token::Symbol("-") => UnaryOp::Minus,
            Token::Symbol("+") => UnaryOp::Plus,
            Token::Symbol("!") => UnaryOp::Not,
            Token::Symbol("~") => UnaryOp::BitNot,
            _ => return self.default(),
        };
        self.advance()?;
        let operand = self.deeper(Self::unary)?;
        self.node(Kind::Unary(op, operand))
    }

    /// Reads `a ?: b`, which binds more tightly than every other operator but `.` and `[…]`.
    fn default(&mut self) -> Parsed<Expr> {
        let first = self.postfix()?;
        if !self.at_default() {
            return Ok(first);
        }
        let mut choices = vec![first];
        while self.at_default() {
            self.advance()?;
            self.advance()?;
            choices.push(self.postfix()?);
        }
        self.node(Kind::Default(choices.into()))
    }

    /// Tells whether a `?` and a `:` follow.
    fn at_default(&self) -> bool {
        self.at("?") && matches!(self.lexer.clone().next(), Ok(Token::Symbol(":")))
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.accept(".")? {
                let name = self.name()?;
                expr = self.node(Kind::Attribute(Base::Of(expr), name))?;
            } else if self.accept("[")? {
                let index = self.expression()?;
                self.expect("]", "']'")?;
                expr = self.node(Kind::Index(expr, index))?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn name(&mut self) -> Parsed<Name> {
        if let Token::Name(name) = &self.token {
            let name = Name::new(name);
            self.advance()?;
            Ok(name)
        } else {
            Err(self.unexpected("a name"))
        }
    }

    /// Reads the attributes of an ad and its closing bracket.
    fn attributes(&mut self) -> Parsed<Ad> {
        let mut ad = Ad::new();
        loop {
            while self.accept(";")? {}
            if self.accept("]")? {
                return Ok(ad);
            }
            let (name, expr) = self.attribute()?;
            ad.insert(name, expr);
            if !self.at(";") && !self.at("]") {
                return Err(self.unexpected("';' or ']'"));
            }
        }
    }

    fn attribute(&mut self) -> Parsed<(Name, Expr)> {
        let name = self.name()?;
        self.expect("=", "'='")?;
        Ok((name, self.expression()?))
    }
}
