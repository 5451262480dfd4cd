//! The pool's side: which slots there are, if the collector has been up long enough to know.
//!
//! Deliberately leaves dynamic slots out: their partitionable parents tell of them.

use std::time::Duration;

use ehos_model::{Activity, Failure, Mebibytes, Resources, Slot, SlotKind, SlotState};

use crate::cell::{Cell, rows};
use crate::tools::{Call, Tools};

/// The query for slots; `-af` is about a quarter faster here than `-json`, with half the text.
const SLOTS: [&str; 28] = [
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
    "EhosPool",
];
/// The values in a row of its answer.
const SLOT_VALUES: usize = 23;

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
        Some(age) if age < report_interval.saturating_add(LATE) => Err(Failure::transient(format!(
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
    let (&[name, machine, kind, state, activity], rest) = row.split_first_chunk()?;
    let (total, rest) = rest.split_first_chunk()?;
    let (free, rest) = rest.split_first_chunk()?;
    let &[dynamic, draining, job_starts, heard, started, since, node, cloud, flavor, pool] = rest else {
        return None;
    };
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
        pool: pool.text().map(Into::into),
        node: node.text().map(Into::into),
        cloud: cloud.text().map(Into::into),
        flavor: flavor.text().map(Into::into),
        kind,
        activity: Activity::from(activity.text().unwrap_or_default().as_str()),
        total: room(total),
        free: if taken { Resources::default() } else { room(free) },
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
fn room([cpus, memory, disk, gpus]: &[Cell; 4]) -> Resources {
    Resources {
        cores: cpus.count32().unwrap_or_default(),
        memory: memory.mebibytes().unwrap_or_default(),
        disk: Mebibytes::from_kibibytes_down(disk.count().unwrap_or_default()),
        gpus: gpus.count32().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use ehos_model::FailureKind;
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "\"slot1@e1\"\t\"e1\"\t\"Partitionable\"\t\"Unclaimed\"\t\"Idle\"\t8\t16000\t1000000.0\t2\t0\t0\t\
                        512\t0\t8\tundefined\t31\t1795394895\t1795394830\t1795394874\t\"ehos-execute-1\"\t\"bergen\"\t\
                        \"m1.xlarge\"\t\"ehos@10.0.0.1\"\n";

    /// A node with one job, then the same drained: asked of two versions.
    #[test]
    fn slots_of_real_pools() {
        for (version, answer) in [
            ("23.9", include_str!("../tests/samples/23/slots.txt")),
            ("25.14", include_str!("../tests/samples/25/slots.txt")),
        ] {
            let slots = parse_slots(answer).unwrap();
            let [busy, drained] = slots.as_slice() else { panic!("{version}: {slots:?}") };
            assert_eq!((busy.name.as_str(), busy.machine.as_str()), ("slot1@n1.bed.test", "n1.bed.test"));
            assert_eq!(
                (busy.kind, &busy.state, busy.claims),
                (SlotKind::Partitionable, &SlotState::Unclaimed, 1)
            );
            assert_eq!((busy.total.cores, busy.free.cores), (4, 2), "{version}");
            assert_eq!(
                (busy.total.memory, busy.free.memory),
                (Mebibytes(8192), Mebibytes(7680)),
                "{version}"
            );
            assert!(busy.total.disk > busy.free.disk && busy.total.disk < Mebibytes::from_gibibytes(80));
            assert!(!busy.is_unclaimed() && !busy.is_drained() && busy.node.is_none(), "{version}");
            assert!(busy.started < busy.state_since && busy.state_since < busy.heard, "{version}");
            assert!(drained.draining && drained.is_drained() && drained.free == drained.total, "{version}");
            assert_eq!(drained.job_starts, 4, "{version}: three of the contract's and one more");
        }
    }

    #[test]
    fn a_full_node_of_ours_reads_unclaimed_and_is_not() {
        let slots = parse_slots(OURS).unwrap();
        let [slot] = slots.as_slice() else { panic!("{slots:?}") };
        assert_eq!(slot.node.as_ref().map(ehos_model::NodeId::as_str), Some("ehos-execute-1"));
        assert_eq!(slot.cloud.as_ref().map(ehos_model::CloudName::as_str), Some("bergen"));
        assert_eq!(slot.flavor.as_ref().map(ehos_model::FlavorName::as_str), Some("m1.xlarge"));
        assert_eq!(slot.pool.as_ref().map(ehos_model::PoolId::as_str), Some("ehos@10.0.0.1"));
        assert_eq!(
            (slot.free.cores, slot.free.disk, slot.total.gpus),
            (0, Mebibytes(0), 2),
            "512 KiB are no room"
        );
        assert!(slot.state == SlotState::Unclaimed && !slot.is_unclaimed());
    }

    #[test]
    fn static_slots_count_their_own_claim() {
        let fixed = OURS
            .replace("Partitionable", "Static")
            .replace("\t8\tundefined\t31", "\tundefined\tundefined\t31");
        for (state, claims, cores) in
            [("Claimed", 1, 0), ("Preempting", 1, 0), ("Unclaimed", 0, 3), ("Owner", 0, 3)]
        {
            let row = fixed.replace("Unclaimed", state).replace("\t2\t0\t0\t512", "\t2\t3\t9\t512");
            let slots = parse_slots(&row).unwrap();
            let [slot] = slots.as_slice() else { panic!("{slots:?}") };
            assert_eq!(
                (slot.kind, slot.claims, slot.free.cores),
                (SlotKind::Static, claims, cores),
                "{state}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_not_an_empty_pool() {
        let stranger = OURS.replace("\"ehos-execute-1\"", "undefined");
        for (row, answer, expected) in [
            ("nothing", String::new(), Ok(0)),
            ("a stranger without a state", stranger.replace("\"Unclaimed\"", "undefined"), Ok(0)),
            (
                "one of ours without a state",
                OURS.replace("\"Unclaimed\"", "undefined"),
                Err(FailureKind::Rejected),
            ),
            (
                "one of ours without an age",
                OURS.replace("1795394895", "undefined"),
                Err(FailureKind::Rejected),
            ),
            ("cut off", OURS.trim_end().to_owned(), Err(FailureKind::Rejected)),
            ("a tab in a name", OURS.replace("slot1@", "slot\t1@"), Err(FailureKind::Rejected)),
            ("words", "Error: communication error\n".to_owned(), Err(FailureKind::Rejected)),
        ] {
            let slots = parse_slots(&answer).map(|slots| slots.len()).map_err(|failure| failure.kind);
            assert_eq!(slots, expected, "{row}");
        }
    }

    #[test]
    fn a_young_collector_knows_nobody() {
        let interval = Duration::from_mins(5);
        for (answer, kept, row) in [
            ("305\n", true, "old enough"),
            ("304\n", false, "too young"),
            ("9000\n12\n", false, "the youngest of two"),
            ("9000\nundefined\n", true, "one that does not tell"),
            ("undefined\n", false, "none that tells"),
            ("", false, "no collector at all"),
            ("-5\n", false, "a clock put back"),
            (include_str!("../tests/samples/23/uptime.txt"), false, "23.9, 48 s"),
            (include_str!("../tests/samples/25/uptime.txt"), false, "25.14, 71 s"),
        ] {
            let checked = check_uptime(answer, interval);
            assert_eq!(checked.is_ok(), kept, "{row}: {checked:?}");
            let transient = checked.err().is_none_or(|failure| failure.is_ambiguous());
            assert!(transient, "{row}: it passes by itself");
        }
        let words = check_uptime("12\n", interval).map_err(|failure| failure.message);
        assert_eq!(words, Err("the collector came up 12 s ago; startds report every 300 s".to_owned()));
    }

    proptest! {
        #[test]
        fn nothing_printed_is_a_panic(
            values in proptest::collection::vec("[a-z0-9.\"\\\\E-]{0,24}", SLOT_VALUES),
            any in any::<String>(),
        ) {
            let _ = (parse_slots(&(values.join("\t") + "\n")), parse_slots(&any));
            let _ = check_uptime(&any, Duration::MAX);
        }
    }
}
