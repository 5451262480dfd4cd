//! `ehosd` from its command line: wrong files, the embedded world, reload and stop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic as the tests do")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SECRET: &str = "hush-hush-4711";

/// An embedded pool in a directory of its own.
fn demo(dir: &Path, more: &str) -> PathBuf {
    let path = dir.join("ehos.yaml");
    let yaml = format!(
        "clouds:\n  c:\n    backend: embedded\n    embedded:\n      boot_time: 1s\n      join_time: 1s\nehos:\n  \
         flavor: m1.medium\nehos_daemon:\n  nodes_min: 1\n  nodes_max: 3\n  nodes_spare: 0\n  sleep: 1\n  min_cores: 0\n  \
         min_ram: 0\n  idle_grace: 1s\n  state_dir: {}\n{more}",
        dir.join("state").display()
    );
    std::fs::write(&path, yaml).unwrap();
    path
}

/// An OpenStack at an address, and a pool.
fn openstack(dir: &Path, address: &str) -> PathBuf {
    let path = dir.join("ehos.yaml");
    let yaml = format!(
        "clouds:\n  bergen:\n    auth_url: http://{address}/v3\n    username: u\n    password: {SECRET}\n    \
         project_name: p\nehos: {{flavor: m1.small, image: i, network: n}}\ncondor: {{host_ip: 10.0.0.1}}\n\
         ehos_daemon: {{state_dir: {}}}\n",
        dir.join("state").display()
    );
    std::fs::write(&path, yaml).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn ehosd() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ehosd"));
    command.stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

/// A daemon that is killed with the test, and its log line by line.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start(config: &Path) -> Self {
        let mut child =
            ehosd().arg("-v").arg(config).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Reads the log up to a line with these words. The log ends with the daemon, so this ends, too.
    fn until(&mut self, words: &str) -> String {
        let began = Instant::now();
        let mut seen = String::new();
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            seen.push_str(&line);
            if line.contains(words) {
                return line;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no '{words}' in\n{seen}");
            line.clear();
        }
        panic!("no '{words}' in\n{seen}");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

#[test]
fn wrong_files_are_told_with_place_and_status_2() {
    let cloud = "clouds:\n  bergen:\n    auth_url: http://127.0.0.1:9/v3\n    username: u\n    password: hush-hush-4711\n    \
                 project_name: p\nehos: {flavor: m1.small, network: n}\ncondor: {host_ip: 10.0.0.1}\n";
    let rows: [(&str, Vec<u8>, &[&str]); 9] = [
        (
            "a wrong key",
            format!("{cloud}ehos_daemon:\n  nodes_mx: 3\n").into(),
            &["ehos.yaml:10:3", "nodes_max"],
        ),
        ("a wrong type", format!("{cloud}ehos_daemon:\n  nodes_max: many\n").into(), &["ehos.yaml:10:14"]),
        (
            "a duplicate key",
            format!("{cloud}ehos_daemon: {{sleep: 3, sleep: 4}}\n").into(),
            &["ehos.yaml:9:", "sleep"],
        ),
        (
            "an unknown cloud",
            format!("{cloud}ehos_daemon:\n  master_cloud: oslo\n").into(),
            &["ehos.yaml:10:17", "bergen"],
        ),
        ("a missing value", cloud.replace("    username: u\n", "").into(), &["ehos.yaml:", "username"]),
        (
            "contradicting limits",
            format!("{cloud}ehos_daemon:\n  nodes_min: 7\n  nodes_max: 3\n").into(),
            &["ehos.yaml:1", "nodes_m"],
        ),
        ("no YAML", format!("{cloud}ehos_daemon: [1, 2\n").into(), &["ehos.yaml:"]),
        ("an empty file", Vec::new(), &["ehos.yaml"]),
        ("a binary file", (0..=255).cycle().take(5000).collect(), &["ehos.yaml:"]),
    ];
    for (row, content, words) in rows {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ehos.yaml");
        std::fs::write(&path, content).unwrap();
        for arguments in [vec!["--check"], vec!["--once"], vec!["-v", "-v", "-v", "--dry-run"]] {
            let (output, text) = run(ehosd().args(&arguments).arg(&path));
            assert_eq!(output.status.code(), Some(2), "{row}: {text}");
            for word in words {
                assert!(text.contains(word), "{row}: no {word} in\n{text}");
            }
            assert!(!text.contains(SECRET), "{row}: a secret in\n{text}");
            assert!(!text.contains("panicked"), "{row}: {text}");
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (output, text) = run(ehosd().current_dir(dir.path()).arg("nowhere.yaml"));
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("nowhere.yaml"), "{text}");
    let (output, text) = run(ehosd().current_dir(dir.path()));
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("ehos.yaml") && text.contains("/etc/ehos"), "where it was looked for: {text}");
    let (output, text) = run(ehosd().arg("--run-for").arg("soon"));
    assert_eq!(output.status.code(), Some(2), "{text}");
}

#[test]
fn a_right_file_is_said_to_be_right_and_a_plan_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = demo(dir.path(), "");
    let (output, text) = run(ehosd().arg("--check").arg(&config));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("right") && text.contains("1 to 3 nodes"), "{text}");
    let (output, text) = run(ehosd().arg("--dry-run").arg(&config));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("would    create node") && text.contains("nodes_min is 1"), "{text}");
    assert!(!dir.path().join("state").exists(), "not even its state directory is made");
}

#[test]
fn the_embedded_world_runs_its_load_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = demo(dir.path(), "embedded:\n  load: [{jobs: 4, seconds: 1, cores: 1}]\n");
    let (output, text) = run(ehosd().args(["--run-for", "15s"]).arg(&config));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("at the end: jobs: 0 wait, 0 run, 4 done"), "{text}");
    assert!(text.contains("create node") && text.contains("wait and no node has room"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal: {text}");
}

#[test]
fn a_reload_takes_what_is_right_and_refuses_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let config = demo(dir.path(), "");
    let mut daemon = Running::start(&config);
    daemon.until("seen: ");
    let right = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, right.replace("nodes_max: 3", "nodes_max: 3\n  nodes_mx: 4")).unwrap();
    daemon.until("the old one stays in force");
    std::fs::write(&config, right.replace("nodes_min: 1", "nodes_min: 2")).unwrap();
    let told = daemon.until("configuration: ");
    assert!(told.contains("nodes_min"), "{told}");
    daemon.until("nodes_min is 2");
    let right = std::fs::read_to_string(&config).unwrap();
    daemon.signal("HUP");
    daemon.until("nothing has changed");
    std::fs::write(&config, "nonsense").unwrap();
    daemon.until("the old one stays in force");
    std::fs::write(&config, right).unwrap();
    daemon.until("is right; nothing has changed");
}

#[test]
fn a_new_image_and_a_changed_template_come_to_the_nodes_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("execute.yaml");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../share/execute.yaml");
    std::fs::copy(shipped, &template).unwrap();
    let config = demo(dir.path(), "");
    let with = |image: &str| {
        let right = std::fs::read_to_string(&config).unwrap();
        let (before, after) = right.split_once("    backend: embedded\n").unwrap();
        let before = before.split("    image:").next().unwrap();
        format!("{before}    image: {image}\n    backend: embedded\n{after}")
    };
    let first = with("first").replace("ehos:\n", "ehos:\n  userdata_file: execute.yaml\n");
    std::fs::write(&config, first).unwrap();
    let mut daemon = Running::start(&config);
    daemon.until("1 node: 1 idle");
    std::fs::write(&config, with("second")).unwrap();
    let told = daemon.until("it was made from image first, new nodes are made from second");
    assert!(told.contains("drain node"), "{told}");
    daemon.until("nodes_min is 1 and there are 0");
    daemon.until("1 node: 1 idle");
    let text = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, format!("{text}# Changed.\n")).unwrap();
    daemon.until("execute.yaml of c has changed");
    let told = daemon.until("it was told another execute.yaml than new nodes are");
    assert!(told.contains("drain node"), "{told}");
    std::fs::write(&template, "nonsense").unwrap();
    daemon.until("the old one stays in force");
}

#[test]
fn a_slow_cloud_does_not_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = openstack(dir.path(), &silent.local_addr().unwrap().to_string());
    let mut daemon = Running::start(&config);
    let _connection = silent.accept().unwrap();
    let began = Instant::now();
    daemon.signal("TERM");
    daemon.until("stopped; the servers stay as they are");
    assert!(daemon.child.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn what_is_wrong_beside_the_file_is_a_wrong_configuration_too() {
    let dir = tempfile::tempdir().unwrap();
    for (row, more, word) in [
        ("no template", "ehos: {userdata_file: nowhere.yaml}\n", "nowhere.yaml"),
        ("no CA file", "clouds: {bergen: {cacert: nowhere.pem}}\n", "nowhere.pem"),
        ("no version has it yet", "condor: {authentication: password, password: p}\n", "idtokens"),
    ] {
        let config = openstack(dir.path(), "127.0.0.1:9");
        let over = dir.path().join("over.yaml");
        std::fs::write(&over, more).unwrap();
        for argument in ["--check", "--once"] {
            let (output, text) = run(ehosd().arg(argument).args([&config, &over]));
            assert_eq!(output.status.code(), Some(2), "{row}: {text}");
            assert!(text.contains("error: ") && text.contains(word), "{row}: {text}");
            assert!(!text.contains(SECRET), "{row}: a secret in\n{text}");
        }
    }
}

#[test]
fn a_quiet_check_says_only_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let config = openstack(dir.path(), "127.0.0.1:9");
    let (output, text) = run(ehosd().args(["-q", "--check"]).arg(&config));
    assert!(output.status.success() && text.is_empty(), "{text}");
    let (output, text) = run(ehosd().args(["-q", "--check", "--online"]).arg(&config));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAILED: cannot reach http://127.0.0.1:9") && !text.contains("right"), "{text}");
    let (_, text) = run(ehosd().args(["--check", "--online"]).arg(&config));
    assert!(text.contains("no node can boot before clouds.bergen.image is set"), "{text}");
}

#[test]
fn what_cannot_be_seen_is_told_once_by_a_dry_run() {
    let dir = tempfile::tempdir().unwrap();
    let config = openstack(dir.path(), "127.0.0.1:9");
    let (output, text) = run(ehosd().arg("--dry-run").arg(&config));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("cannot reach").count(), 1, "{text}");
    assert_eq!(text.matches("cloud bergen").count(), 1, "{text}");
}

#[test]
fn an_embedded_world_begins_anew_and_remembers_no_servers_of_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = demo(dir.path(), "");
    for row in ["first", "second"] {
        let (output, text) = run(ehosd().arg("--once").arg(&config));
        assert!(output.status.success(), "{row}: {text}");
        assert!(text.contains("nodes_min is 1 and there are 0"), "{row}: {text}");
    }
}

#[test]
fn a_signal_stops_it_and_a_second_daemon_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = demo(dir.path(), "");
    let mut daemon = Running::start(&config);
    daemon.until("seen: ");
    let (output, text) = run(ehosd().arg("--once").arg(&config));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("pid {}", daemon.child.id())), "{text}");
    daemon.signal("TERM");
    daemon.until("stopped");
    assert!(daemon.child.wait().unwrap().success());
    let mut rest = String::new();
    daemon.log.read_to_string(&mut rest).unwrap();
    let (output, text) = run(ehosd().arg("--once").arg(&config));
    assert!(output.status.success(), "the lock ends with the process: {text}");
}
