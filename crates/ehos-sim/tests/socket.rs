//! The embedded queue can be reached from another program, and nothing that is sent to it does harm.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ehos_condor::{Pool as _, SleepJobs};
use ehos_model::{FailureKind, Resources};
use ehos_sim::{EmbeddedPool, RemotePool, SOCKET, World, WorldSettings, serve};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

fn pool() -> EmbeddedPool {
    World::new(WorldSettings::new(1)).pool()
}

fn jobs(n: usize) -> SleepJobs {
    SleepJobs::new(vec![20; n], Resources::default())
}

/// Sends bytes and gives the first line of the answer; empty where the other side hangs up.
async fn say(path: &Path, bytes: &[u8]) -> String {
    let mut stream = BufReader::new(UnixStream::connect(path).await.unwrap());
    // The other side may hang up before it has read all.
    _ = stream.write_all(bytes).await;
    let mut line = String::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_line(&mut line)).await.unwrap().unwrap_or(0);
    line
}

#[tokio::test]
async fn jobs_submitted_over_the_socket_are_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pool) = (folder.path().join("state").join(SOCKET), pool());
    let served = serve(Arc::new(pool.clone()), &path).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.path().join("state")), mode(&path)), (0o700, 0o600), "nobody else gets in");

    let remote = RemotePool::connect(&path);
    let cluster = remote.submit(&jobs(10)).await.unwrap();
    assert_eq!(remote.jobs(cluster).await.unwrap().idle, 10);
    assert_eq!(pool.demand().await.unwrap()[0].idle, 10);
    let failure = remote.submit(&jobs(0)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected, "the pool's own refusal comes through");

    drop(served);
    assert!(!path.exists(), "the socket goes with its guard");
}

#[tokio::test]
async fn without_an_ehosd_it_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let ask = async || RemotePool::connect(&path).submit(&jobs(1)).await.unwrap_err();
    assert!(ask().await.message.contains("start it with `ehosd etc/demo.yaml`"), "no socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(
        ask().await.message.contains("start it with `ehosd etc/demo.yaml`"),
        "a socket nobody listens on"
    );
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = serve(Arc::new(pool()), &path).await.unwrap();
    let second = serve(Arc::new(pool()), &path).await.unwrap_err();
    assert_eq!(second.kind, FailureKind::Conflict, "{second}");
    RemotePool::connect(&path).submit(&jobs(1)).await.unwrap();
    drop(first);

    std::fs::write(&path, "precious").unwrap();
    let failure = serve(Arc::new(pool()), &path).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict, "what is no socket is left alone: {failure}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_guard_leaves_the_socket_of_its_successor_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let first = serve(Arc::new(pool()), &path).await.unwrap();
    std::fs::rename(&path, folder.path().join("aside")).unwrap();
    let _second = serve(Arc::new(pool()), &path).await.unwrap();
    drop(first);
    RemotePool::connect(&path).submit(&jobs(1)).await.unwrap();
}

#[tokio::test]
async fn whatever_is_sent_gets_an_error_line_and_the_next_caller_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let _served = serve(Arc::new(pool()), &path).await.unwrap();
    let endless = vec![b'x'; 17 << 20];
    let deep = [vec![b'['; 100_000], b"\n".to_vec()].concat();
    let rows: [(&[u8], &str, &str); 9] = [
        (b"hello\n", "not understood", "no JSON"),
        (b"\n", "not understood", "an empty line"),
        (b"{\"jobs\":{}}\n", "not understood", "a field is missing"),
        (b"{\"jobs\":{\"cluster\":-1}}\n", "not understood", "a negative number"),
        (b"{\"jobs\":{\"cluster\":1,\"more\":2}}\n", "not understood", "an unknown field"),
        (b"\xff\xfe\x00\n", "not understood", "no text"),
        (&deep, "not understood", "deeply nested"),
        (&endless, "too long", "a line without end"),
        (b"{\"jobs\":{\"clus", "", "hung up in the middle"),
    ];
    for (bytes, expected, row) in rows {
        let answer = if expected.is_empty() {
            drop(UnixStream::connect(&path).await.unwrap().try_write(bytes));
            String::new()
        } else {
            say(&path, bytes).await
        };
        assert!(answer.contains(expected), "{row}: {answer}");
        RemotePool::connect(&path).submit(&jobs(1)).await.expect(row);
    }
}

#[tokio::test]
async fn one_submission_takes_a_million_jobs_and_refuses_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SOCKET);
    let _served = serve(Arc::new(pool()), &path).await.unwrap();
    let remote = RemotePool::connect(&path);
    let cluster = remote.submit(&jobs(1_000_000)).await.unwrap();
    assert_eq!(remote.jobs(cluster).await.unwrap().idle, 1_000_000);
    let failure = remote.submit(&jobs(6_000_000)).await.unwrap_err();
    assert!(failure.message.contains("too many"), "{failure}");
}
