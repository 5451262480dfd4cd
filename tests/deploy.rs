//! `ehosd_deploy`, the real program, from credentials to running jobs and back: a real Nova server, a real sshd on it,
//! a real HTCondor, and `ehosd` as a service there.
//!
//! Deliberately run from outside of the pool, as an administrator would.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ehos_tests::{Bed, Turn, wait_for};
use serde_json::Value;
use tempfile::TempDir;

/// Names the files that the test leaves behind.
const POOL: &str = "ehos-deploy";

/// An administrator's folder outside of the bed.
struct Admin {
    bed: Bed,
    folder: TempDir,
}

impl Admin {
    fn new(bed: &Bed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let admin = Self { bed: bed.clone(), folder };
        let yaml = format!(
            "# From credentials to running jobs.\nclouds:\n  bed:\n    auth_url: {}\n    username: demo\n    password: \
             demo-secret\n    project_name: demo\n    image: debian-12   # has HTCondor\nehos:\n  project_prefix: {POOL}\n  \
             flavors: [m1.medium]\nehos_daemon: {{nodes_min: 0, nodes_max: 2, nodes_spare: 0, sleep: 5, idle_grace: 10s, \
             min_cores: 0, min_ram: 0}}\ncondor:\n  host_ip: None\n  pool_id: {POOL}\n",
            bed.auth_url()
        );
        std::fs::write(admin.config(), yaml).unwrap();
        std::fs::set_permissions(admin.config(), std::fs::Permissions::from_mode(0o600)).unwrap();
        // What an earlier, broken run has left carries the same pool's id.
        let (status, said) = admin.deploy(&["--destroy", "--yes", "--now"]);
        assert_eq!(status, Some(0), "{said}");
        admin
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("ehos.yaml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap()
    }

    /// Runs the program in the network of the bed and gives its exit status and what it said.
    fn deploy(&self, words: &[&str]) -> (Option<i32>, String) {
        let key = self.bed.state().join("openstack/demo-key");
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}-os", self.bed.namespace()))
            .arg(self.bed.program("ehosd_deploy"));
        command.args(words).arg("--identity").arg(&key);
        if !words.contains(&"--destroy") {
            command.arg("--ssh-key").arg(key.with_extension("pub"));
        }
        let output = command.arg(self.config()).env("HOME", self.folder.path()).stdin(Stdio::null()).output();
        let Output { status, stdout, stderr } = output.unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (status.code(), said)
    }
}

fn masters(bed: &Bed) -> Vec<Value> {
    let mut servers = bed.all_servers().unwrap();
    servers.retain(|server| server["metadata"]["ehos:role"] == "master");
    servers
}

/// The groups and keypairs of ours in the account.
fn account(bed: &Bed) -> (usize, usize) {
    let groups = bed.api(&["network", "/v2.0/security-groups"]).unwrap();
    let keys = bed.api(&["compute", "/os-keypairs"]).unwrap();
    let ours = |list: &Value, at: fn(&Value) -> &Value| {
        let all = list.as_array().unwrap();
        all.iter().filter(|one| at(one).as_str().is_some_and(|name| name.starts_with(POOL))).count()
    };
    (
        ours(&groups["security_groups"], |one| &one["name"]),
        ours(&keys["keypairs"], |one| &one["keypair"]["name"]),
    )
}

#[test]
fn from_credentials_to_running_jobs_and_back_to_an_empty_cloud() {
    let turn = Turn::take(POOL).unwrap();
    let bed = &turn.bed;
    let admin = Admin::new(bed);

    let (status, said) = admin.deploy(&["--prepare"]);
    assert!(status == Some(0) && said.contains("security group"), "{said}");
    assert_eq!(account(bed), (1, 1), "a group and a keypair: {said}");
    assert_eq!(masters(bed).len(), 0, "and nothing else");
    for line in
        ["network: private", "key: ehos-deploy-key", "# From credentials to running jobs.", "# has HTCondor"]
    {
        assert!(admin.text().contains(line), "{line} in {}", admin.text());
    }
    let before = admin.text();
    let (status, _) = admin.deploy(&["--prepare"]);
    assert_eq!(
        (status, admin.text() == before, account(bed)),
        (Some(0), true, (1, 1)),
        "once more changes nothing"
    );

    let (status, said) = admin.deploy(&[]);
    assert_eq!(status, Some(0), "{said}");
    for words in ["master", "log in", "ssh debian@", "journalctl -u ehos -f"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let [master] = &masters(bed)[..] else { panic!("one master: {said}") };
    let name = machine(bed, master);
    assert!(!admin.text().contains("host_ip: None"), "{}", admin.text());

    // What the pool needs to be secret is the daemon's alone, and in no argument of any process.
    let modes = bed.on(&name, "root", &["stat", "-c", "%a %U", "/etc/ehos/ehos.yaml"]).unwrap();
    assert_eq!(modes.trim(), "600 ehos");
    let arguments = bed.on(&name, "root", &["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).unwrap();
    assert!(!arguments.contains("demo-secret"), "{arguments}");
    let console = bed.api(&[
        "POST",
        "compute",
        &format!("/servers/{}/action", master["id"].as_str().unwrap()),
        r#"{"os-getConsoleOutput": {}}"#,
    ]);
    assert!(!console.unwrap().to_string().contains("demo-secret"));

    bed.on(&name, "debian", &["ehos_sleep_jobs", "-n", "2", "-s", "3", "--wait"]).unwrap();

    let (status, said) = admin.deploy(&[]);
    assert!(status == Some(0) && said.contains("nothing: all was there and running"), "{said}");
    std::fs::write(admin.config(), admin.text().replace("nodes_max: 2", "nodes_max: 1")).unwrap();
    let (status, said) = admin.deploy(&[]);
    assert!(status == Some(0) && said.contains("1 files brought"), "only the configuration: {said}");
    assert_eq!(masters(bed).len(), 1, "the same master");

    let (status, said) = admin.deploy(&["--destroy"]);
    assert!(status == Some(1) && said.contains("give --yes"), "{said}");
    let (status, said) = admin.deploy(&["--destroy", "--yes"]);
    assert!(status == Some(0) && said.contains("is gone"), "{said}");
    assert_eq!((bed.all_servers().unwrap().len(), account(bed)), (0, (0, 0)), "the cloud is empty: {said}");
}

#[test]
fn a_daemon_that_does_not_come_up_is_told_with_its_last_words() {
    let turn = Turn::take(POOL).unwrap();
    let admin = Admin::new(&turn.bed);
    // A program that says its version and dies.
    let programs = admin.folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'error: no such luck' >&2\nexit 2\n";
    std::fs::write(programs.join("ehosd"), script).unwrap();
    let (status, said) = admin.deploy(&["--binaries", programs.to_str().unwrap()]);
    assert!(status == Some(1) && said.contains("ehosd does not start"), "{said}");
    assert!(said.contains("no such luck"), "its last words: {said}");
    let stranger = "#!/bin/sh\necho 'version GLIBC_9.99 not found' >&2\nexit 1\n";
    std::fs::write(programs.join("ehosd"), stranger).unwrap();
    let (status, said) = admin.deploy(&["--binaries", programs.to_str().unwrap()]);
    assert!(status == Some(1) && said.contains("GLIBC_9.99") && said.contains("--binaries"), "{said}");

    // Another key than the one that the console showed.
    let [master] = &masters(&turn.bed)[..] else { panic!("one master") };
    let name = machine(&turn.bed, master);
    let change = "rm /etc/ssh/ssh_host_*; ssh-keygen -A; kill -HUP $(pgrep -o sshd)";
    turn.bed.on(&name, "root", &["sh", "-c", change]).unwrap();
    let changed = wait_for("another host key", Duration::from_secs(20), || {
        let (status, said) = admin.deploy(&[]);
        (status == Some(1) && said.contains("HOST KEY")).then_some(said)
    });
    assert!(changed.unwrap().contains("IS NOT THE KNOWN ONE"));
    let (status, said) = admin.deploy(&["--destroy", "--yes", "--now"]);
    assert!(status == Some(0), "{said}");
}

/// The bed's machine of a server.
fn machine(bed: &Bed, server: &Value) -> String {
    let names = bed.state().join("names").join(server["id"].as_str().unwrap());
    std::fs::read_to_string(names).unwrap().trim().to_owned()
}
