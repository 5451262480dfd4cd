//! Runs the contract of `Pool` against the pool of this machine, which must have one idle node and no jobs.
//!
//! With `observe [TIMES]` it only looks, and tells how long that took; with `listen` it tells of changes in the
//! queue; with `drain`, `resume` or `forget` and a machine it does that.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use ehos_condor::contract::{ContractWorld, check};
use ehos_condor::{CondorPool, CondorSettings, Pool};
use ehos_model::Machine;

struct OneNode(Machine);

#[async_trait]
impl ContractWorld for OneNode {
    async fn machine(&self) -> Machine {
        self.0.clone()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    env_logger::init();
    let pool = CondorPool::new(CondorSettings::default());
    let mut args = std::env::args().skip(1);
    let (verb, what) = (args.next().unwrap_or_default(), args.next());
    let machine = Machine::from(what.clone().unwrap_or_default());
    match verb.as_str() {
        "observe" => return observe(&pool, what.map_or(Ok(1), |times| times.parse())?).await,
        "drain" => return Ok(pool.drain(&machine, "by hand").await?),
        "resume" => return Ok(pool.resume(&machine).await?),
        "forget" => return Ok(pool.forget(&machine).await?),
        "listen" => loop {
            pool.queue_changed().await;
            say(&format!("{} the queue changed", ehos_model::Timestamp::now()));
        },
        _ => {}
    }
    let machine = loop {
        match pool.slots().await {
            Ok(slots) if !slots.is_empty() => break slots[0].machine.clone(),
            Ok(_) => log::warn!("waiting for a node"),
            Err(failure) => log::warn!("{failure}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let mut timings = check(&pool, &OneNode(machine)).await?;
    timings.sort_by_key(|(name, _)| *name);
    for calls in timings.chunk_by(|one, other| one.0 == other.0) {
        let mut took: Vec<_> = calls.iter().map(|(_, took)| *took).collect();
        took.sort();
        let median = took[took.len() / 2];
        say(&format!(
            "{:40} {:3} calls, median {median:.1?}, longest {:.1?}",
            calls[0].0,
            took.len(),
            took[took.len() - 1]
        ));
    }
    Ok(())
}

/// Looks at queue and slots at once, as the daemon does.
async fn observe(pool: &CondorPool, times: u32) -> anyhow::Result<()> {
    for _ in 0..times {
        let begun = Instant::now();
        let (demand, slots) = tokio::join!(pool.demand(), pool.slots());
        let took = begun.elapsed();
        let (demand, slots) = (demand?, slots?);
        let idle: u64 = demand.iter().map(|shape| shape.idle).sum();
        say(&format!("{} shapes, {idle} idle jobs, {} slots: {took:.1?}", demand.len(), slots.len()));
    }
    let status = std::fs::read_to_string("/proc/self/status").context("this process")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS")) {
        say(line);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program for people")]
fn say(line: &str) {
    println!("{line}");
}
