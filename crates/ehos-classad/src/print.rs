//! Writes expressions, values and ads, in HTCondor's spelling.
//!
//! Deliberately in three forms: on one line (new syntax), indented (as `unparse` and classad2's `str` do), and the
//! old syntax of `condor_q -long`.

use std::fmt::{self, Write};

use crate::expr::{Base, BinaryOp, Kind, UnaryOp};
use crate::number::{general, scientific};
use crate::time::{abs_time_text, rel_time_text};
use crate::{Ad, Expr, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Line,
    Indented,
    Old,
}

struct Printer<'a, W> {
    out: &'a mut W,
    form: Form,
    indent: usize,
}

impl<W: Write> Printer<'_, W> {
    fn expr(&mut self, expr: &Expr) -> fmt::Result {
        match expr.kind() {
            Kind::Literal(value) => self.value(value),
            Kind::Attribute(Base::Anywhere, name) => self.name(name.as_str()),
            Kind::Attribute(Base::Root, name) => {
                self.out.write_char('.')?;
                self.name(name.as_str())
            }
            Kind::Attribute(Base::Of(expr), name) => {
                self.expr(expr)?;
                // A point right after digits would belong to the number.
                let integer = matches!(expr.as_literal(), Some(Value::Int(_)));
                self.out.write_str(if integer { " ." } else { "." })?;
                self.inner_name(name.as_str())
            }
            Kind::Unary(op, operand) => {
                self.out.write_str(unary_text(*op))?;
                self.expr(operand)
            }
            Kind::Binary(first, rest) => {
                self.expr(first)?;
                rest.iter().try_for_each(|(op, operand)| {
                    write!(self.out, " {} ", self.binary_text(*op))?;
                    self.expr(operand)
                })
            }
            Kind::Parentheses(inner) => {
                self.out.write_char('(')?;
                self.expr(inner)?;
                self.out.write_char(')')
            }
            Kind::Conditional(condition, then, otherwise) => {
                self.expr(condition)?;
                self.out.write_str(" ? ")?;
                self.expr(then)?;
                self.out.write_str(" : ")?;
                self.expr(otherwise)
            }
            Kind::Default(choices) => self.separated(choices, " ?: "),
            Kind::Index(expr, index) => {
                self.expr(expr)?;
                self.out.write_char('[')?;
                self.expr(index)?;
                self.out.write_char(']')
            }
            Kind::Call(call) => {
                self.inner_name(&call.name)?;
                self.out.write_char('(')?;
                self.separated(&call.args, ",")?;
                self.out.write_char(')')
            }
            Kind::List(items) => self.list(items),
            Kind::Ad(ad) => self.ad(ad),
        }
    }

    fn separated(&mut self, exprs: &[Expr], separator: &str) -> fmt::Result {
        for (index, expr) in exprs.iter().enumerate() {
            if index > 0 {
                self.out.write_str(separator)?;
            }
            self.expr(expr)?;
        }
        Ok(())
    }

    fn binary_text(&self, op: BinaryOp) -> &'static str {
        match op {
            BinaryOp::Is if self.form != Form::Old => "is",
            BinaryOp::Isnt if self.form != Form::Old => "isnt",
            other => other.spelling(),
        }
    }

    fn value(&mut self, value: &Value) -> fmt::Result {
        match value {
            Value::Undefined => self.out.write_str("undefined"),
            Value::Error => self.out.write_str("error"),
            Value::Bool(bool) => write!(self.out, "{bool}"),
            Value::Int(int) => write!(self.out, "{int}"),
            Value::Real(real) if self.form == Form::Old => self.out.write_str(&general(*real)),
            Value::Real(real) => self.out.write_str(&scientific(*real)),
            Value::String(text) => {
                self.out.write_char('"')?;
                self.text(text, b'"')?;
                self.out.write_char('"')
            }
            Value::AbsTime(time) => write!(self.out, "absTime(\"{}\")", abs_time_text(*time)),
            Value::RelTime(seconds) => write!(self.out, "relTime(\"{}\")", rel_time_text(*seconds)),
            Value::List(list) => self.list(list.exprs()),
            Value::Ad(ad) => self.ad(ad.ad()),
        }
    }

    /// Writes the inside of quotes.
    fn text(&mut self, text: &str, quote: u8) -> fmt::Result {
        let mut plain = 0;
        for (offset, byte) in text.bytes().enumerate() {
            let escaped = if byte == quote {
                format!("\\{}", char::from(quote))
            } else if self.form == Form::Old {
                continue;
            } else {
                match byte {
                    0x07 => "\\a".to_owned(),
                    0x08 => "\\b".to_owned(),
                    0x0c => "\\f".to_owned(),
                    b'\n' => "\\n".to_owned(),
                    b'\r' => "\\r".to_owned(),
                    b'\t' => "\\t".to_owned(),
                    0x0b => "\\v".to_owned(),
                    b'\\' => "\\\\".to_owned(),
                    b' '..=b'~' => continue,
                    other => format!("\\{other:03o}"),
                }
            };
            // Escapes of one character's bytes follow each other, so the text between them has whole characters.
            self.out.write_str(text.get(plain..offset).unwrap_or_default())?;
            self.out.write_str(&escaped)?;
            plain = offset + 1;
        }
        self.out.write_str(text.get(plain..).unwrap_or_default())
    }

    /// Writes a name, in quotes where it would be read as something else.
    fn name(&mut self, name: &str) -> fmt::Result {
        let mut bytes = name.bytes();
        let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if begins && goes_on && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            return self.out.write_str(name);
        }
        self.out.write_char('\'')?;
        self.text(name, b'\'')?;
        self.out.write_char('\'')
    }

    /// Writes a name that cannot be taken for `parent`.
    fn inner_name(&mut self, name: &str) -> fmt::Result {
        if name.eq_ignore_ascii_case("parent") { self.out.write_str(name) } else { self.name(name) }
    }

    fn new_line(&mut self) -> fmt::Result {
        write!(self.out, "\n{:indent$}", "", indent = self.indent)
    }

    fn list(&mut self, items: &[Expr]) -> fmt::Result {
        if self.form != Form::Indented {
            self.out.write_str("{ ")?;
            self.separated(items, ",")?;
            return self.out.write_str(" }");
        }
        self.indent += 3;
        self.new_line()?;
        self.out.write_char('{')?;
        self.indent += 3;
        for (index, item) in items.iter().enumerate() {
            self.new_line()?;
            self.expr(item)?;
            if index + 1 < items.len() {
                self.out.write_char(',')?;
            }
        }
        self.indent -= 3;
        self.new_line()?;
        self.indent -= 3;
        self.out.write_char('}')
    }

    fn ad(&mut self, ad: &Ad) -> fmt::Result {
        let indented = self.form == Form::Indented;
        if indented {
            self.indent += 4;
            self.new_line()?;
        }
        self.out.write_char('[')?;
        self.indent += 4;
        for (index, (name, expr)) in ad.sorted().enumerate() {
            if index > 0 {
                self.out.write_char(';')?;
                if indented {
                    self.out.write_char(' ')?;
                }
            }
            if indented {
                self.new_line()?;
            } else {
                self.out.write_char(' ')?;
            }
            self.name(name.as_str())?;
            self.out.write_str(" = ")?;
            self.expr(expr)?;
        }
        self.indent -= 4;
        if indented {
            self.new_line()?;
            self.indent -= 4;
        } else {
            self.out.write_str(if ad.is_empty() { "  " } else { " " })?;
        }
        self.out.write_char(']')
    }
}

/// Names that must be quoted to be names.
const RESERVED: [&str; 7] = ["error", "false", "is", "isnt", "parent", "true", "undefined"];

fn unary_text(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Plus => " +",
        UnaryOp::Minus => " -",
        UnaryOp::Not => " !",
        UnaryOp::BitNot => " ~",
    }
}

fn print(form: Form, out: &mut impl Write, expr: &Expr) -> fmt::Result {
    Printer { out, form, indent: 0 }.expr(expr)
}

impl Expr {
    /// Writes over several lines where there are lists or ads, as classad2's `str` does.
    pub fn to_indented(&self) -> String {
        let mut text = String::new();
        let _ = print(Form::Indented, &mut text, self);
        text
    }

    /// Writes in the old syntax: `=?=`, short reals, backslashes as they are.
    pub fn to_old(&self) -> String {
        let mut text = String::new();
        let _ = print(Form::Old, &mut text, self);
        text
    }
}

impl Ad {
    /// Writes a line an attribute, as `condor_q -long` does.
    pub fn to_old(&self) -> String {
        let mut text = String::new();
        let mut printer = Printer { out: &mut text, form: Form::Old, indent: 0 };
        for (name, expr) in self.sorted() {
            // Writing to a string cannot fail.
            let _ = printer.name(name.as_str());
            let _ = printer.out.write_str(" = ");
            let _ = printer.expr(expr);
            let _ = printer.out.write_char('\n');
        }
        text
    }
}

/// On one line, as classad2's `repr` does.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(Form::Line, f, self)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { out: f, form: Form::Line, indent: 0 }.value(self)
    }
}

/// On one line, attributes in HTCondor's order.
impl fmt::Display for Ad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { out: f, form: Form::Line, indent: 0 }.ad(self)
    }
}
