//! One test's time with the bed: nobody else uses it, and it is empty.
//!
//! Deliberately across processes: several runs of the tests may share one bed.

use std::fs::File;
use std::time::Duration;

use crate::{Bed, wait_for};

/// The bed, for as long as this lives.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
    /// The bed.
    pub bed: Bed,
}

impl Turn {
    /// Waits for the bed and takes away what an earlier, broken run has left; installs our programs.
    ///
    /// # Errors
    /// Where the bed is not up, a program is not built, or the cloud does not become empty.
    pub fn take(pool: &str) -> anyhow::Result<Self> {
        let bed = Bed::open()?;
        let lock = File::create(bed.state().join("tests.lock"))?;
        lock.lock()?;
        for program in ["ehosd", "ehos_sleep_jobs", "ehos_build_images"] {
            bed.install(program)?;
        }
        // A collector that has just come up knows nobody, and that is taken for unknown: nodes report once a minute.
        wait_for("a collector that knows the pool", Duration::from_mins(2), || {
            let age = bed.run("root", &["condor_status", "-collector", "-af", "StatsLifetime"]).ok()?;
            (age.trim().parse::<u64>().ok()? > 70).then_some(())
        })?;
        let turn = Self { _lock: lock, bed };
        turn.clear(pool)?;
        Ok(turn)
    }

    /// Takes away all servers, jobs and ads, and the state of `ehosd` for a pool.
    ///
    /// # Errors
    /// Where the cloud does not become empty.
    pub fn clear(&self, pool: &str) -> anyhow::Result<()> {
        clear(&self.bed, pool)
    }
}

fn clear(bed: &Bed, pool: &str) -> anyhow::Result<()> {
    let _none_is_fine = bed.run("root", &["condor_rm", "-all"]);
    // Of other pools, too: their nodes would be room to this one.
    for project in ["demo", "other", "tight"] {
        let bed = bed.seen_by(project);
        for server in bed.all_servers()? {
            let path = format!("/servers/{}", server["id"].as_str().unwrap_or_default());
            let _gone_is_fine = bed.api(&["DELETE", "compute", &path]);
        }
        wait_for("an empty cloud", Duration::from_mins(1), || {
            bed.all_servers().ok()?.is_empty().then_some(())
        })?;
    }
    // Ads outlive their machines by a quarter of an hour, and would be room to the next test.
    let ad = |kind| format!(r#"MyType = "Query"\nTargetType = "{kind}"\nRequirements = true\n\n"#);
    let forget = format!(
        "printf '{}{}' | condor_advertise -tcp -multiple INVALIDATE_STARTD_ADS",
        ad("Machine"),
        ad("StartD")
    );
    bed.run("root", &["sh", "-c", &forget])?;
    bed.run("root", &["rm", "-rf", &format!("/home/ehos/state-{pool}")])?;
    let _none_is_fine = std::fs::remove_file(bed.state().join(format!("ehosd-{pool}.log")));
    Ok(())
}
