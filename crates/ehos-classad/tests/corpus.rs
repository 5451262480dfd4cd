//! The corpus: every expression is read, printed and evaluated as HTCondor 25.14 does it.
//!
//! `tests/oracle/oracle.py` has made the answers; see the crate's README.

mod support;

use ehos_classad::{Context, Expr};

#[test]
fn real_expressions() {
    support::compare(include_str!("corpus/real.tsv")).assert_none("real.tsv");
}

#[test]
fn questions_asked_by_hand() {
    support::compare(include_str!("corpus/asked.tsv")).assert_none("asked.tsv");
}

#[test]
fn generated_expressions() {
    support::compare(include_str!("corpus/generated.tsv")).assert_none("generated.tsv");
}

#[test]
fn documented_differences_are_as_documented() {
    let (my, target) = support::ads();
    let context = Context::new(support::NOW).my(&my).target(&target);
    let mut seen = 0;
    for line in include_str!("corpus/differences.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [text, ours, theirs, why] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four fields: {line}");
        };
        let found = match Expr::parse(text) {
            Ok(expr) => format!("{expr} => {}", context.evaluate(&expr)),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(found, ours, "{text}: {why}");
        assert_ne!(ours, theirs, "no difference: {text}");
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn what_is_printed_reads_the_same() {
    let all = [
        include_str!("corpus/real.tsv"),
        include_str!("corpus/asked.tsv"),
        include_str!("corpus/generated.tsv"),
    ];
    for line in all.iter().flat_map(|file| file.lines()) {
        let text = line.split('\t').next().unwrap_or_default();
        let Ok(expr) = Expr::parse(text) else { continue };
        for printed in [expr.to_string(), expr.to_indented()] {
            let again = Expr::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
            // `- 1` prints as ` -1`, which is the number.
            assert_eq!(again.to_string().replace(' ', ""), expr.to_string().replace(' ', ""), "{text}");
        }
        let old = expr.to_old();
        if !text.contains('\\') {
            Expr::parse_old(&old).unwrap_or_else(|error| panic!("{old}: {error}"));
        }
    }
}
