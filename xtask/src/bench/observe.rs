//! The price of looking: 10 000 slots and 100 000 idle jobs in 200 groups, in a real HTCondor.
//! Compares one observation by ehosd with the two bare queries that it cannot do without.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::pool::{GROUPS, Pool, SLOTS, fresh_manager};
use super::{Figure, number};
use crate::testbed::Bed;
use crate::workspace::{command, output, target_directory};

const RUNS: usize = 5;
const GOAL_RATIO: f64 = 1.5;
const GOAL_MEGABYTES: f64 = 60.0;

/// The two queries that one observation cannot do without, as ehos-condor asks them.
const DEMAND: &str = "condor_q -allusers -group-by -constraint 'JobStatus==1&&JobUniverse==5' -af:tV \
    JobCount JobStatus JobUniverse RequestCpus RequestMemory RequestDisk RequestGPUs 'unparse(Requirements)'";
const SLOT_ADS: &str = "condor_status -sort no -constraint 'SlotType=!=\"Dynamic\"&&Offline=!=true' -af:tV \
    Name Machine SlotType State Activity TotalSlotCpus TotalSlotMemory TotalSlotDisk TotalSlotGPUs \
    Cpus Memory Disk GPUs NumDynamicSlots Draining JobStarts LastHeardFrom DaemonStartTime \
    EnteredCurrentState EhosNode EhosCloud EhosFlavor EhosPool";

/// What ehosd is told: the bed's own cloud and this manager.
const CONFIG: &str = "\
clouds:
  bench: {auth_url: 'http://198.18.77.5:5000/v3', username: demo, password: demo-secret, project_name: demo,
          project_domain_name: Default, user_domain_name: Default, region_name: RegionOne}
ehos: {flavor: m1.medium, image: debian-12, network: private, key: demo-key, security_groups: workers}
daemon: {nodes_min: 0, nodes_max: 10, nodes_spare: 0, listen: none, state_dir: /tmp/ehos-bench}
condor: {host_ip: 198.18.77.10}
";

/// Waits until the collector is old enough for ehosd to believe it: nodes report once a minute.
const BELIEVED: &str = "\
for i in $(seq 120); do
    [ \"$(condor_status -collector -af StatsLifetime)\" -gt 70 ] && exit 0
    sleep 1
done
exit 1
";

/// One observation, and the most memory that ehosd had by then, in kB (`VmHWM`, a high-water mark).
const OBSERVE: &str = r#"
ehosd -v -v --dry-run ~/bench.yaml >/tmp/ehosd.log 2>&1 & p=$!
peak=0
while kb=$(awk '/VmHWM/ {print $2}' /proc/$p/status 2>/dev/null) && [ -n "$kb" ]; do peak=$kb; sleep 0.1; done
wait $p || { grep -v "^waiting" /tmp/ehosd.log | tail -5 >&2; exit 1; }
echo "ms=$(sed -n 's/.*observed in \([0-9]*\) ms.*/\1/p' /tmp/ehosd.log) kb=$peak"
"#;

/// Fills the pool and measures.
///
/// # Errors
/// When the machine cannot hold the bed, the pool does not take the load, or ehosd fails.
pub(super) fn measure() -> Result<Figure> {
    let bed = Bed::here();
    if let Some(lacks) = bed.lacks()? {
        bail!("observe needs the test bed:\n{lacks}");
    }
    output(&mut command("cargo", ["build", "--quiet", "--release", "-p", "ehosd"]))?;
    let _lock = bed.lock()?;
    let was_up = bed.is_up();
    ensure!(bed.up()?, "the test bed did not come up");
    let measured = compare(&bed);
    // The queue and the advertisements must not outlive the measurement.
    if was_up {
        fresh_manager(&bed)?;
    } else {
        ensure!(bed.down(false)?, "the test bed did not go down");
    }
    measured
}

fn compare(bed: &Bed) -> Result<Figure> {
    let pool = Pool::filled(bed)?;
    let ehosd = target_directory()?.join("release/ehosd");
    output(&mut bed.script("install", &[&ehosd.to_string_lossy()]))?;
    pool.feed("ehos", "umask 077; cat >~/bench.yaml", CONFIG)?;

    pool.run("root", BELIEVED)?;
    let (mut demand, mut slots, mut observed, mut kilobytes) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    // In turns, so that whatever else the machine does meets all three.
    for _ in 0..RUNS {
        let (took, groups) = timed(&pool, DEMAND)?;
        ensure!(groups == GROUPS, "the queue shows {groups} groups, not {GROUPS}");
        demand.push(took);
        let (took, ads) = timed(&pool, SLOT_ADS)?;
        ensure!(ads == SLOTS, "the collector shows {ads} slots, not {SLOTS}");
        slots.push(took);
        let said = pool.run("ehos", OBSERVE)?;
        observed.push(number(&said, "ms")?);
        kilobytes = kilobytes.max(number(&said, "kb")?);
    }
    let [demand, slots, observed] = [median(demand)?, median(slots)?, median(observed)?];
    let (ratio, megabytes) = (observed / (demand + slots), kilobytes / 1024.0);
    println!("bare query, demand    {demand:8.0} ms\nbare query, slots     {slots:8.0} ms");
    println!("one look by ehosd     {observed:8.0} ms\npeak memory of ehosd  {megabytes:8.1} MiB");
    Ok(Figure {
        measured: format!("{ratio:.2} x the bare queries, {megabytes:.1} MiB"),
        goal: format!("under {GOAL_RATIO} x, under {GOAL_MEGABYTES} MiB"),
        held: ratio < GOAL_RATIO && megabytes < GOAL_MEGABYTES,
    })
}

/// Wall time in ms of a query on the manager, and how many lines it printed.
fn timed(pool: &Pool<'_>, query: &str) -> Result<(f64, usize)> {
    let start = Instant::now();
    let lines = pool.run("ehos", query)?.lines().count();
    let took: Duration = start.elapsed();
    Ok((took.as_secs_f64() * 1000.0, lines))
}

fn median(mut figures: Vec<f64>) -> Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("nothing was measured")
}
