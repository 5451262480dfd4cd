//! Shows how far each cloud is: a bar each on a terminal, lines in the log elsewhere.
//!
//! Deliberately silent elsewhere unless `-v` is given: the table in the end says what came of it.

use std::time::Duration;

use ehos_model::CloudName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::build::STEPS;

/// The bars of all clouds.
pub(crate) struct Bars {
    screen: Option<MultiProgress>,
    width: usize,
}

impl Bars {
    /// Makes bars on `screen`, or none; `names` are to stand below each other.
    pub(crate) fn new<'a>(screen: Option<MultiProgress>, names: impl Iterator<Item = &'a CloudName>) -> Self {
        Self { screen, width: names.map(|name| name.as_str().chars().count()).max().unwrap_or(0) }
    }

    /// Adds a cloud.
    pub(crate) fn add(&self, name: &CloudName) -> Progress {
        let bar = match &self.screen {
            Some(screen) => screen.add(ProgressBar::new(STEPS)),
            None => ProgressBar::hidden(),
        };
        let template = format!("{{prefix:{}}} [{{bar:12}}] {{elapsed:>4}}  {{wide_msg}}", self.width);
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_string());
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress { name: name.clone(), bar }
    }
}

/// How far one cloud is.
pub(crate) struct Progress {
    name: CloudName,
    bar: ProgressBar,
}

impl Progress {
    /// Begins a step.
    pub(crate) fn step(&self, words: &str) {
        self.bar.inc(1);
        self.say(words);
    }

    /// Says what is done beside the steps.
    pub(crate) fn say(&self, words: &str) {
        log::info!("{}: {words}", self.name);
        self.bar.set_message(words.to_owned());
    }

    /// Leaves the bar as it is.
    pub(crate) fn end(&self, words: &str) {
        self.bar.abandon_with_message(words.to_owned());
    }
}
