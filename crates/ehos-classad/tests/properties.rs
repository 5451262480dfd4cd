//! Whatever the text: no panic, no overflow of the stack, and an end in time.

#[path = "support/ads.rs"]
mod support;

use std::time::{Duration, Instant};

use ehos_classad::{Ad, Context, Expr, Problem, Value};
use proptest::prelude::*;

fn token() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        "=",
        "?",
        ":",
        "?:",
        ".",
        "..",
        "\"",
        "'",
        "\\",
        "//",
        "/*",
        "*/",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&&",
        "||",
        "&",
        "|",
        "^",
        "~",
        "!",
        "<",
        "<=",
        ">>",
        ">>>",
        "<<",
        "==",
        "=?=",
        "=!=",
        "is",
        "isnt",
        "true",
        "undefined",
        "error",
        "MY.",
        "TARGET.",
        "parent",
        "self",
        "a",
        "ad",
        "l",
        "c1",
        "n",
        "Requirements",
        "1",
        "1.5",
        "1e5",
        "1e",
        "08",
        "10K",
        "9223372036854775808",
        "-9223372036854775808",
        "\"x\"",
        "\"\\1\"",
        "'x y'",
        "eval(",
        "strcat(",
        "regexp(",
        "size(",
        "member(",
        "evalInEachContext(",
        "countMatches(",
        "unparse(",
        "split(",
        "absTime(",
        "relTime(",
        "formatTime(",
        "splitTime(",
        "random(",
        "time()",
        "\n",
        "\t",
        "é",
        "\0",
        "\"%c\"",
    ]);
    let name = prop::sample::select(ehos_classad::function_names().collect::<Vec<_>>());
    prop_oneof![8 => fixed.prop_map(str::to_owned), 2 => name.prop_map(|name| format!("{name}("))]
}

#[expect(clippy::panic, reason = "a finding, with its text")]
fn check(text: &str) {
    let (my, target) = support::ads();
    let start = Instant::now();
    for parsed in [Expr::parse(text), Expr::parse_old(text)] {
        let Ok(expr) = parsed else { continue };
        let context = Context::new(support::NOW).my(&my).target(&target);
        let value = context.evaluate(&expr);
        let _ = (value.to_string(), expr.references(&my), expr.simplified(&my).to_string());
        let read = |text: &str| Expr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        // Reals are printed with 16 digits and `- 1` as ` -1`: what is read first may mean a little else.
        let mut once = read(&expr.to_string());
        let settles = (0..text.len() + 2).any(|_| {
            let twice = read(&once.to_string());
            let same = once == twice;
            once = twice;
            same
        });
        assert!(settles, "{text}");
        let (first, second) = (context.evaluate(&once), context.evaluate(&read(&once.to_string())));
        assert_eq!(first.to_string(), second.to_string(), "{once}");
    }
    let _ = (text.parse::<Ad>(), Ad::parse_old_all(text));
    assert!(start.elapsed() < Duration::from_secs(5), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        check(&text);
    }

    #[test]
    fn tokens(tokens in prop::collection::vec(token(), 0..30), close in any::<bool>()) {
        let mut text = tokens.join(" ");
        if close {
            let open = text.matches('(').count().saturating_sub(text.matches(')').count());
            text.push_str(&")".repeat(open));
        }
        check(&text);
    }
}

/// A text that goes as deep as brackets, lists, ads, calls and operators together can.
fn deep(levels: usize, open: &str, inner: &str, close: &str) -> String {
    open.repeat(levels) + inner + &close.repeat(levels)
}

#[test]
fn depth_is_refused_before_the_stack_ends() {
    let rows: &[(&str, &str, &str, &str)] = &[
        ("brackets", "(", "1", ")"),
        ("operators", "1||1&&1|1^1&1==1<1<<1+1*(", "1", ")"),
        ("signs", "-(!~+(", "1", "))"),
        ("lists", "{", "1", "}"),
        ("ads", "[a=", "1", "]"),
        ("calls", "strcat(1+1*", "1", ")"),
        ("conditions", "1?1:(1?", "1", ":1)"),
        ("subscripts", "l[", "1", "]"),
        ("points", "", "a", ".a"),
        ("defaults in brackets", "(u?:", "1", ")"),
        ("functions of functions", "ifThenElse(true,member(1,{1,size({", "1", "})}),2)"),
    ];
    for (name, open, inner, close) in rows {
        for levels in [10, 17, 40, 60, 90, 140, 190, 210, 1_000, 50_000] {
            let text = deep(levels, open, inner, close);
            match Expr::parse(&text) {
                Ok(expr) => {
                    let (my, target) = support::ads();
                    let context = Context::new(0).my(&my).target(&target);
                    let _ = (context.evaluate(&expr), expr.to_string(), expr.to_indented());
                    let _ = (expr.references(&my), expr.simplified(&my), expr == expr.clone());
                }
                Err(error) => assert_eq!(error.problem, Problem::Depth, "{name} {levels}"),
            }
        }
    }
}

#[test]
fn long_chains_are_no_deep_trees() {
    for op in ["||", "&&", "+", "?:", "|"] {
        let text = vec!["u"; 20_000].join(op);
        let expr: Expr = text.parse().unwrap();
        let my: Ad = "[u = undefined]".parse().unwrap();
        assert!(Context::new(0).my(&my).evaluate(&expr).is_undefined(), "{op}");
    }
}

#[test]
fn attributes_that_lead_on_for_long_are_an_error() {
    // `N` is the next attribute; the last one has a text as deep as the parser takes.
    let rows = [
        "(N + 0)",
        "strcat(\"\", N)",
        "join(\",\", {N})",
        "ifThenElse(true, N, 0)",
        "member(N, {N})",
        "sum({N})",
        "quantize(N, {1})",
        "allCompare(\"==\", {N}, N)",
        "eval(\"N\")",
        "evalInEachContext(N, {[x = 1]})[0]",
        "regexp(\"1\", N)",
        "stringListMember(N, N)",
        "[b = N].b",
        "{[b = N]}.b",
        "{N}[0]",
        "formatTime(0, N)",
        "mergeEnvironment(N)",
        "substr(N, 0)",
        "versioncmp(N, N)",
        "replaceAll(\"x\", N, N)",
        "N ?: N",
        "-N",
        "true ? N : N",
    ];
    for row in rows {
        for length in [60, 10_000] {
            let last = format!("eval(\"{}\")", deep(190, "(", "1", ")"));
            let attributes = (0..length).map(|index| {
                let text = row.replace('N', &format!("a{}", index + 1));
                let text = if index + 1 < length { &text } else { &last };
                (ehos_classad::Name::new(&format!("a{index}")), Expr::parse(text).unwrap())
            });
            let my: Ad = attributes.collect();
            let value = my.evaluate("a0", &Context::new(0));
            assert!(length == 60 || value.is_error(), "{row}: {value}");
        }
    }
    let my: Ad = (0..100)
        .map(|index| {
            let text = if index < 99 { format!("(a{} + 0)", index + 1) } else { "1".to_owned() };
            (ehos_classad::Name::new(&format!("a{index}")), Expr::parse(&text).unwrap())
        })
        .collect();
    assert_eq!(my.evaluate("a0", &Context::new(0)), Value::Int(1));
}

#[test]
fn work_that_doubles_ends() {
    let mut lines = vec!["a0 = \"0123456789\"".to_owned()];
    lines.extend((1..60).map(|level| format!("a{level} = strcat(a{0}, a{0})", level - 1)));
    let mut text = lines.join("\n") + "\n";
    text += "evals = eval(strcat(\"evals2 + \", string(1)))\nevals2 = eval(\"evals + 1\")\n";
    text += "big = {1,2,3,4,5,6,7,8,9,10}\n";
    text += "loop = member(11, {member(11, {member(11, big), member(11, big)}), member(11, big)})\n";
    let my = Ad::parse_old(&text).unwrap();
    for expr in
        ["a59", "evals", "loop", "isError(a59)", "regexp(\"(x{900}){900}\", a3)", "replaceAll(\"\", a9, a9)"]
    {
        let start = Instant::now();
        let value = Context::new(0).my(&my).evaluate(&expr.parse().unwrap());
        assert!(start.elapsed() < Duration::from_secs(2), "{expr}: {value}");
    }
    assert_eq!(my.evaluate("a59", &Context::new(0)), Value::Error);
}

#[test]
fn equal_contexts_give_equal_values() {
    let expr: Expr = "{random(1000), random(1.0)}".parse().unwrap();
    let all = |seed| {
        let context = Context::new(0).seed(seed);
        let Value::List(list) = context.evaluate(&expr) else { panic!("a list") };
        context.elements(&list)
    };
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
    let Some(Value::Int(int)) = all(3).into_iter().next() else { panic!("an integer") };
    assert!((0..1_000).contains(&int));
}

#[test]
fn numbers_at_the_ends_of_their_range_do_not_overflow() {
    let ends = [
        "9223372036854775807",
        "-9223372036854775808",
        "2147483648",
        "1e308",
        "-1e308",
        "1e400",
        "real(\"NaN\")",
    ];
    let forms = [
        "formatTime([Year = N; Month = N; Day = N; Hours = N; Minutes = N; Seconds = N], \"%c %s %V %G %U %W %j %y %C\")",
        "formatTime(N, \"%c %s %V %G %U %W %j %y %C\")",
        "splitTime(N)",
        "splitTime(relTime(N))",
        "string(absTime(N, N))",
        "string(absTime(N, 2147483647))",
        "absTime(N) - absTime(-1)",
        "absTime(N) + relTime(N)",
        "absTime(N) - relTime(N)",
        "string(relTime(N) * N)",
        "getYear(absTime(N)) + getDays(relTime(N)) + getSeconds(relTime(N)) + getDayOfYear(absTime(N))",
        "interval(N)",
        "quantize(N, N) + quantize(N, -1) + quantize(-1, N) + quantize(N, {N, -1, 0})",
        "pow(N, N) + pow(N, -N)",
        "floor(N) + ceiling(N) + round(N) + int(N)",
        "substr(\"abc\", N, N)",
        "{1}[N]",
        "N / -1",
        "N % -1",
        "-(N) - N * N",
        "1 << N",
        "-1 >> N",
        "-1 >>> N",
        "random(N)",
        "sum({N, N}) + avg({N, N}) + max({N, N})",
        "dayTime() + timezoneOffset()",
        "versioncmp(N, strcat(N, \"0\"))",
    ];
    for form in forms {
        for end in ends {
            let expr: Expr = form.replace('N', end).parse().unwrap_or_else(|error| panic!("{form}: {error}"));
            for now in [0, i64::MIN, i64::MAX] {
                let context = Context::new(now).utc_offset(i32::MIN);
                let _ = (context.evaluate(&expr).to_string(), Context::new(now).evaluate(&expr).to_string());
            }
        }
    }
}
