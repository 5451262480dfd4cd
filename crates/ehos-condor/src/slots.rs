//! The pool's side: which slots there are, if the collector has been up long enough to know.
//!
//! Deliberately leaves dynamic slots out: their partitionable parents tell of them.

use std::time::Duration;

use ehos_model::{Activity, Failure, Mebibytes, Resources, Slot, SlotKind, SlotState};

use crate::cell::{Cell, rows};
use crate::tools::{Call, Tools};

/// The query for slots; `-af` is about a quarter faster here than `-json`, with half the text.
const SLOTS: [&str; 27] = [
    "-sort",
    "no",
    "-constraint",
    "SlotType=!=\"Dynamic\"&&Offline=!=true",
    "-af:tV",
    "Name",
    "Machine",
    "SlotType",
    "State",
    "Activity",
    "TotalSlotCpus",
    "TotalSlotMemory",
    "TotalSlotDisk",
    "TotalSlotGPUs",
    "Cpus",
    "Memory",
    "Disk",
    "GPUs",
    "NumDynamicSlots",
    "Draining",
    "JobStarts",
    "LastHeardFrom",
    "DaemonStartTime",
    "EnteredCurrentState",
    "EhosNode",
    "EhosCloud",
    "EhosFlavor",
];
/// The values in a row of its answer.
const SLOT_VALUES: usize = 22;

/// Startds report a little later than they should.
const LATE: Duration = Duration::from_secs(5);

/// Asks for the slots, and at the same time for how long the collector has been up.
pub(crate) async fn slots(tools: &Tools, report_interval: Duration) -> Result<Vec<Slot>, Failure> {
    // MonitorSelfAge is refreshed every few minutes only, so it errs on the safe side.
    let uptime = ["-collector", "-af:tV", "StatsLifetime?:MonitorSelfAge"];
    let (uptime, answer) = tokio::try_join!(
        tools.run(Call::new("condor_status", &uptime)),
        tools.run(Call::new("condor_status", &SLOTS))
    )?;
    check_uptime(&uptime, report_interval)?;
    parse_slots(&answer)
}

/// Refuses the word of a collector that has come up so lately that it cannot know everybody yet.
///
/// Where several collectors are told of, the youngest counts.
fn check_uptime(answer: &str, report_interval: Duration) -> Result<(), Failure> {
    let mut youngest = None;
    for row in rows::<1>(answer) {
        let [age] =
            row.map_err(|error| Failure::rejected(format!("condor_status was not understood: {error}")))?;
        youngest = youngest.into_iter().chain(age.count()).min();
    }
    match youngest.map(Duration::from_secs) {
        None => Err(Failure::transient("the collector does not tell how long it has been up")),
        Some(age) if age < report_interval + LATE => Err(Failure::transient(format!(
            "the collector came up {} s ago; startds report every {} s",
            age.as_secs(),
            report_interval.as_secs()
        ))),
        Some(_) => Ok(()),
    }
}

fn parse_slots(answer: &str) -> Result<Vec<Slot>, Failure> {
    let mut slots = Vec::with_capacity(answer.len() / 200);
    for row in rows::<SLOT_VALUES>(answer) {
        let row =
            row.map_err(|error| Failure::rejected(format!("condor_status was not understood: {error}")))?;
        match slot(&row) {
            Some(slot) => slots.push(slot),
            // Leaving out one of ours would read as a node that is lost; a stranger's odd ad concerns nobody.
            None if row[NODE].text().is_some() => {
                return Err(Failure::rejected(format!(
                    "the ad of {} lacks name, machine, state or age",
                    row[NODE]
                )));
            }
            None => log::info!("left out the ad of {}: it lacks name, machine, state or age", row[0]),
        }
    }
    Ok(slots)
}

/// Where in a row `EhosNode` stands.
const NODE: usize = 19;

fn slot(row: &[Cell; SLOT_VALUES]) -> Option<Slot> {
    let [name, machine, kind, state, activity, all_cpus, all_memory, all_disk, all_gpus, rest @ ..] = *row;
    let [cpus, memory, disk, gpus, dynamic, draining, job_starts, heard, started, since, node, cloud, flavor] =
        rest;
    let kind = match kind.text().as_deref() {
        Some("Partitionable") => SlotKind::Partitionable,
        _ => SlotKind::Static,
    };
    let state = SlotState::from(state.text()?.as_str());
    let taken = kind == SlotKind::Static && matches!(state, SlotState::Claimed | SlotState::Preempting);
    let heard = heard.timestamp()?;
    Some(Slot {
        name: name.text()?,
        machine: machine.text()?.into(),
        node: node.text().map(Into::into),
        cloud: cloud.text().map(Into::into),
        flavor: flavor.text().map(Into::into),
        kind,
        activity: Activity::from(activity.text().unwrap_or_default().as_str()),
        total: room(all_cpus, all_memory, all_disk, all_gpus),
        free: if taken { Resources::default() } else { room(cpus, memory, disk, gpus) },
        claims: if taken { 1 } else { dynamic.count32().unwrap_or_default() },
        draining: draining.is_true(),
        job_starts: job_starts.count().unwrap_or_default(),
        heard,
        started: started.timestamp().unwrap_or(heard),
        state_since: since.timestamp().unwrap_or(heard),
        state,
    })
}

/// Reads room; what is not told is not there.
fn room(cpus: Cell, memory: Cell, disk: Cell, gpus: Cell) -> Resources {
    Resources {
        cores: cpus.count32().unwrap_or_default(),
        memory: memory.mebibytes().unwrap_or_default(),
        disk: Mebibytes::from_kibibytes_down(disk.count().unwrap_or_default()),
        gpus: gpus.count32().unwrap_or_default(),
    }
}
