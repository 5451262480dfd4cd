//! The tree of an expression: what the parser makes, the printer prints and the evaluator walks.
//!
//! Deliberately bounded in depth, whoever builds it, so that everything that walks a tree may recurse.

use std::str::FromStr;
use std::sync::Arc;

use crate::functions::Builtin;
use crate::parser::Parser;
use crate::{Ad, Name, ParseError, Value};

/// An expression; cloning one is cheap.
#[derive(Clone)]
pub struct Expr(Arc<Node>);

struct Node {
    kind: Kind,
    /// Levels below and including this one.
    depth: u16,
}

/// What an expression is.
#[derive(Clone)]
pub(crate) enum Kind {
    /// Anything but a list or an ad.
    Literal(Value),
    Attribute(Base, Name),
    Unary(UnaryOp, Expr),
    /// Operators of one precedence in a row, from left to right: a long chain of `||` is no deep tree.
    Binary(Expr, Box<[(BinaryOp, Expr)]>),
    Parentheses(Expr),
    Conditional(Expr, Expr, Expr),
    /// `a ?: b ?: c`
    Default(Box<[Expr]>),
    Index(Expr, Expr),
    Call(Box<Call>),
    List(Arc<[Expr]>),
    Ad(Ad),
}

/// A call of a function, known or not.
#[derive(Clone)]
pub(crate) struct Call {
    /// As it was spelled.
    pub(crate) name: Arc<str>,
    pub(crate) function: Option<Builtin>,
    pub(crate) args: Vec<Expr>,
}

/// Where an attribute is looked for.
#[derive(Clone)]
pub(crate) enum Base {
    /// `a`
    Anywhere,
    /// `.a`
    Root,
    /// `expr.a`
    Of(Expr),
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum UnaryOp {
    Plus,
    Minus,
    Not,
    BitNot,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; `Is` is `=?=`, `Isnt` is `=!=`")]
pub enum BinaryOp {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    NotEqual,
    Is,
    Isnt,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    ShiftLeft,
    ShiftRight,
    /// `>>>`
    ShiftRightUnsigned,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl BinaryOp {
    /// All of them, as they are spelled; of two spellings the old one.
    pub(crate) const ALL: [(&'static str, BinaryOp); 21] = [
        ("||", BinaryOp::Or),
        ("&&", BinaryOp::And),
        ("|", BinaryOp::BitOr),
        ("^", BinaryOp::BitXor),
        ("&", BinaryOp::BitAnd),
        ("==", BinaryOp::Equal),
        ("!=", BinaryOp::NotEqual),
        ("=?=", BinaryOp::Is),
        ("=!=", BinaryOp::Isnt),
        ("<", BinaryOp::Less),
        ("<=", BinaryOp::LessOrEqual),
        (">", BinaryOp::Greater),
        (">=", BinaryOp::GreaterOrEqual),
        ("<<", BinaryOp::ShiftLeft),
        (">>", BinaryOp::ShiftRight),
        (">>>", BinaryOp::ShiftRightUnsigned),
        ("+", BinaryOp::Add),
        ("-", BinaryOp::Subtract),
        ("*", BinaryOp::Multiply),
        ("/", BinaryOp::Divide),
        ("%", BinaryOp::Modulo),
    ];

    pub(crate) fn spelling(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("?", |(spelling, _)| spelling)
    }

    /// Gives how tightly it binds; higher is tighter.
    pub(crate) fn precedence(self) -> u8 {
        use BinaryOp as B;
        match self {
            B::Or => 1,
            B::And => 2,
            B::BitOr => 3,
            B::BitXor => 4,
            B::BitAnd => 5,
            B::Equal | B::NotEqual | B::Is | B::Isnt => 6,
            B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => 7,
            B::ShiftLeft | B::ShiftRight | B::ShiftRightUnsigned => 8,
            B::Add | B::Subtract => 9,
            B::Multiply | B::Divide | B::Modulo => 10,
        }
    }
}

impl Expr {
    /// How deep an expression may be, in levels of the tree. HTCondor's parser takes 1000 levels of brackets; real
    /// expressions have a dozen.
    pub const MAX_DEPTH: usize = 200;

    /// How long the text of an expression may be, in bytes: 16 MiB.
    pub const MAX_LENGTH: usize = 1 << 24;

    /// Reads an expression in new ClassAd syntax, which is that of submit files and configuration, too.
    ///
    /// # Errors
    /// When the text is not exactly one expression.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Parser::new(text, false).and_then(Parser::whole_expression).map_err(|fault| *fault)
    }

    /// Reads an expression with the strings of old ClassAds, as in the lines of `condor_q -long`: a backslash is only
    /// special before a quote.
    ///
    /// # Errors
    /// When the text is not exactly one expression.
    pub fn parse_old(text: &str) -> Result<Self, ParseError> {
        Parser::new(text, true).and_then(Parser::whole_expression).map_err(|fault| *fault)
    }

    /// Reads an expression that HTCondor's tools hide in a JSON string as `\/Expr(…)\/`, its JSON escapes already
    /// decoded; `None` where the string is just a string.
    ///
    /// # Errors
    /// When what is hidden is no expression.
    pub fn from_json_string(text: &str) -> Option<Result<Self, ParseError>> {
        let inner = text.strip_prefix("/Expr(").or_else(|| text.strip_prefix("\\/Expr("))?;
        let inner = inner.strip_suffix(")/").or_else(|| inner.strip_suffix(")\\/"))?;
        Some(Self::parse(inner))
    }

    /// Makes an expression of a value; lists and ads lose the surroundings they were found in.
    pub fn literal(value: Value) -> Self {
        match value {
            Value::List(list) => Self::new(Kind::List(list.shared())),
            Value::Ad(ad) => Self::new(Kind::Ad(ad.ad().clone())),
            scalar => Self::new(Kind::Literal(scalar)),
        }
    }

    /// Builds a node; one that would be too deep becomes `error`.
    pub(crate) fn new(kind: Kind) -> Self {
        Self::checked(kind)
            .unwrap_or_else(|| Self(Arc::new(Node { kind: Kind::Literal(Value::Error), depth: 1 })))
    }

    /// Builds a node; `None` if it would be too deep.
    pub(crate) fn checked(kind: Kind) -> Option<Self> {
        let below = kind.children().map(|child| child.0.depth).max().unwrap_or(0);
        let depth = below.checked_add(1).filter(|depth| usize::from(*depth) <= Self::MAX_DEPTH)?;
        Some(Self(Arc::new(Node { kind, depth })))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Gives what makes this very node different from equal ones.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Gives the value of a literal.
    pub fn as_literal(&self) -> Option<&Value> {
        match self.kind() {
            Kind::Literal(value) => Some(value),
            _ => None,
        }
    }
}

impl Kind {
    /// Gives the expressions directly below.
    pub(crate) fn children(&self) -> Box<dyn Iterator<Item = &Expr> + '_> {
        match self {
            Kind::Literal(_) | Kind::Attribute(Base::Anywhere | Base::Root, _) => {
                Box::new(std::iter::empty())
            }
            Kind::Attribute(Base::Of(one), _) | Kind::Unary(_, one) | Kind::Parentheses(one) => {
                Box::new(std::iter::once(one))
            }
            Kind::Binary(first, rest) => {
                Box::new(std::iter::once(first).chain(rest.iter().map(|(_, operand)| operand)))
            }
            Kind::Conditional(one, two, three) => Box::new([one, two, three].into_iter()),
            Kind::Index(one, two) => Box::new([one, two].into_iter()),
            Kind::Default(choices) => Box::new(choices.iter()),
            Kind::Call(call) => Box::new(call.args.iter()),
            Kind::List(items) => Box::new(items.iter()),
            Kind::Ad(ad) => Box::new(ad.iter().map(|(_, expr)| expr)),
        }
    }
}

impl FromStr for Expr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl From<Value> for Expr {
    fn from(value: Value) -> Self {
        Self::literal(value)
    }
}

/// Equal when they have the same structure; names compare without case, reals by their bits.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let same_root = match (self.kind(), other.kind()) {
            (Kind::Literal(one), Kind::Literal(two)) => one == two,
            (Kind::Attribute(one, name), Kind::Attribute(two, other_name)) => {
                name == other_name && std::mem::discriminant(one) == std::mem::discriminant(two)
            }
            (Kind::Unary(one, _), Kind::Unary(two, _)) => one == two,
            (Kind::Binary(_, one), Kind::Binary(_, two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.0 == two.0)
            }
            (Kind::Call(one), Kind::Call(two)) => {
                one.name.eq_ignore_ascii_case(&two.name) && one.args.len() == two.args.len()
            }
            (Kind::List(one), Kind::List(two)) => one.len() == two.len(),
            (Kind::Default(one), Kind::Default(two)) => one.len() == two.len(),
            (Kind::Ad(one), Kind::Ad(two)) => return one == two,
            (one, two) => std::mem::discriminant(one) == std::mem::discriminant(two),
        };
        same_root && self.kind().children().eq(other.kind().children())
    }
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expr({self})")
    }
}
