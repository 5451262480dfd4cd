//! The price of looking: 10 000 slots and 100 000 idle jobs in 200 groups, in a real HTCondor.
//! The slots are advertisements without machines behind them; the manager is a fresh one before and after.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};

use super::Figure;
use crate::testbed::Bed;
use crate::workspace::output;

const SLOTS: usize = 10_000;
const JOBS: usize = 100_000;
const GROUPS: usize = 200;
const RUNS: usize = 5;

/// The two queries that one observation cannot do without, as ehos-condor asks them.
const DEMAND: &str = "condor_q -allusers -group-by -constraint 'JobStatus==1&&JobUniverse==5' -af:tV \
    JobCount JobStatus JobUniverse RequestCpus RequestMemory RequestDisk RequestGPUs 'unparse(Requirements)'";
const SLOT_ADS: &str = "condor_status -sort no -constraint 'SlotType=!=\"Dynamic\"&&Offline=!=true' -af:tV \
    Name Machine SlotType State Activity TotalSlotCpus TotalSlotMemory TotalSlotDisk TotalSlotGPUs \
    Cpus Memory Disk GPUs NumDynamicSlots Draining JobStarts LastHeardFrom DaemonStartTime \
    EnteredCurrentState EhosNode EhosCloud EhosFlavor";

/// Fills the pool and times the queries.
///
/// # Errors
/// When the machine cannot hold the bed, or the pool does not take the load.
pub(super) fn measure() -> Result<Figure> {
    let bed = Bed::here();
    if let Some(lacks) = bed.lacks()? {
        bail!("observe needs the test bed:\n{lacks}");
    }
    let _lock = bed.lock()?;
    let was_up = bed.is_up();
    ensure!(bed.up()?, "the test bed did not come up");
    let measured = Pool { bed: &bed }.measure();
    // The queue and the advertisements must not outlive the measurement.
    if was_up {
        fresh_manager(&bed)?;
    } else {
        ensure!(bed.down(false)?, "the test bed did not go down");
    }
    measured
}

/// The queue and the advertisements live with the manager: a new one has neither.
fn fresh_manager(bed: &Bed) -> Result<()> {
    output(&mut bed.script("node-kill", &["cm"]))?;
    output(&mut bed.script("condor-up", &[]))?;
    Ok(())
}

struct Pool<'a> {
    bed: &'a Bed,
}

impl Pool<'_> {
    fn measure(&self) -> Result<Figure> {
        fresh_manager(self.bed)?;
        let model = self.one_real_slot()?;
        // Nothing to match with: its cycles would only disturb the measurement.
        self.run("root", "condor_off -negotiator")?;
        let start = Instant::now();
        self.feed("cat >/tmp/ads", &slot_ads(&model, SLOTS, unix_now()?))?;
        self.run("root", "condor_advertise -tcp -multiple UPDATE_STARTD_AD /tmp/ads")?;
        println!("{SLOTS} slots advertised in {:.1} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        self.feed("cat >/tmp/bench.sub", &queue())?;
        self.run("alice", "condor_submit -terse /tmp/bench.sub")?;
        println!("{JOBS} jobs submitted in {:.1} s", start.elapsed().as_secs_f64());

        let (demand, groups) = self.time(DEMAND)?;
        let (slots, ads) = self.time(SLOT_ADS)?;
        ensure!(groups.lines().count() == GROUPS, "the queue does not show {GROUPS} groups");
        ensure!(ads.lines().count() == SLOTS, "the collector does not show {SLOTS} slots");
        println!("demand  {:8.0} ms  {:9} bytes", millis(demand), groups.len());
        println!("slots   {:8.0} ms  {:9} bytes", millis(slots), ads.len());
        Ok(Figure {
            measured: format!("{:.0} ms", millis(demand + slots)),
            goal: "none yet".into(),
            held: true,
        })
    }

    /// The advertisement of a node that has really been there, as text.
    fn one_real_slot(&self) -> Result<String> {
        output(&mut self.bed.script("node-add", &["bench"]))?;
        output(&mut self.bed.script("wait-pool", &["1"]))?;
        let ad = self.run("root", "condor_status -long -constraint PartitionableSlot");
        output(&mut self.bed.script("node-kill", &["bench"]))?;
        // Its own advertisement outlives it; the copies must be alone.
        self.feed(
            "condor_advertise INVALIDATE_STARTD_ADS",
            "MyType = \"Query\"\nTargetType = \"Machine\"\nRequirements = true\n",
        )?;
        ad
    }

    /// Median wall time of a query on the manager, and what it printed.
    fn time(&self, query: &str) -> Result<(Duration, String)> {
        let mut took = Vec::new();
        let mut said = String::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            said = self.run("ehos", query)?;
            took.push(start.elapsed());
        }
        took.sort();
        Ok((took[RUNS / 2], said))
    }

    fn shell(&self, user: &str, script: &str) -> Command {
        self.bed.script("exec", &["-u", user, "sh", "-c", script])
    }

    fn run(&self, user: &str, script: &str) -> Result<String> {
        output(&mut self.shell(user, script))
    }

    fn feed(&self, script: &str, text: &str) -> Result<()> {
        let mut child = self.shell("root", script).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().context("no pipe")?.write_all(text.as_bytes())?;
        ensure!(child.wait()?.success(), "{script} failed on the manager");
        Ok(())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn unix_now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

/// Jobs that differ in their memory alone: as many groups as there are sizes.
fn queue() -> String {
    format!(
        "executable = /bin/sleep\ntransfer_executable = false\narguments = 60\nrequest_cpus = 1\n\
         m = 100 + ($(Process) % {GROUPS})\nrequest_memory = $INT(m)\nrequest_disk = 1000\nqueue {JOBS}\n"
    )
}

/// `count` advertisements of full size, each of a machine of its own, every other one fully claimed.
fn slot_ads(model: &str, count: usize, now: u64) -> String {
    // What the collector writes itself.
    const ITS_OWN: [&str; 9] = [
        "AuthenticatedIdentity",
        "AuthenticationMethod",
        "LastHeardFrom",
        "UpdatesHistory",
        "UpdatesLost",
        "UpdatesSequenced",
        "UpdatesTotal",
        "MyCurrentTime",
        "UpdateSequenceNumber",
    ];
    const CLAIMED: [&str; 7] =
        ["Cpus", "ChildCpus", "ChildState", "ChildActivity", "ChildName", "ChildMemory", "NumDynamicSlots"];
    let attributes: Vec<(&str, &str)> = model
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(key, _)| !ITS_OWN.contains(key) && *key != "ClassAdLifetime")
        .collect();
    let of = |wanted: &str| {
        attributes.iter().find(|(key, _)| *key == wanted).map_or("", |(_, value)| value.trim_matches('"'))
    };
    let (host, address) = (of("Machine"), of("StartdIpAddr").trim_start_matches('<').split(':').next());
    let mut ads = String::new();
    for i in 0..count {
        let (name, ip) = (format!("w{i:05}.bed.test"), format!("198.18.{}.{}", 100 + i / 250, i % 250 + 1));
        let busy = i % 2 == 1;
        for (key, value) in &attributes {
            if busy && CLAIMED.contains(key) {
                continue;
            }
            let value = value.replace(host, &name).replace(address.unwrap_or("\0"), &ip);
            let _ = writeln!(ads, "{key} = {value}");
        }
        if busy {
            ads += "Cpus = 0\nNumDynamicSlots = 4\nChildCpus = { 1,1,1,1 }\nChildMemory = { 512,512,512,512 }\n\
                    ChildState = { \"Claimed\",\"Claimed\",\"Claimed\",\"Claimed\" }\n\
                    ChildActivity = { \"Busy\",\"Busy\",\"Busy\",\"Busy\" }\n";
        }
        let _ = writeln!(ads, "MyCurrentTime = {now}\nUpdateSequenceNumber = 1\nClassAdLifetime = 86400\n");
    }
    ads
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "Name = \"slot1@n1.bed.test\"\nMachine = \"n1.bed.test\"\nCpus = 4\n\
        StartdIpAddr = \"<198.18.77.11:9618?x>\"\nMyAddress = \"<198.18.77.11:9618?x>\"\nLastHeardFrom = 1\n";

    #[test]
    fn each_copy_is_a_machine_of_its_own() {
        let ads = slot_ads(MODEL, 300, 7);
        let ads: Vec<_> = ads.split_terminator("\n\n").collect();
        assert_eq!(ads.len(), 300);
        assert!(ads[0].contains("Name = \"slot1@w00000.bed.test\"") && ads[0].contains("Cpus = 4\n"));
        assert!(ads[299].contains("slot1@w00299.bed.test") && ads[299].contains("<198.18.101.50:9618?x>"));
        assert!(ads[299].contains("Cpus = 0\n") && !ads[299].contains("Cpus = 4"));
        assert!(
            ads.iter()
                .all(|ad| !ad.contains("n1.bed") && !ad.contains("LastHeardFrom") && !ad.contains("77.11"))
        );
    }

    #[test]
    fn the_queue_has_as_many_groups_as_it_says() {
        assert!(queue().contains(&format!("% {GROUPS})")) && queue().contains(&format!("queue {JOBS}\n")));
    }
}
