//! A real HTCondor manager with a queue and a pool far larger than the machine it runs on.
//! The slots are advertisements without machines behind them; nothing matches jobs with them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};

use crate::testbed::Bed;
use crate::workspace::output;

/// How many slots there are, every other one fully claimed.
pub(super) const SLOTS: usize = 10_000;
/// How many jobs wait.
pub(super) const JOBS: usize = 100_000;
/// How many shapes the jobs have.
pub(super) const GROUPS: usize = 200;

/// The bed's manager, filled.
pub(super) struct Pool<'a> {
    bed: &'a Bed,
}

/// Replaces the manager: queue and advertisements live with it, a new one has neither.
///
/// # Errors
/// When the bed's scripts fail.
pub(super) fn fresh_manager(bed: &Bed) -> Result<()> {
    output(&mut bed.script("node-kill", &["cm"]))?;
    output(&mut bed.script("condor-up", &[]))?;
    Ok(())
}

impl Pool<'_> {
    /// Replaces the manager and fills the new one.
    ///
    /// # Errors
    /// When the pool does not take the load.
    pub(super) fn filled(bed: &Bed) -> Result<Pool<'_>> {
        fresh_manager(bed)?;
        let pool = Pool { bed };
        let model = pool.one_real_slot()?;
        // Its cycles would only disturb the measurement.
        pool.run("root", "condor_off -negotiator")?;
        let start = Instant::now();
        pool.feed("root", "cat >/tmp/ads", &slot_ads(&model, SLOTS, unix_now()?))?;
        pool.run("root", "condor_advertise -tcp -multiple UPDATE_STARTD_AD /tmp/ads")?;
        println!("{SLOTS} slots advertised in {:.1} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        pool.feed("alice", "cat >/tmp/bench.sub", &queue())?;
        pool.run("alice", "condor_submit -terse /tmp/bench.sub")?;
        println!("{JOBS} jobs submitted in {:.1} s", start.elapsed().as_secs_f64());
        Ok(pool)
    }

    /// The advertisement of a node that has really been there, as text.
    fn one_real_slot(&self) -> Result<String> {
        output(&mut self.bed.script("node-add", &["bench"]))?;
        output(&mut self.bed.script("wait-pool", &["1"]))?;
        let ad = self.run("root", "condor_status -long -constraint PartitionableSlot");
        output(&mut self.bed.script("node-kill", &["bench"]))?;
        // Its own advertisement outlives it; the copies must be alone.
        self.feed(
            "root",
            "condor_advertise INVALIDATE_STARTD_ADS",
            "MyType = \"Query\"\nTargetType = \"Machine\"\nRequirements = true\n",
        )?;
        ad
    }

    fn shell(&self, user: &str, script: &str) -> Command {
        self.bed.script("exec", &["-u", user, "sh", "-c", script])
    }

    /// What a shell script on the manager prints.
    ///
    /// # Errors
    /// When it fails; its own words are part of the error.
    pub(super) fn run(&self, user: &str, script: &str) -> Result<String> {
        output(&mut self.shell(user, script))
    }

    /// Gives a shell script on the manager something to read.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn feed(&self, user: &str, script: &str, text: &str) -> Result<()> {
        let mut child = self.shell(user, script).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child.stdin.take().context("no pipe")?.write_all(text.as_bytes())?;
        ensure!(child.wait()?.success(), "{script} failed on the manager");
        Ok(())
    }
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
