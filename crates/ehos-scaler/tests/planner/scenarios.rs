//! Told stories: `tests/scenarios/NAME.txt` is the script, `NAME.timeline` what the planner did, tick by tick.
//!
//! `UPDATE_SCENARIOS=1 cargo test -p ehos-scaler` writes the timelines anew; read the difference before it is
//! committed. The words of a script are those of the `command` functions below, one command a line, `#` begins a
//! remark; a size is `cores/GiB` or `cores/GiB/gpus`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use ehos_model::{
    Allowance, FailureKind, Mebibytes, NodeAllocation, NodeId, NodeLimits, Policy, PolicyDraft, Resources,
    ServerStatus, Timestamp,
};
use ehos_scaler::Memory;

use crate::world::{Fate, ModelCloud, Startd, World, cloud, cloud_policy, draft, size};

/// A script under way.
struct Story {
    draft: PolicyDraft,
    clouds: Vec<(String, ModelCloud)>,
    world: Option<World>,
    begun: Timestamp,
    killed: bool,
    names: BTreeMap<NodeId, String>,
    unmet: BTreeSet<String>,
    notes: BTreeSet<String>,
    told: String,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it asks how the test was called; nothing is decided by it")]
fn scenarios_go_as_told() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut scripts: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 10);
    let mut wrong = Vec::new();
    for script in scripts {
        let told = tell(&fs::read_to_string(&script).unwrap());
        let golden = script.with_extension("timeline");
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&golden, &told).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != told {
            wrong.push(format!("{}:\n{told}", script.display()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_SCENARIOS=1 accepts these:\n{}", wrong.join("\n"));
}

fn tell(script: &str) -> String {
    let mut story = Story {
        draft: draft(),
        clouds: Vec::new(),
        world: None,
        begun: Timestamp::UNIX_EPOCH,
        killed: false,
        names: BTreeMap::new(),
        unmet: BTreeSet::new(),
        notes: BTreeSet::new(),
        told: String::new(),
    };
    for line in script.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if !story.setting(&words) {
            story.begin();
            writeln!(story.told, "> {}", words.join(" ")).unwrap();
            story.event(&words);
        }
    }
    let world = story.world.as_ref().unwrap();
    let (servers, finished, waiting) = (world.servers(), world.finished, world.idle_jobs());
    writeln!(
        story.told,
        "end: {servers} servers, {} bought; {finished} jobs finished, {waiting} wait, {} lost",
        world.created, world.lost_jobs
    )
    .unwrap();
    story.told
}

impl Story {
    /// Commands that describe the world; they stand before the first event.
    fn setting(&mut self, words: &[&str]) -> bool {
        match words {
            ["limits", rest @ ..] => {
                let value = |key| option(rest, key).map_or(0, |n| n.parse().unwrap());
                self.draft.limits = NodeLimits::new(value("min"), value("max"), value("spare")).unwrap();
                // In the middle of a story it is a reload.
                if let Some(world) = &mut self.world {
                    world.policy = Policy::try_from(self.draft.clone()).unwrap();
                    writeln!(self.told, "> {}", words.join(" ")).unwrap();
                }
                return true;
            }
            _ if self.world.is_some() => return false,
            ["allocation", word] => {
                self.draft.allocation = match *word {
                    "round-robin" => NodeAllocation::RoundRobin,
                    "random" => NodeAllocation::Random,
                    "fill-first" => NodeAllocation::FillFirst,
                    "cheapest" => NodeAllocation::Cheapest,
                    "least-waste" => NodeAllocation::LeastWaste,
                    other => panic!("allocation {other}"),
                }
            }
            ["idle_grace", time] => self.draft.idle_grace = span(time),
            ["boot_timeout", time] => self.draft.boot_timeout = span(time),
            ["lost_timeout", time] => self.draft.lost_timeout = span(time),
            ["drain_timeout", time] => self.draft.drain_timeout = Some(span(time)),
            ["cloud", name, rest @ ..] if option(rest, "flavors").is_some() => self.add_cloud(name, rest),
            _ => return false,
        }
        true
    }

    fn add_cloud(&mut self, name: &str, rest: &[&str]) {
        let flavors: Vec<(&str, Resources)> = option(rest, "flavors")
            .unwrap()
            .split(',')
            .map(|flavor| flavor.split_once(':').unwrap())
            .map(|(name, of)| (name, resources(of)))
            .collect();
        let names: Vec<&str> = flavors.iter().map(|(name, _)| *name).collect();
        let mut policy = cloud_policy(name, &names);
        policy.nodes_max = option(rest, "max").map(|n| n.parse().unwrap());
        policy.priority = option(rest, "priority").map_or(0, |n| n.parse().unwrap());
        policy.price = option(rest, "price").map(|n| n.parse().unwrap());
        policy.reserve.cores = option(rest, "reserve").map_or(0, |n| n.parse().unwrap());
        if let Some(n) = option(rest, "creating") {
            policy.max_creating = NonZeroU32::new(n.parse().unwrap()).unwrap();
        }
        self.draft.clouds.push(policy);
        let mut model = cloud(&flavors);
        model.quota.cores = Allowance { max: option(rest, "cores").map(|n| n.parse().unwrap()), used: 0 };
        self.clouds.push((name.to_owned(), model));
    }

    fn begin(&mut self) {
        if self.world.is_none() {
            let mut world = World::new(self.draft.clone(), Vec::new());
            world.clouds = self.clouds.drain(..).map(|(name, cloud)| (name.into(), cloud)).collect();
            self.begun = world.at;
            self.world = Some(world);
        }
    }

    /// Commands that make something happen.
    fn event(&mut self, words: &[&str]) {
        let names = &self.names;
        let node = |alias: &str| {
            names
                .iter()
                .find(|(_, name)| *name == alias)
                .map_or_else(|| panic!("no node {alias}"), |(id, _)| id.clone())
        };
        let world = self.world.as_mut().unwrap();
        match words {
            ["submit", jobs, "of", request, "for", time, rest @ ..] => {
                let requirements = rest.get(1).map(|word| (*word).to_owned());
                world.submit_with(resources(request), requirements, jobs.parse().unwrap(), seconds(time));
            }
            ["overhead", gib] => world.overhead = gib.trim_end_matches("MiB").parse().unwrap(),
            ["boot", time] => world.boot_seconds = seconds(time),
            ["next", "create", fate @ ..] => world.fates.push(self::fate(fate)),
            ["cloud", name, state] => world.clouds.get_mut(*name).unwrap().down = *state == "down",
            ["queue", state] => world.queue_down = *state == "down",
            ["collector", state] => world.collector_down = *state == "down",
            ["image", cloud, image] => world.configure(cloud, Some(image), None),
            ["template", cloud, template] => world.configure(cloud, None, Some(template)),
            ["flavors", cloud, names] => {
                let policy = self.draft.clouds.iter_mut().find(|policy| policy.name.as_str() == *cloud);
                policy.unwrap().flavors = names.split(',').map(Into::into).collect();
                world.policy = Policy::try_from(self.draft.clone()).unwrap();
            }
            ["spoil", what] => _ = world.spoiled.insert((*what).to_owned()),
            ["cure", what] => _ = world.spoiled.remove(*what),
            ["lag", state] => world.lagging = *state == "on",
            ["forget"] => world.memory = Memory::default(),
            ["kill"] => self.killed = true,
            ["strike", alias, what] => {
                let status = match *what {
                    "error" => Some(ServerStatus::Error),
                    "shutoff" => Some(ServerStatus::Shutoff),
                    "suspended" => Some(ServerStatus::Other("SUSPENDED".to_owned())),
                    "gone" => None,
                    other => panic!("strike {other}"),
                };
                world.strike(&node(alias), status.as_ref());
            }
            ["foreign", total] => foreign(world, resources(total)),
            ["wait", time] => world.advance(seconds(time)),
            ["tick"] => self.tick(),
            ["run", time] => {
                for _ in 0..seconds(time) / 30 {
                    self.world.as_mut().unwrap().advance(30);
                    self.tick();
                }
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    fn tick(&mut self) {
        let world = self.world.as_mut().unwrap();
        let time = span_words(ehos_model::elapsed(self.begun, world.at));
        let (_, plan, outcomes) = world.tick(std::mem::take(&mut self.killed));
        for step in &plan.steps {
            if let Some(node) = step.action.node() {
                let next = format!("n{}", self.names.len() + 1);
                self.names.entry(node.clone()).or_insert(next);
            }
        }
        let mut lines: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
        for (line, outcome) in lines.iter_mut().zip(&outcomes) {
            if let Err(failure) = &outcome.result {
                write!(line, " -> {failure}").unwrap();
            }
        }
        let unmet: BTreeSet<String> = plan.unmet.iter().map(ToString::to_string).collect();
        lines.extend(unmet.difference(&self.unmet).map(|line| format!("unmet: {line}")));
        if unmet.is_empty() && !self.unmet.is_empty() {
            lines.push("unmet: nothing any more".to_owned());
        }
        self.unmet = unmet;
        let notes: BTreeSet<String> = plan.notes.iter().map(ToString::to_string).collect();
        lines.extend(notes.difference(&self.notes).map(|line| format!("note: {line}")));
        if notes.is_empty() && !self.notes.is_empty() {
            lines.push("note: nothing any more".to_owned());
        }
        self.notes = notes;
        for mut line in lines {
            for (id, name) in &self.names {
                line = line.replace(id.as_str(), name);
            }
            writeln!(self.told, "{time}  {line}").unwrap();
        }
    }
}

fn foreign(world: &mut World, total: Resources) {
    let id = NodeId::new("desk");
    let cloud = world.clouds.keys().next().unwrap().clone();
    let at = world.at;
    world.startds.insert(
        id,
        Startd {
            cloud,
            flavor: "none".into(),
            total,
            jobs: Vec::new(),
            draining: false,
            started: at,
            starts: 0,
            heard: at,
            cut_off: None,
            foreign: true,
        },
    );
}

fn fate(words: &[&str]) -> Fate {
    match words {
        ["error"] => Fate::Error,
        ["never-joins"] => Fate::NeverJoins,
        ["lost-call"] => Fate::LostCall,
        ["lost-answer", time] => Fate::LostAnswer(seconds(time)),
        ["quota"] => Fate::Refused(FailureKind::Quota),
        ["no-valid-host"] => Fate::Refused(FailureKind::NoValidHost),
        ["auth"] => Fate::Refused(FailureKind::Auth),
        other => panic!("next create {other:?}"),
    }
}

fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn resources(text: &str) -> Resources {
    let mut parts = text.split('/').map(|n| n.parse::<u32>().unwrap());
    let cores = parts.next().unwrap();
    let gib = parts.next().unwrap();
    Resources { disk: Mebibytes(0), ..size(cores, gib.into(), parts.next().unwrap_or(0)) }
}

fn seconds(text: &str) -> u32 {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u32 = number.parse().unwrap();
    match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        other => panic!("unit {other}"),
    }
}

fn span(text: &str) -> Duration {
    Duration::from_secs(seconds(text).into())
}

fn span_words(time: Duration) -> String {
    let s = time.as_secs();
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
