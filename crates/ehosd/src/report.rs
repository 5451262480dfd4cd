//! Tells in the log what was seen, what was decided and why, so that a person can follow.
//!
//! Deliberately says nothing twice that has not changed.

use std::collections::{BTreeMap, BTreeSet};

use ehos_model::{CloudView, FailureKind, Snapshot};
use ehos_scaler::{Inventory, Note, Outcome, Plan, Unmet};
use ehos_terminal::DECISION;

/// What has been said already.
#[derive(Debug, Default)]
pub(crate) struct Report {
    unknown: BTreeSet<String>,
    /// Shapes of jobs with what they wait for; how many there are changes all the time.
    unmet: BTreeSet<String>,
    notes: BTreeSet<String>,
}

impl Report {
    /// Says what was decided, and what waits for what.
    pub(crate) fn decided(&mut self, plan: &Plan) {
        for step in &plan.steps {
            log::info!(target: DECISION, "{step}");
        }
        let waited = !self.unmet.is_empty();
        for line in self.not_yet_told(&plan.unmet) {
            log::warn!("{line}");
        }
        if waited && self.unmet.is_empty() {
            log::info!(target: DECISION, "every waiting job has its node, or one that is coming");
        }
    }

    /// Says what an operator should know, once as long as it is true.
    pub(crate) fn noted(&mut self, notes: &[Note]) {
        let some = !self.notes.is_empty();
        for line in self.new_notes(notes) {
            log::warn!("{line}");
        }
        if some && self.notes.is_empty() {
            log::info!(target: DECISION, "no image or template is to blame for anything any more");
        }
    }

    /// Gives those that were not true before.
    fn new_notes(&mut self, notes: &[Note]) -> Vec<String> {
        let told = std::mem::replace(&mut self.notes, notes.iter().map(ToString::to_string).collect());
        self.notes.difference(&told).cloned().collect()
    }

    /// Gives those that wait for something they did not wait for before.
    fn not_yet_told<'a>(&mut self, unmet: &'a [Unmet]) -> Vec<&'a Unmet> {
        let key = |unmet: &Unmet| format!("{}: {}", unmet.demand.request, unmet.blocker);
        let told = std::mem::replace(&mut self.unmet, unmet.iter().map(key).collect());
        unmet.iter().filter(|unmet| !told.contains(&key(unmet))).collect()
    }

    /// Says what was seen; what cannot be seen once, and once when it is back.
    pub(crate) fn seen(&mut self, snapshot: &Snapshot, inventory: &Inventory) {
        for (what, sight) in sights(snapshot) {
            match sight {
                Sight::Unknown(why) if !self.unknown.contains(&what) => {
                    log::warn!("{what} cannot be seen, so nothing is done about it: {why}");
                    self.unknown.insert(what);
                }
                Sight::ToldElsewhere => _ = self.unknown.remove(&what),
                Sight::Seen if self.unknown.remove(&what) => {
                    log::info!(target: DECISION, "{what} can be seen again");
                }
                _ => {}
            }
        }
        log::info!("seen: {}", summary(snapshot, inventory));
    }
}

/// Says how the steps went.
pub(crate) fn done(outcomes: &[Outcome]) {
    for outcome in outcomes {
        let action = &outcome.step.action;
        match &outcome.result {
            Ok(()) => log::info!("accepted: {action}"),
            // A job came first, as it should.
            Err(failure) if failure.kind == FailureKind::Conflict && !action.buys() => {
                log::info!(target: DECISION, "not now: {action}: {failure}");
            }
            Err(failure) => log::warn!("{action} failed: {failure}"),
        }
    }
}

/// What systemd shows of the daemon: nodes, waiting jobs and what cannot be seen, by name alone; why is in the log.
pub(crate) fn status(snapshot: &Snapshot, inventory: &Inventory) -> String {
    let unseen = |(what, sight)| matches!(sight, Sight::Unknown(_)).then_some(what);
    let blind: Vec<String> = sights(snapshot).filter_map(unseen).collect();
    let blind =
        if blind.is_empty() { String::new() } else { format!("; cannot be seen: {}", blind.join(", ")) };
    format!("{}; {}{blind}", census(inventory), waiting(snapshot))
}

/// What was seen, in a line.
fn summary(snapshot: &Snapshot, inventory: &Inventory) -> String {
    let slots = if snapshot.slots.seen().is_some() { "" } else { "; the slots are unknown" };
    let clouds: Vec<String> =
        snapshot.clouds.iter().map(|(name, view)| format!("{name}: {}", describe(view))).collect();
    format!("{}; {}{slots}; {}", waiting(snapshot), census(inventory), clouds.join("; "))
}

/// Counts the jobs that wait: `12 jobs of 2 shapes wait`.
fn waiting(snapshot: &Snapshot) -> String {
    match snapshot.demand.seen() {
        None => "the queue is unknown".to_owned(),
        Some(demand) => {
            let idle: u64 = demand.iter().map(|group| group.idle).sum();
            match demand.len() {
                0 => "no job waits".to_owned(),
                1 => format!("{} of one shape wait{}", jobs(idle), if idle == 1 { "s" } else { "" }),
                shapes => format!("{} of {shapes} shapes wait", jobs(idle)),
            }
        }
    }
}

/// Counts nodes by what they do: `4 nodes: 2 busy, 1 idle, 1 building`.
pub(crate) fn census(inventory: &Inventory) -> String {
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &inventory.nodes {
        *phases.entry(node.phase.word()).or_default() += 1;
    }
    let list: Vec<String> = phases.iter().map(|(word, n)| format!("{n} {word}")).collect();
    match inventory.nodes.len() {
        0 => "no node".to_owned(),
        1 => format!("1 node: {}", list.join(", ")),
        n => format!("{n} nodes: {}", list.join(", ")),
    }
}

fn describe(view: &CloudView) -> String {
    match (view.servers.seen(), view.offer.seen()) {
        (Some(servers), Some(offer)) => {
            let quota = &offer.quota;
            let left =
                |left: u64, amount: String| if left == u64::MAX { "no limit".to_owned() } else { amount };
            let count = |n: u64| left(n, n.to_string());
            let memory = quota.memory_left();
            format!(
                "{} server{}, left {} servers, {} cores, {} memory",
                servers.len(),
                if servers.len() == 1 { "" } else { "s" },
                count(quota.instances.left()),
                count(quota.cores.left()),
                left(memory.0, memory.to_string())
            )
        }
        _ => "unknown".to_owned(),
    }
}

pub(crate) fn jobs(n: u64) -> String {
    if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
}

/// Names all that could not be seen, with the reason.
pub(crate) fn unknown(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    sights(snapshot).filter_map(|(what, sight)| match sight {
        Sight::Unknown(why) => Some(format!("{what}: {why}")),
        Sight::Seen | Sight::ToldElsewhere => None,
    })
}

/// How something that is looked at can be seen.
#[derive(Clone, Copy)]
enum Sight<'a> {
    Seen,
    Unknown(&'a str),
    /// Not seen either, and told of with the whole cloud, or of its parts.
    ToldElsewhere,
}

impl<'a> From<Option<&'a str>> for Sight<'a> {
    fn from(why: Option<&'a str>) -> Self {
        why.map_or(Self::Seen, Self::Unknown)
    }
}

/// Names all that is looked at; a cloud as a whole where one cause hides all of it, as a failed login does.
fn sights(snapshot: &Snapshot) -> impl Iterator<Item = (String, Sight<'_>)> {
    let pool = [("the queue", snapshot.demand.unknown()), ("the slots", snapshot.slots.unknown())];
    let pool = pool.into_iter().map(|(what, why)| (what.to_owned(), why.into()));
    let clouds = snapshot.clouds.iter().flat_map(|(name, view)| {
        let (whole, servers, offer) = match (view.servers.unknown(), view.offer.unknown()) {
            (Some(why), Some(same)) if why == same => {
                (Sight::Unknown(why), Sight::ToldElsewhere, Sight::ToldElsewhere)
            }
            (None, None) => (Sight::Seen, Sight::Seen, Sight::Seen),
            (servers, offer) => (Sight::ToldElsewhere, servers.into(), offer.into()),
        };
        [
            (format!("cloud {name}"), whole),
            (format!("the servers of {name}"), servers),
            (format!("the offer of {name}"), offer),
        ]
    });
    pool.chain(clouds)
}

/// What `--dry-run` prints: what was seen, what would be done, what waits for what.
pub(crate) fn outlook(snapshot: &Snapshot, inventory: &Inventory, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("seen     {}", summary(snapshot, inventory))];
    lines.extend(unknown(snapshot).map(|what| format!("unknown  {what}")));
    lines.extend(plan.notes.iter().map(|note| format!("note     {note}")));
    lines.extend(plan.steps.iter().map(|step| format!("would    {step}")));
    lines.extend(plan.unmet.iter().map(|unmet| format!("waiting  {unmet}")));
    if plan.steps.is_empty() {
        lines.push("would    do nothing".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ehos_model::{Autocluster, Mebibytes, Observed, Resources, Timestamp};
    use ehos_scaler::{Blocker, Waiting};

    #[test]
    fn a_blocker_is_told_once_however_many_jobs_it_keeps_waiting() {
        let unmet = |jobs, max| Unmet {
            demand: Waiting {
                autocluster: Autocluster(1),
                request: Resources { cores: 1, memory: Mebibytes(1024), ..Resources::default() },
                jobs,
            },
            blocker: Blocker::NodeLimit { cloud: None, max },
        };
        let mut report = Report::default();
        for (row, unmet, told) in [
            ("new", vec![unmet(8, 6)], 1),
            ("fewer jobs", vec![unmet(6, 6)], 0),
            ("another blocker", vec![unmet(6, 9)], 1),
            ("none waits", vec![], 0),
            ("the same after a while", vec![unmet(6, 9)], 1),
        ] {
            assert_eq!(report.not_yet_told(&unmet).len(), told, "{row}");
        }
    }

    #[test]
    fn a_note_is_told_once_and_stands_in_every_outlook() {
        let note = |image: &str| Note::Image {
            cloud: "bergen".into(),
            image: image.into(),
            instead: Some("old".into()),
            failed: vec!["x".into(), "y".into(), "z".into()],
        };
        let mut report = Report::default();
        for (row, notes, told) in [
            ("new", vec![note("one")], 1),
            ("still true", vec![note("one")], 0),
            ("another image", vec![note("two")], 1),
            ("over", vec![], 0),
            ("the same after a while", vec![note("two")], 1),
        ] {
            assert_eq!(report.new_notes(&notes).len(), told, "{row}");
        }
        let at = Timestamp::now();
        let snapshot = Snapshot {
            at,
            seed: 1,
            demand: Observed::Seen { at, value: vec![] },
            slots: Observed::Seen { at, value: vec![] },
            clouds: BTreeMap::new(),
        };
        let plan = Plan { notes: vec![note("one")], ..Plan::default() };
        let lines = outlook(&snapshot, &Inventory::default(), &plan);
        let line = lines.iter().find(|line| line.starts_with("note ")).unwrap();
        assert!(line.contains("image one of bergen is set aside") && line.contains("x, y, z"), "{line}");
    }

    #[test]
    fn one_cause_is_told_once_and_two_are_told_apart() {
        let at = Timestamp::now();
        for (servers, offer, told) in [
            ("login: no", "login: no", vec!["cloud bergen: login: no"]),
            ("slow", "gone", vec!["the servers of bergen: slow", "the offer of bergen: gone"]),
        ] {
            let view = CloudView {
                servers: Observed::Unknown { since: at, why: servers.to_owned() },
                offer: Observed::Unknown { since: at, why: offer.to_owned() },
                template: None,
            };
            let snapshot = Snapshot {
                at,
                seed: 1,
                demand: Observed::Seen { at, value: vec![] },
                slots: Observed::Seen { at, value: vec![] },
                clouds: [("bergen".into(), view)].into(),
            };
            assert_eq!(unknown(&snapshot).collect::<Vec<_>>(), told);
            let status = status(&snapshot, &Inventory::default());
            let names = told.iter().filter_map(|line| line.split(':').next()).collect::<Vec<_>>().join(", ");
            assert_eq!(status, format!("no node; no job waits; cannot be seen: {names}"));
        }
    }
}
