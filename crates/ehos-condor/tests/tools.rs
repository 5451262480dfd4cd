//! What the pool makes of tools that misbehave: each is a small shell script in a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ehos_condor::{Cluster, CondorPool, CondorSettings, JobCounts, Pool as _, SleepJobs};
use ehos_model::{FailureKind, Machine, Resources};
use secrecy::ExposeSecret as _;

const SOON: Duration = Duration::from_secs(20);

/// Writes a tool. Another process writes the file itself: while a test forks, a file that its own process has open
/// for writing cannot be run.
#[expect(clippy::unwrap_used, reason = "a test's own preparation")]
fn tool(dir: &Path, name: &str, script: &str) {
    let source = dir.join(format!("{name}.sh"));
    fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
    let copied = Command::new("cp").arg(&source).arg(dir.join(name)).status().unwrap();
    assert!(copied.success());
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn pool(dir: &Path, timeout: Duration) -> CondorPool {
    let event_log = Some(dir.join("EventLog"));
    CondorPool::new(CondorSettings {
        tools_dir: Some(dir.to_owned()),
        timeout,
        event_log,
        ..CondorSettings::default()
    })
}

/// Tells whether the process whose id a tool wrote down is gone, or only waits to be buried.
fn is_gone(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).map_or(true, |stat| stat.contains(") Z "))
}

async fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn missing_tools_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let failure = pool(dir.path(), SOON).demand().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.message.starts_with("condor_q is not in /"), "{failure}");
    assert!(failure.message.ends_with("is HTCondor installed there?"), "{failure}");
}

#[tokio::test]
async fn a_tool_that_hangs_is_killed_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_q", "echo $$ > \"$0.pid\"\nexec sleep 600");
    let failure = pool(dir.path(), Duration::from_secs(2)).demand().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient { retry_after: None });
    assert_eq!(failure.message, "condor_q gave no answer within 2s");
    let pid = fs::read_to_string(dir.path().join("condor_q.pid")).unwrap();
    wait_for("the end of the tool", || is_gone(&pid)).await;
}

#[tokio::test]
async fn a_tool_is_killed_when_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_q", "echo $$ > \"$0.pid\"\nexec sleep 600");
    let pool = pool(dir.path(), SOON);
    let pid_file = dir.path().join("condor_q.pid");
    let begun = wait_for("the tool", || fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')));
    tokio::select! {
        answer = pool.demand() => panic!("{answer:?}"),
        () = begun => (),
    }
    let pid = fs::read_to_string(&pid_file).unwrap();
    wait_for("the end of the tool", || is_gone(&pid)).await;
}

#[tokio::test]
async fn an_answer_of_a_tool_that_failed_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let row = r#"printf '2\t1\t5\t1\t512\t1024\t0\t"A"\n'"#;
    tool(dir.path(), "condor_q", &format!("{row}\necho 'Error: communication error' >&2\nexit 1"));
    let pool = pool(dir.path(), SOON);
    let failure = pool.demand().await.unwrap_err();
    assert_eq!(failure.message, "condor_q failed (exit status: 1): communication error");
    tool(dir.path(), "condor_q", row);
    assert_eq!(pool.demand().await.map(|demand| demand.len()), Ok(1));
    tool(dir.path(), "condor_q", &format!("{row}\nkill -9 $$"));
    assert!(pool.demand().await.is_err(), "killed after its last word");
}

#[tokio::test]
async fn output_is_read_while_it_comes_on_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let rows = r#"yes "$(printf '1\t1\t5\t1\t512\t1024\t0\t"A"')" | head -50000"#;
    tool(dir.path(), "condor_q", &format!("yes 'a warning of some length' | head -50000 >&2\n{rows}"));
    let demand = pool(dir.path(), SOON).demand().await.unwrap();
    assert_eq!(demand.iter().map(|shape| shape.idle).collect::<Vec<_>>(), [50_000]);
}

#[tokio::test]
async fn jobs_that_have_left_the_queue_are_removed_already() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_rm", "echo \"Couldn't find/remove all jobs in cluster $1\" >&2; exit 1");
    tool(dir.path(), "condor_q", "exit 0");
    let pool = pool(dir.path(), SOON);
    assert_eq!(pool.remove(Cluster(7)).await, Ok(()));
    tool(dir.path(), "condor_q", r"printf '5\t1\t7\n'");
    assert_eq!(pool.remove(Cluster(7)).await.unwrap_err().kind, FailureKind::Auth, "somebody else's");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_q", "exec yes");
    let failure = pool(dir.path(), SOON).demand().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected, "{failure}");
    assert!(failure.message.contains("more than"), "{failure}");
}

#[tokio::test]
async fn the_update_interval_is_asked_for_until_there_is_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_status", "case \"$1\" in -collector) echo 100;; esac");
    let pool = pool(dir.path(), SOON);
    assert!(pool.slots().await.is_err(), "no condor_config_val");
    tool(dir.path(), "condor_config_val", "echo 'Not defined: UPDATE_INTERVAL' >&2; exit 1");
    let failure = pool.slots().await.unwrap_err();
    assert_eq!(
        failure.message, "the collector came up 100 s ago; startds report every 300 s",
        "HTCondor's default"
    );
    tool(dir.path(), "condor_config_val", "echo 15");
    assert!(pool.slots().await.is_err(), "asked for once");
}

#[tokio::test]
async fn a_collector_is_young_until_the_slowest_startd_has_reported() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_status", "case \"$1\" in -collector) echo 40;; esac");
    for (manager, nodes, expected, row) in [
        (15, 0, None, "the manager's configuration is all there is"),
        (15, 60, Some(60), "nodes report less often than the manager's configuration says"),
        (300, 60, Some(300), "others in the pool report less often than nodes"),
    ] {
        tool(dir.path(), "condor_config_val", &format!("echo {manager}"));
        let settings = CondorSettings {
            tools_dir: Some(dir.path().to_owned()),
            report_interval: Duration::from_secs(nodes),
            ..CondorSettings::default()
        };
        let refused = CondorPool::new(settings).slots().await.err().map(|failure| failure.message);
        let words = |s| format!("the collector came up 40 s ago; startds report every {s} s");
        assert_eq!(refused, expected.map(words), "{row}");
    }
}

#[tokio::test]
async fn a_drain_that_is_under_way_is_ours_or_somebody_elses() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_drain", "echo 'error code 10001: Draining already in progress.' >&2; exit 1");
    let pool = pool(dir.path(), SOON);
    for (reason, expected, row) in [
        ("\"ehos: not needed\"", Ok(()), "ours"),
        ("\"new kernel\"", Err(FailureKind::Conflict), "an operator's"),
        ("undefined", Ok(()), "without a reason"),
    ] {
        tool(dir.path(), "condor_status", &format!("echo '{reason}'"));
        let drained = pool.drain(&Machine::from("n1"), "not needed").await;
        assert_eq!(drained.map_err(|failure| failure.kind), expected, "{row}");
    }
}

#[tokio::test]
async fn commands_log_in_and_questions_do_not_have_to() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["condor_drain", "condor_q"] {
        tool(dir.path(), name, "env > \"$0.env\"; pwd > \"$0.pwd\"");
    }
    let pool = pool(dir.path(), SOON);
    pool.drain(&Machine::from("n1"), "not needed").await.unwrap();
    assert_eq!(pool.jobs(Cluster(1)).await, Ok(JobCounts::default()));
    let login = "_CONDOR_SEC_CLIENT_AUTHENTICATION=REQUIRED";
    for (name, logs_in) in [("condor_drain", true), ("condor_q", false)] {
        let env = fs::read_to_string(dir.path().join(format!("{name}.env"))).unwrap();
        assert_eq!(env.lines().any(|line| line == login), logs_in, "{name}");
        assert!(env.lines().any(|line| line == "LC_ALL=C"), "{name}");
        assert_eq!(fs::read_to_string(dir.path().join(format!("{name}.pwd"))).unwrap(), "/\n");
    }
}

#[tokio::test]
async fn a_token_shows_itself_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_token_fetch", "echo \"$*\" > \"$0.args\"; echo aaa.bbb.ccc");
    let pool = pool(dir.path(), SOON);
    let token = pool.join_token(&"e1".into(), Duration::from_hours(1)).await.unwrap();
    assert_eq!(token.expose_secret(), "aaa.bbb.ccc");
    assert!(!format!("{token:?}").contains("bbb"));
    let args = fs::read_to_string(dir.path().join("condor_token_fetch.args")).unwrap();
    assert_eq!(args, "-lifetime 3600 -authz READ -authz ADVERTISE_STARTD -authz ADVERTISE_MASTER\n");
    tool(dir.path(), "condor_token_fetch", "echo 'secret words instead'");
    let failure = pool.join_token(&"e1".into(), Duration::MAX).await.unwrap_err();
    assert!(failure.kind == FailureKind::Rejected && !failure.message.contains("secret"), "{failure}");
}

#[tokio::test]
async fn a_tool_that_does_not_read_its_input_is_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "condor_submit", "echo '8.0 - 8.2'");
    let jobs = SleepJobs::new(vec![1; 100_000], Resources::default());
    assert_eq!(pool(dir.path(), SOON).submit(&jobs).await, Ok(Cluster(8)));
    tool(dir.path(), "condor_submit", "grep -c '^1$' | sed 's/$/.0 - 0.0/'");
    assert_eq!(pool(dir.path(), SOON).submit(&jobs).await, Ok(Cluster(100_000)), "all of it arrives");
}
