//! Mutates expressions of the corpus for a while: `fuzz [--seconds N] [--seed N]`.
//!
//! A stand-in for coverage-guided fuzzing that needs nothing but this crate; the same seed gives the same texts. It
//! panics, and says the text, where something is printed that does not read or mean the same, or takes too long.

use std::time::{Duration, Instant};

use ehos_classad::{Ad, Context, Expr, function_names, symmetric_match};

/// What a single text may take, whatever it is.
const LIMIT: Duration = Duration::from_secs(2);

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

const PIECES: [&str; 40] = [
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
    "\"",
    "'",
    "\\",
    "//",
    "/*",
    "*/",
    "-",
    "!",
    "~",
    "&&",
    "||",
    "=?=",
    "=!=",
    " is ",
    " isnt ",
    ">>>",
    "MY.",
    "TARGET.",
    "parent.",
    "eval(",
    "regexp(",
    "strcat(",
    "1e308",
    "\\377",
    "é",
    "9223372036854775807",
    "\n",
];

/// Takes, doubles, swaps, replaces and joins parts of texts.
fn mutate(chance: &mut Chance, corpus: &[&str], functions: &[&str]) -> String {
    let mut text: Vec<char> = corpus[chance.below(corpus.len())].chars().collect();
    for _ in 0..=chance.below(6) {
        let at = chance.below(text.len() + 1);
        let length = chance.below(12).min(text.len() - at);
        match chance.below(8) {
            0 => drop(text.drain(at..at + length)),
            1 => {
                let part: Vec<char> = text[at..at + length].to_vec();
                let times = 1 + chance.below(4);
                text.splice(at..at, part.repeat(times));
            }
            2 | 3 => drop(text.splice(at..at, PIECES[chance.below(PIECES.len())].chars())),
            4 => {
                let other: Vec<char> = corpus[chance.below(corpus.len())].chars().collect();
                let from = chance.below(other.len() + 1);
                let part = other[from..].iter().take(chance.below(40)).copied().collect::<Vec<_>>();
                text.splice(at..at, part);
            }
            5 => drop(text.splice(at..at, format!("{}(", functions[chance.below(functions.len())]).chars())),
            6 if at < text.len() => {
                text[at] = char::from_u32(u32::try_from(chance.below(0x250)).unwrap_or(0)).unwrap_or('x');
            }
            _ => text.truncate(at.max(1)),
        }
        text.truncate(4_000);
    }
    text.into_iter().collect()
}

/// Does everything there is with a text; true if it is an expression.
#[expect(clippy::panic, reason = "a finding ends the run with its text")]
fn run(text: &str, my: &Ad, target: &Ad) -> bool {
    let context = Context::new(1_700_000_000).my(my).target(target);
    let _ = (Ad::parse_old_all(text), text.parse::<Ad>().map(|ad| symmetric_match(&ad, target, &context)));
    if let Ok(expr) = Expr::parse_old(text) {
        let _ = (context.evaluate(&expr), expr.to_old());
    }
    let Ok(expr) = Expr::parse(text) else { return false };
    let value = context.evaluate(&expr);
    let _ =
        (value.to_string(), expr.references(my), expr.to_indented(), context.evaluate(&expr.simplified(my)));
    let read = |printed: &str| match Expr::parse(printed) {
        Ok(expr) => expr,
        Err(error) => panic!("does not read again: {text:?} as {printed:?}: {error}"),
    };
    // HTCondor prints reals with 16 digits and `- 1` as ` -1`, so what is printed first may mean a little else.
    let mut once = read(&expr.to_string());
    let settles = (0..text.len() + 2).any(|_| {
        let twice = read(&once.to_string());
        let same = once == twice;
        once = twice;
        same
    });
    assert!(settles, "is printed differently every time: {text:?} as {once}");
    let (first, second) = (context.evaluate(&once), context.evaluate(&read(&once.to_string())));
    assert!(first.to_string() == second.to_string(), "means something else: {text:?} as {once}");
    true
}

#[expect(clippy::print_stdout, reason = "a command's answer")]
fn main() {
    let option = |name: &str, default: u64| {
        let value = std::env::args().skip_while(|arg| arg != name).nth(1);
        value.and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (seconds, seed) = (option("--seconds", 10), option("--seed", 1));
    let all = [
        include_str!("../tests/corpus/real.tsv"),
        include_str!("../tests/corpus/asked.tsv"),
        include_str!("../tests/corpus/generated.tsv"),
    ];
    let corpus: Vec<&str> =
        all.iter().flat_map(|file| file.lines()).filter_map(|line| line.split('\t').next()).collect();
    let functions: Vec<&str> = function_names().collect();
    let ad = |text| Ad::parse_old(text).unwrap_or_default();
    let my = ad(include_str!("../tests/corpus/my.ad"));
    let target = ad(include_str!("../tests/corpus/target.ad"));
    let mut chance = Chance(seed);
    let (start, mut runs, mut valid) = (Instant::now(), 0_u64, 0_u64);
    let (mut slowest, mut slowest_text) = (Duration::ZERO, String::new());
    while start.elapsed() < Duration::from_secs(seconds) {
        let text = mutate(&mut chance, &corpus, &functions);
        let begin = Instant::now();
        valid += u64::from(run(&text, &my, &target));
        let took = begin.elapsed();
        assert!(took < LIMIT, "took {took:?}: {text:?}");
        if took > slowest {
            (slowest, slowest_text) = (took, text);
        }
        runs += 1;
    }
    println!(
        "seed {seed}: {runs} texts in {seconds} s ({}/s), {valid} of them expressions, slowest {slowest:?}: {slowest_text}",
        runs / seconds.max(1)
    );
}
