//! Shows how far each of several things is, clouds mostly: a bar each on a terminal, lines in the log elsewhere.
//!
//! Deliberately silent elsewhere unless `-v` is given: the table in the end says what came of it.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars of all.
pub struct Bars {
    screen: Option<MultiProgress>,
    width: usize,
}

impl Bars {
    /// Makes bars on `screen`, or none; `names` are to stand below each other.
    #[must_use]
    pub fn new<'a>(screen: Option<MultiProgress>, names: impl Iterator<Item = &'a str>) -> Self {
        Self { screen, width: names.map(|name| name.chars().count()).max().unwrap_or(0) }
    }

    /// Adds one of a number of steps.
    #[must_use]
    pub fn add(&self, name: &str, steps: u64) -> Progress {
        let bar = match &self.screen {
            Some(screen) => screen.add(ProgressBar::new(steps)),
            None => ProgressBar::hidden(),
        };
        let template = format!("{{prefix:{}}} [{{bar:12}}] {{elapsed:>4}}  {{wide_msg}}", self.width);
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress { name: name.to_owned(), bar }
    }
}

/// How far one of them is.
pub struct Progress {
    name: String,
    bar: ProgressBar,
}

impl Progress {
    /// Begins a step.
    pub fn step(&self, words: &str) {
        self.bar.inc(1);
        self.say(words);
    }

    /// Says what is done beside the steps.
    pub fn say(&self, words: &str) {
        log::info!("{}: {words}", self.name);
        self.bar.set_message(words.to_owned());
    }

    /// Leaves the bar as it is.
    pub fn end(&self, words: &str) {
        self.bar.abandon_with_message(words.to_owned());
    }
}
