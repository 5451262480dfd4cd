//! Submits the jobs and follows them.
//!
//! Deliberately leaves them in the queue when it is interrupted: they are the queue's then.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use ehos_condor::{Cluster, CondorPool, CondorSettings, JobCounts, Pool as _, SleepJobs};
use ehos_config::Backend;
use ehos_model::{Failure, FailureKind};
use ehos_sim::RemotePool;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Cli;

/// How often the queue is looked at with `--wait`.
const LOOK: Duration = Duration::from_secs(1);

/// How many looks in a row may fail before `--wait` gives up.
const PATIENCE: u32 = 60;

const ROOT: &str = "\
HTCondor takes no jobs from root, since a job runs as the user who submitted it.
Run it as an ordinary user of this machine, for example:  sudo -u alice ehos_sleep_jobs …";

/// Where the jobs go.
enum Queue {
    Condor(Box<CondorPool>),
    Embedded(RemotePool),
}

impl Queue {
    async fn submit(&self, jobs: &SleepJobs) -> Result<Cluster, Failure> {
        match self {
            Self::Condor(pool) => pool.submit(jobs).await,
            Self::Embedded(pool) => pool.submit(jobs).await,
        }
    }

    async fn jobs(&self, cluster: Cluster) -> Result<JobCounts, Failure> {
        match self {
            Self::Condor(pool) => pool.jobs(cluster).await,
            Self::Embedded(pool) => pool.jobs(cluster).await,
        }
    }

    /// Tells whether there is no queue to ask again: an embedded one ends with its ehosd.
    fn is_gone(&self, failure: &Failure) -> bool {
        matches!(self, Self::Embedded(_)) && failure.kind == FailureKind::Rejected
    }

    /// Says what becomes of jobs that are not followed any more.
    fn leave(&self, cluster: Cluster) -> String {
        match self {
            Self::Condor(_) => format!("the jobs stay in the queue; condor_rm {} removes them", cluster.0),
            Self::Embedded(_) => "the jobs stay in the queue as long as its ehosd runs".to_owned(),
        }
    }
}

/// Does it all and gives the exit status.
pub(crate) async fn run(cli: Cli) -> ExitCode {
    start_log(cli.verbose);
    let queue = match queue(&cli) {
        Ok(queue) => queue,
        Err(message) => {
            log::error!("{message}");
            return ExitCode::from(2);
        }
    };
    let jobs = SleepJobs::new(cli.durations(|min, max| fastrand::u32(min..=max)), cli.request());
    let cluster = match queue.submit(&jobs).await {
        Ok(cluster) => cluster,
        Err(failure) => {
            log::error!("the jobs were not submitted: {failure}");
            return ExitCode::FAILURE;
        }
    };
    say(&format!("{} submitted as cluster {}", count(u64::from(cli.number)), cluster.0));
    if cli.wait { follow(&queue, cluster, u64::from(cli.number)).await } else { ExitCode::SUCCESS }
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        2 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_module("ehos", level)
        .format(|out, record| match record.level() {
            log::Level::Error => writeln!(out, "ehos_sleep_jobs: {}", record.args()),
            _ => writeln!(out, "{}", record.args()),
        })
        .init();
}

/// Finds the queue: the embedded one of the configuration, else HTCondor's.
fn queue(cli: &Cli) -> Result<Queue, String> {
    if !cli.config.is_empty() {
        let loaded = ehos_config::load(&cli.config).map_err(|problems| {
            format!("the configuration is wrong\n{}", problems.render(std::io::stderr().is_terminal()))
        })?;
        let config = loaded.config;
        if config.clouds.iter().any(|cloud| matches!(cloud.backend, Backend::Embedded(_))) {
            return Ok(Queue::Embedded(RemotePool::connect(&config.daemon.state_dir.join(ehos_sim::SOCKET))));
        }
    }
    if ehos_terminal::user() == 0 {
        return Err(ROOT.to_owned());
    }
    Ok(Queue::Condor(Box::new(CondorPool::new(CondorSettings::default()))))
}

/// Follows the jobs until none is left in the queue.
async fn follow(queue: &Queue, cluster: Cluster, total: u64) -> ExitCode {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} done  {msg}  {elapsed}") {
        bar.set_style(style);
    }
    let mut told = String::new();
    let mut failures = 0;
    loop {
        match queue.jobs(cluster).await {
            Ok(counts) => {
                failures = 0;
                let left = counts.idle + counts.running + counts.held;
                let message = describe(&counts);
                bar.set_position(total.saturating_sub(left));
                bar.set_message(message.clone());
                let line = format!("{}/{total} done  {message}", total.saturating_sub(left));
                if bar.is_hidden() && line != told {
                    say(line.trim_end());
                    told = line;
                }
                if left == 0 {
                    bar.finish();
                    return ExitCode::SUCCESS;
                }
            }
            Err(failure) => {
                failures += 1;
                if failures >= PATIENCE || queue.is_gone(&failure) {
                    bar.abandon();
                    log::error!("the jobs cannot be followed any more: {failure}");
                    return ExitCode::FAILURE;
                }
                bar.set_message("the queue does not answer");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                bar.abandon();
                say(&queue.leave(cluster));
                return ExitCode::from(130);
            }
        }
    }
}

fn describe(counts: &JobCounts) -> String {
    [(counts.running, "running"), (counts.idle, "idle"), (counts.held, "held")]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn count(n: u64) -> String {
    if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
}

/// Prints a line; a reader that has gone away is no reason to fail.
fn say(line: &str) {
    let _closed_pipe = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_queue_that_is_gone_stays_gone() {
        let embedded = Queue::Embedded(RemotePool::connect(std::path::Path::new("nowhere.sock")));
        let condor = Queue::Condor(Box::new(CondorPool::new(CondorSettings::default())));
        let rejected = Failure::rejected("nobody listens");
        assert!(embedded.is_gone(&rejected) && !embedded.is_gone(&Failure::transient("late")));
        assert!(!condor.is_gone(&rejected), "a schedd comes back");
        assert!(condor.leave(Cluster(7)).contains("condor_rm 7"));
        assert!(!embedded.leave(Cluster(7)).contains("condor_rm"), "there is no such tool for it");
    }

    #[test]
    fn only_what_there_is_is_named() {
        let counts = JobCounts { idle: 3, running: 0, held: 1 };
        assert_eq!(describe(&counts), "3 idle, 1 held");
        assert_eq!(describe(&JobCounts::default()), "");
        assert_eq!((count(1), count(2)), ("1 job".to_owned(), "2 jobs".to_owned()));
    }
}
