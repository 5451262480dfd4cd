//! `ehosd` as a service: what it tells systemd, on a real socket, and when it falls silent.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic as the tests do")]

use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What systemd would wait for between two signs of life.
const WATCHDOG: Duration = Duration::from_secs(2);

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon that is killed with the test, and systemd's end of the line.
struct Service {
    child: Child,
    socket: UnixDatagram,
    config: PathBuf,
    _dir: tempfile::TempDir,
}

impl Service {
    /// Starts it with an embedded pool, or with `config`.
    fn start(config: Option<&dyn Fn(&Path) -> String>, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ehos.yaml");
        std::fs::write(&path, config.map_or_else(|| embedded(dir.path()), |config| config(dir.path())))
            .unwrap();
        let notify = dir.path().join("notify");
        let socket = UnixDatagram::bind(&notify).unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ehosd"));
        let child = command
            .args(arguments)
            .arg(&path)
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, socket, config: path, _dir: dir }
    }

    /// Receives one message, its parts in their order; none within `limit`.
    fn hear(&self, limit: Duration) -> Option<Vec<String>> {
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(limit)).unwrap();
        match self.socket.recv(&mut buffer) {
            Ok(length) => {
                Some(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Receives messages up to one with a part that begins so, and gives all their parts.
    fn until(&self, part: &str) -> Vec<String> {
        let began = Instant::now();
        let mut heard = Vec::new();
        while began.elapsed() < PATIENCE {
            heard.extend(self.hear(WATCHDOG).unwrap_or_default());
            if heard.iter().any(|each| each.starts_with(part)) {
                return heard;
            }
        }
        panic!("no {part} in {heard:?}");
    }

    /// Waits as systemd does: true as soon as the daemon is silent for as long as the watchdog allows.
    fn starves(&self) -> bool {
        let began = Instant::now();
        let mut fed = began;
        while fed.elapsed() < WATCHDOG && began.elapsed() < PATIENCE {
            let left = WATCHDOG.saturating_sub(fed.elapsed()).max(Duration::from_millis(1));
            if self.hear(left).is_some_and(|heard| heard.iter().any(|part| part == "WATCHDOG=1")) {
                fed = Instant::now();
            }
        }
        fed.elapsed() >= WATCHDOG
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end, and gives whether all was well and what it wrote to its log.
    fn end(mut self) -> (bool, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().success(), log)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// An embedded pool that looks once in ten minutes: whatever is told meanwhile comes from the wait.
fn embedded(dir: &Path) -> String {
    format!(
        "clouds:\n  c:\n    backend: embedded\nehos:\n  flavor: m1.medium\nehos_daemon:\n  nodes_min: 0\n  nodes_max: 3\n  \
         nodes_spare: 0\n  sleep: 600\n  state_dir: {}\n",
        dir.join("state").display()
    )
}

/// A cloud at an address where nobody listens, and a machine without HTCondor.
fn nothing_there(dir: &Path) -> String {
    format!(
        "clouds:\n  bergen:\n    auth_url: http://127.0.0.1:9/v3\n    username: u\n    password: hush-hush-4711\n    \
         project_name: p\nehos: {{flavor: m1.small, image: i, network: n}}\ncondor: {{host_ip: 10.0.0.1}}\n\
         ehos_daemon: {{state_dir: {}}}\n",
        dir.join("state").display()
    )
}

fn position(heard: &[String], part: &str) -> usize {
    heard.iter().position(|each| each.starts_with(part)).unwrap_or_else(|| panic!("no {part} in {heard:?}"))
}

#[test]
fn a_life_is_told_in_its_order() {
    let service = Service::start(None, &[]);
    let heard = service.until("WATCHDOG=1");
    assert_eq!(heard, ["READY=1", "STATUS=no node; no job waits", "WATCHDOG=1"]);
    service.until("WATCHDOG=1");

    service.signal("HUP");
    let heard = service.until("READY=1");
    let (reloading, ready) = (position(&heard, "RELOADING=1"), position(&heard, "READY=1"));
    assert!(reloading < ready, "{heard:?}");
    let now: u64 =
        heard[position(&heard, "MONOTONIC_USEC=")].trim_start_matches("MONOTONIC_USEC=").parse().unwrap();
    assert!(now > 0);

    std::fs::write(&service.config, "nonsense").unwrap();
    let heard = service.until("STATUS=");
    assert!(heard[position(&heard, "STATUS=")].contains("the files are wrong"), "{heard:?}");
    assert!(
        position(&heard, "RELOADING=1") < position(&heard, "READY=1"),
        "a file that changes is a reload, too: {heard:?}"
    );

    service.signal("TERM");
    let heard = service.until("STOPPING=1");
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    let (well, log) = service.end();
    assert!(well, "{log}");
}

#[test]
fn it_is_ready_though_every_cloud_is_down_and_says_so_without_a_secret() {
    let service = Service::start(Some(&nothing_there), &[]);
    let heard = service.until("WATCHDOG=1");
    assert_eq!(heard[0], "READY=1", "{heard:?}");
    let status = &heard[position(&heard, "STATUS=")];
    assert!(status.contains("cannot be seen: ") && status.contains("cloud bergen"), "{status}");
    assert!(!heard.concat().contains("hush"), "{heard:?}");
}

#[test]
fn a_loop_that_hangs_does_not_feed_the_watchdog_and_one_that_waits_does() {
    let service = Service::start(None, &[]);
    service.until("READY=1");
    for _ in 0..3 {
        service.until("WATCHDOG=1");
    }
    // A disk that does not answer: whoever opens a pipe to which nobody writes waits. The other threads of the daemon go
    // on all the while, as a signal shows.
    let right = std::fs::read_to_string(&service.config).unwrap();
    let pipe = service.config.with_extension("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::rename(&pipe, &service.config).unwrap();
    service.signal("HUP");
    service.until("RELOADING=1");
    assert!(service.starves(), "the loop hangs and the watchdog is fed all the same");
    service.signal("TERM");
    service.until("STOPPING=1");
    // The disk is back.
    std::fs::write(&service.config, right).unwrap();
    let (well, log) = service.end();
    assert!(well && log.contains("stopped"), "{log}");
}

#[test]
fn a_single_look_is_told_as_well() {
    let service = Service::start(None, &["--once"]);
    service.until("READY=1");
    let (well, log) = service.end();
    assert!(well && !log.contains("systemd"), "{log}");
}

#[test]
fn a_systemd_that_does_not_listen_is_complained_about_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("ehos.yaml");
    std::fs::write(&config, embedded(dir.path())).unwrap();
    for (row, socket, complaints) in [("none", None, 0), ("gone", Some(dir.path().join("nobody")), 1)] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ehosd"));
        command.arg("--once").arg(&config).stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
        command.envs(socket.map(|socket| ("NOTIFY_SOCKET", socket)));
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{row}: {log}");
        assert_eq!(log.matches("systemd cannot be told").count(), complaints, "{row}: {log}");
    }
}
