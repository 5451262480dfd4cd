//! Compares what we make of expressions with what HTCondor's own library made of them.

mod ads;

use std::fmt::Write as _;

use ehos_classad::{Context, Expr};

pub(crate) use ads::{NOW, ads};

/// How many lines were compared, and what was different.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) compared: usize,
    pub(crate) differences: Vec<String>,
}

impl Report {
    /// Fails with the differences.
    pub(crate) fn assert_none(&self, what: &str) {
        let mut text = String::new();
        for difference in self.differences.iter().take(60) {
            let _ = writeln!(text, "{difference}\n");
        }
        let count = self.differences.len();
        assert!(self.differences.is_empty(), "{what}: {count} of {} differ\n{text}", self.compared);
    }
}

/// Compares lines that `oracle.py answer` has printed.
pub(crate) fn compare(answers: &str) -> Report {
    let (my, target) = ads();
    let bare = Context::new(NOW);
    let alone = bare.clone().my(&my);
    let matched = alone.clone().target(&target);
    let mut report = Report::default();
    for line in answers.lines().filter(|line| !line.is_empty()) {
        report.compared += 1;
        let fields: Vec<&str> = line.split('\t').collect();
        let text = fields[0];
        let parsed = Expr::parse(text);
        let mut differ = |what: &str, ours: &str, theirs: &str| {
            report.differences.push(format!("{text}\n  {what}\n    ours   {ours}\n    theirs {theirs}"));
        };
        match (&parsed, fields.as_slice()) {
            (Err(_), [_, "!"]) => {}
            (Err(error), _) => differ("parse", &error.to_string(), "parsed"),
            (Ok(expr), [_, "!"]) => differ("parse", &expr.to_string(), "refused"),
            (Ok(expr), [_, printed, with_both, with_my, with_none, rest @ ..]) => {
                if expr.to_string() != *printed {
                    differ("print", &expr.to_string(), printed);
                }
                let indented = rest.first().map_or((*printed).to_owned(), |text| unescaped(text));
                if expr.to_indented() != indented {
                    differ("indented", &expr.to_indented(), &indented);
                }
                let with_my = if *with_my == "=" { with_both } else { with_my };
                let with_none = if *with_none == "=" { with_my } else { with_none };
                for (what, context, theirs) in
                    [("both", &matched, with_both), ("my", &alone, with_my), ("none", &bare, with_none)]
                {
                    let ours = context.evaluate(expr).to_string();
                    if ours != *theirs {
                        differ(what, &ours, theirs);
                    }
                }
            }
            _ => differ("a malformed line", line, ""),
        }
    }
    report
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        out.push(match symbol {
            '\\' => match symbols.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    out
}
