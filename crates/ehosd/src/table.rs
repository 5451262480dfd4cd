//! The live table of an embedded world: on a terminal it stands still at the bottom, elsewhere it is plain lines.
//!
//! Deliberately only for the embedded world: a real pool has its log and its own tools.

use std::io::{IsTerminal as _, Write as _};

use ehos_config::Config;
use ehos_model::{Slot, Timestamp, elapsed};
use ehos_scaler::{Node, Phase};
use ehos_sim::{Stats, World};
use ehos_terminal::aligned;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::Cli;
use crate::report::census;
use crate::tick::Tick;

/// The table, or the lines that stand for it.
pub(crate) struct Table {
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    live: bool,
    told: String,
}

impl Table {
    /// Makes one where the configuration is embedded and the daemon stays for a while.
    pub(crate) fn for_config(config: &Config, cli: &Cli) -> Option<Self> {
        if !config.is_embedded() || cli.check || cli.dry_run || cli.once || cli.quiet {
            return None;
        }
        let live = std::io::stderr().is_terminal();
        Some(Self { screen: MultiProgress::new(), lines: Vec::new(), live, told: String::new() })
    }

    /// The screen that log lines must go above of.
    pub(crate) fn screen(&self) -> Option<MultiProgress> {
        self.live.then(|| self.screen.clone())
    }

    /// Shows what a tick has seen.
    pub(crate) fn show(&mut self, tick: &Tick, world: Option<&World>) {
        let Some(stats) = world.map(World::stats) else { return };
        let headline = format!("{}; {}", jobs(&stats), census(&tick.inventory));
        if !self.live {
            if headline != self.told {
                let _closed_pipe = writeln!(std::io::stdout(), "{headline}");
                self.told = headline;
            }
            return;
        }
        let mut rows = vec![["node", "cloud", "flavor", "state", "cores", "for"].map(str::to_owned)];
        rows.extend(tick.inventory.nodes.iter().map(|node| row(node, tick)));
        // An empty line would not be drawn.
        let mut lines = vec![" ".to_owned(), format!("embedded world, nothing is bought.  {headline}")];
        lines.extend(aligned(&rows));
        self.draw(lines);
    }

    /// Says how it ended.
    pub(crate) fn finish(&mut self, world: Option<&World>) {
        self.lines.clear();
        let _gone_anyway = self.screen.clear();
        if let Some(stats) = world.map(World::stats) {
            let _closed_pipe = writeln!(std::io::stdout(), "at the end: {}", jobs(&stats));
        }
    }

    fn draw(&mut self, lines: Vec<String>) {
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                line.finish_and_clear();
            }
        }
        while self.lines.len() < lines.len() {
            let line = self.screen.add(ProgressBar::no_length());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for (line, text) in self.lines.iter().zip(lines) {
            line.set_message(text);
            line.tick();
        }
    }
}

fn jobs(stats: &Stats) -> String {
    format!("jobs: {} wait, {} run, {} done", stats.idle, stats.running, stats.finished)
}

fn row(node: &Node, tick: &Tick) -> [String; 6] {
    let sum = |part: fn(&Slot) -> u32| node.slots.iter().map(part).sum::<u32>();
    let (total, free) = (sum(|slot| slot.total.cores), sum(|slot| slot.free.cores));
    let cores = if total > 0 { format!("{}/{total}", total.saturating_sub(free)) } else { String::new() };
    let since = since(&node.phase).map(|since| format!("{} s", elapsed(since, tick.snapshot.at).as_secs()));
    [
        node.id.to_string(),
        node.cloud.to_string(),
        node.flavor.to_string(),
        node.phase.word().to_owned(),
        cores,
        since.unwrap_or_default(),
    ]
}

/// Since when a node is in its phase, where that is known.
fn since(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Building { since }
        | Phase::Joining { since }
        | Phase::Idle { since }
        | Phase::Draining { since, .. }
        | Phase::Drained { since }
        | Phase::Lost { since, .. } => Some(*since),
        Phase::Busy { .. } | Phase::Deleting | Phase::Failed { .. } => None,
    }
}
