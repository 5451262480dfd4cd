//! Takes a pool down: its nodes are drained, and all that carries its id is deleted in every cloud.
//!
//! Deliberately waits for running jobs as long as it is let: they are somebody's work.

use std::sync::Arc;
use std::time::Duration;

use ehos_boot::{Trouble, span};
use ehos_cloud::prepare::{Resource, ResourceKind};
use ehos_model::FailureKind;
use ehos_ssh::{Command, Output, Session, SshError};
use tokio::time::{Instant, sleep};

use crate::master::Account;
use ehos_terminal::Progress;

/// How long a cloud may take until all is gone.
const GOES: Duration = Duration::from_mins(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Stops the daemon, so that it buys nothing more, drains every node and waits until no job runs any more.
pub(crate) async fn drain(session: &Session, pool: &str, timeout: Duration) -> Result<(), Trouble> {
    let ask = |what: &'static str, result: Result<Output, SshError>| {
        result.map_err(|error| Trouble::new(format!("{what}: {error}")))
    };
    ask(
        "ehosd cannot be stopped",
        session.run(&Command::new("systemctl").args(["stop", "ehos"]).sudo()).await,
    )?;
    // As the user whom the collector takes drains from.
    let drain = "cd / && condor_status -constraint \"EhosPool == \\\"$1\\\"\" -af Machine | sort -u | \
                 while read -r machine; do condor_drain -graceful -reason 'ehosd_deploy --destroy' \"$machine\"; done";
    let as_ehos = |script: &str| {
        Command::new("runuser").args(["-u", "ehos", "--", "sh", "-c", script, "sh", pool]).sudo()
    };
    ask("the nodes cannot be drained", session.run(&as_ehos(drain)).await)?;
    let end = Instant::now() + timeout;
    loop {
        let busy = "cd / && condor_status -constraint \"EhosPool == \\\"$1\\\" && State == \\\"Claimed\\\"\" -af Name";
        let busy = session.run(&as_ehos(busy)).await.and_then(Output::success);
        let busy = ask("the nodes cannot be looked at", busy)?.text();
        if busy.is_empty() {
            return Ok(());
        }
        let jobs = busy.lines().count();
        if Instant::now() >= end {
            return Err(Trouble::new(format!(
                "{jobs} jobs still run after {}: nothing was deleted, the nodes take no new jobs; run this again, with \
                 a longer --timeout, or with --yes --now, which kills them",
                span(timeout)
            )));
        }
        log::info!("{jobs} jobs still run on nodes that take no new ones");
        sleep(PAUSE).await;
    }
}

/// Lists what would be deleted in a cloud.
pub(crate) async fn list(cloud: &dyn Account) -> Result<Vec<Resource>, Trouble> {
    cloud.ours().await.map_err(|failure| Trouble::during("what is there cannot be listed", failure))
}

/// Deletes all of it, children before parents, until nothing is left.
pub(crate) async fn delete(cloud: Arc<dyn Account>, progress: &Progress) -> Result<usize, Trouble> {
    let end = Instant::now() + GOES;
    let mut deleted = 0;
    let mut why = String::new();
    progress.step("deletes what the pool has there");
    loop {
        let left = list(&*cloud).await?;
        if left.is_empty() {
            return Ok(deleted);
        }
        if Instant::now() >= end {
            let names: Vec<_> =
                left.iter().map(|one| format!("{} {}", one.kind.as_str(), one.name)).collect();
            return Err(Trouble::new(format!("still there: {}{why}; run this again", names.join(", "))));
        }
        // What others hang on comes later: first all of the first kind.
        let first = left.iter().map(|one| one.kind).min().unwrap_or(ResourceKind::KeyPair);
        for one in left.iter().filter(|one| one.kind == first) {
            match cloud.remove(one).await {
                Ok(()) => deleted += 1,
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                Err(failure) => {
                    log::info!("{}: {} {}: {failure}", cloud.name(), one.kind.as_str(), one.name);
                    why = format!(" ({failure})");
                }
            }
        }
        sleep(PAUSE).await;
    }
}
