//! Evaluates as much of an expression as one ad allows, and leaves the rest as an expression.
//!
//! Deliberately only folds what does not depend on anything else; it does not reorder operands.

use crate::expr::{Base, BinaryOp, Call, Kind};
use crate::{Ad, Context, Expr, Value};

impl Expr {
    /// Gives an equal expression in which all that `my` decides alone is evaluated. What looks at the other ad, at
    /// the time or at chance stays; so does what evaluates to `undefined`, since the other ad may define it.
    #[must_use]
    pub fn simplified(&self, my: &Ad) -> Expr {
        let context = Context::new(0).my(my).steps(10_000);
        fold(self, my, &context)
    }
}

/// Tells whether a value can stand for its expression.
fn settled(value: &Value) -> bool {
    !matches!(value, Value::Undefined | Value::Error | Value::List(_) | Value::Ad(_))
}

/// Tells whether an expression gives the same in every match of `my` and at every time.
fn decided(expr: &Expr, my: &Ad) -> bool {
    let found = expr.references(my);
    found.external.is_empty() && found.target.is_empty() && !impure(expr, my)
}

/// Tells whether time or chance is in an expression or in what it leads to.
fn impure(expr: &Expr, my: &Ad) -> bool {
    const IMPURE: [&str; 13] = [
        "time",
        "random",
        "currenttime",
        "daytime",
        "abstime",
        "timezoneoffset",
        "formattime",
        "eval",
        "splittime",
        "evalineachcontext",
        "countmatches",
        "unresolved",
        "debug",
    ];
    let is_impure = |expr: &Expr| match expr.kind() {
        Kind::Call(call) => IMPURE.iter().any(|name| name.eq_ignore_ascii_case(&call.name)),
        Kind::Attribute(_, name) => name.as_str().eq_ignore_ascii_case("CurrentTime"),
        _ => false,
    };
    let internal = expr.references(my).internal;
    let mut open: Vec<&Expr> = internal.iter().filter_map(|name| my.get(name.as_str())).collect();
    open.push(expr);
    while let Some(expr) = open.pop() {
        if is_impure(expr) {
            return true;
        }
        open.extend(expr.kind().children());
    }
    false
}

fn fold(expr: &Expr, my: &Ad, context: &Context) -> Expr {
    if expr.as_literal().is_some() {
        return expr.clone();
    }
    if decided(expr, my) {
        let value = context.evaluate(expr);
        if settled(&value) {
            return Expr::literal(value);
        }
    }
    let below = |expr: &Expr| fold(expr, my, context);
    match expr.kind() {
        Kind::Unary(op, operand) => Expr::new(Kind::Unary(*op, below(operand))),
        Kind::Parentheses(inner) => match below(inner) {
            literal if literal.as_literal().is_some() => literal,
            inner => Expr::new(Kind::Parentheses(inner)),
        },
        Kind::Binary(first, rest) => {
            let rest: Vec<(BinaryOp, Expr)> =
                rest.iter().map(|(op, operand)| (*op, below(operand))).collect();
            fold_chain(below(first), rest)
        }
        Kind::Conditional(condition, then, otherwise) => {
            let condition = below(condition);
            match condition.as_literal().and_then(Value::as_condition) {
                Some(true) => below(then),
                Some(false) => below(otherwise),
                None => Expr::new(Kind::Conditional(condition, below(then), below(otherwise))),
            }
        }
        Kind::Default(choices) => Expr::new(Kind::Default(choices.iter().map(below).collect())),
        Kind::Index(expr, index) => Expr::new(Kind::Index(below(expr), below(index))),
        Kind::Call(call) if call.name.eq_ignore_ascii_case("eval") => expr.clone(),
        // Functions that look at their argument's text must keep it.
        Kind::Call(call) if keeps_arguments(&call.name) => expr.clone(),
        Kind::Call(call) => Expr::new(Kind::Call(Box::new(Call {
            name: call.name.clone(),
            function: call.function,
            args: call.args.iter().map(below).collect(),
        }))),
        Kind::List(items) => Expr::new(Kind::List(items.iter().map(below).collect())),
        Kind::Literal(_) | Kind::Ad(_) | Kind::Attribute(Base::Anywhere | Base::Root | Base::Of(_), _) => {
            expr.clone()
        }
    }
}

fn keeps_arguments(name: &str) -> bool {
    ["unparse", "unresolved", "evalInEachContext", "countMatches"]
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
}

/// Drops operands of `&&` and `||` that decide nothing, and what comes after one that decides all.
fn fold_chain(first: Expr, rest: Vec<(BinaryOp, Expr)>) -> Expr {
    let Some(op @ (BinaryOp::And | BinaryOp::Or)) = rest.first().map(|(op, _)| *op) else {
        return Expr::new(Kind::Binary(first, rest.into()));
    };
    let decides = op == BinaryOp::Or;
    let mut kept: Vec<Expr> = Vec::new();
    for operand in std::iter::once(first).chain(rest.into_iter().map(|(_, operand)| operand)) {
        match operand.as_literal() {
            Some(Value::Bool(bool)) if *bool == decides && kept.is_empty() => return operand,
            // `x && true` is not `x` where x is a number, so only a first `true` goes.
            Some(Value::Bool(bool)) if *bool != decides && kept.is_empty() => {}
            _ => kept.push(operand),
        }
    }
    let mut kept = kept.into_iter();
    match (kept.next(), kept.len()) {
        (None, _) => Expr::literal(Value::Bool(!decides)),
        (Some(only), 0) if is_boolean(&only) => only,
        (Some(only), 0) => {
            let neutral = Expr::literal(Value::Bool(!decides));
            Expr::new(Kind::Binary(neutral, [(op, only)].into()))
        }
        (Some(first), _) => {
            Expr::new(Kind::Binary(first, kept.map(|operand| (op, operand)).collect::<Vec<_>>().into()))
        }
    }
}

/// Tells whether an expression gives a boolean, `undefined` or `error` and nothing else.
fn is_boolean(expr: &Expr) -> bool {
    match expr.kind() {
        Kind::Parentheses(inner) => is_boolean(inner),
        Kind::Binary(_, rest) => {
            rest.last().is_some_and(|(op, _)| op.precedence() <= 2 || (6..=7).contains(&op.precedence()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_ad_decides() {
        let my: Ad =
            "[ RequestMemory = Base * 2; Base = 512; Wants = true; Odd = TARGET.x ]".parse().unwrap();
        let rows: &[(&str, &str, &str)] = &[
            ("a number", "TARGET.Memory >= RequestMemory", "TARGET.Memory >= 1024"),
            ("true goes", "Wants && (TARGET.Cpus > 1)", "(TARGET.Cpus > 1)"),
            ("false decides", "!Wants && Cpus > 1", "false"),
            ("unknown stays", "Nope ?: 5", "Nope ?: 5"),
            ("time stays", "time() > Base", "time() > 512"),
            ("a condition", "Wants ? Cpus : Gpus", "Cpus"),
            ("what leads to the other side stays", "Odd + Base", "Odd + 512"),
            ("a number is no boolean", "Wants && Cpus", "true && Cpus"),
        ];
        for (name, expr, expected) in rows {
            assert_eq!(expr.parse::<Expr>().unwrap().simplified(&my).to_string(), *expected, "{name}");
        }
    }
}
