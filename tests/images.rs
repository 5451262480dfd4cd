//! `ehos_build_images`, the real program, against a real OpenStack, real cloud-init and a real HTCondor.
//!
//! Deliberately one after the other: the tests share the bed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic as the tests do")]

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ehos_tests::{Bed, Turn, wait_for};
use serde_json::Value;

const POOL: &str = "ehos-images";

/// A base.yaml that is done at once and installs nothing.
const QUICK: &str = "#cloud-config\nfinal_message: \"The EHOS vm is up after $UPTIME seconds\"\n";

/// A base.yaml that never says that it is up.
const SILENT: &str = "#cloud-config\nfinal_message: \"something else\"\n";

/// The configuration with all that could get lost: comments, Windows line ends, a flow mapping, a list, odd spaces.
fn yaml(bed: &Bed) -> String {
    let url = bed.auth_url();
    format!(
        "# Clouds of the test, one in each style.\n\
         clouds:\n\
         \x20 demo:   # block style\n\
         \x20   auth_url: {url}\n\
         \x20   username: demo\n\
         \x20   password: \"demo-secret\"\n\
         \x20   project_name: demo\n\
         \x20   image: None   # written by ehos_build_images\n\
         \x20 other: {{auth_url: \"{url}\", username: other, password: demo-secret, project_name: other}} # flow style\n\
         \x20 tight:\n\
         \x20   auth_url: {url}\n\
         \x20   username: tight\n\
         \x20   password: demo-secret\n\
         \x20   project_name: tight\n\
         \x20   image: <IMAGE>\n\
         # How servers are made.\n\
         ehos: {{project_prefix: ehos-images, image: debian-13, flavors: [m1.small], network: private, key: demo-key, security_groups: workers}}\n\
         ehos_daemon:\n\
         \x20 nodes_min: 0\n\
         \x20 nodes_max: 1\n\
         \x20 nodes_spare: 0\n\
         \x20 min_cores: 0\n\
         \x20 min_ram: 0\n\
         \x20 sleep: 5\n\
         \x20 state_dir: /home/ehos/state-{POOL}\n\
         condor:\n\
         \x20 host_ip: {}\n\
         \x20 pool_id: {POOL}\n\
         \x20 password: test-password-of-the-pool\n\
         # The end.\n",
        bed.manager()
    )
    .replace('\n', "\r\n")
}

/// Puts a file into the home of `ehos` on the manager.
fn put(bed: &Bed, name: &str, text: &str) {
    let path = format!("/home/ehos/{name}");
    std::fs::write(bed.root().unwrap().join(path.trim_start_matches('/')), text).unwrap();
    bed.run("root", &["chown", "ehos:ehos", &path]).unwrap();
    bed.run("root", &["chmod", "600", &path]).unwrap();
}

fn get(bed: &Bed, name: &str) -> String {
    std::fs::read_to_string(bed.root().unwrap().join("home/ehos").join(name)).unwrap()
}

fn command(bed: &Bed, words: &[&str]) -> Command {
    let words: Vec<&str> =
        ["ehos_build_images"].iter().chain(words).chain(&["images.yaml"]).copied().collect();
    bed.on_manager("ehos", &words)
}

/// Runs the program and gives its exit status and what it said.
fn build(bed: &Bed, words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(bed, words).output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), text)
}

/// The images of our pool in a project.
fn images(bed: &Bed, project: &str) -> Vec<Value> {
    let all = bed.seen_by(project).api(&["image", &format!("/v2/images?ehos_pool={POOL}")]).unwrap();
    all["images"].as_array().unwrap().clone()
}

fn forget_images(bed: &Bed) {
    for project in ["demo", "other"] {
        for image in images(bed, project) {
            let path = format!("/v2/images/{}", image["id"].as_str().unwrap());
            bed.seen_by(project).api(&["DELETE", "image", &path]).unwrap();
        }
    }
}

/// Checks that no server, port or job is left in any project.
fn nothing_left(bed: &Bed, after: &str) {
    for project in ["demo", "other", "tight"] {
        let bed = bed.seen_by(project);
        assert_eq!(bed.all_servers().unwrap(), Vec::<Value>::new(), "servers in {project} after {after}");
        wait_for("the ports to go", Duration::from_secs(30), || {
            (bed.leftovers().ok()? == (0, 0)).then_some(())
        })
        .unwrap_or_else(|error| panic!("{project} after {after}: {error}"));
    }
    let jobs = bed.run("root", &["condor_q", "-allusers", "-af", "ClusterId"]).unwrap();
    assert_eq!(jobs.trim(), "", "jobs after {after}");
}

/// Takes the bed, empty and with a fresh configuration.
fn start() -> Turn {
    let turn = Turn::take(POOL).unwrap();
    forget_images(&turn.bed);
    put(&turn.bed, "images.yaml", &yaml(&turn.bed));
    put(&turn.bed, "quick.yaml", QUICK);
    put(&turn.bed, "silent.yaml", SILENT);
    turn
}

#[test]
fn images_are_built_in_two_projects_at_once_and_nodes_of_them_run_jobs() {
    let turn = start();
    let bed = &turn.bed;
    let before = get(bed, "images.yaml");
    let (status, said) = build(bed, &["-v", "--timeout", "5m"]);
    assert_eq!(status, Some(1), "a cloud failed: {said}");
    assert!(said.contains("tight: the quota has no room for a server of m1.small"), "{said}");
    let mut expected = before;
    for (project, old, new) in [
        ("demo", "    image: None   # written", "    image: {}   # written"),
        ("other", "project_name: other}", "project_name: other, image: {}}"),
    ] {
        let [image] = &images(bed, project)[..] else { panic!("one image in {project}: {said}") };
        let id = image["id"].as_str().unwrap();
        assert!(said.contains(&format!("{project}  ")) && said.contains(id), "{said}");
        expected = expected.replace(old, &new.replace("{}", id));
        let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("status"), "active");
        assert!(text("ehos_htcondor").starts_with("23."), "{image}");
        assert!(!text("ehos_probed").is_empty() && text("ehos_base_yaml").len() == 64, "{image}");
    }
    assert_eq!(get(bed, "images.yaml"), expected, "only the two values have changed");
    assert_eq!(
        bed.run("ehos", &["stat", "-c", "%a", "images.yaml"]).unwrap().trim(),
        "600",
        "the mode is kept"
    );
    nothing_left(bed, "a build");

    let (status, said) = build(bed, &["--only", "demo", "--only", "other"]);
    assert_eq!((status, said.matches("up to date").count()), (Some(0), 2), "{said}");
    assert_eq!(get(bed, "images.yaml"), expected);

    // The last cloud gives no nodes: its quota is zero.
    let daemon = bed.on_manager("ehos", &["ehosd", "images.yaml"]).stderr(Stdio::null()).spawn().unwrap();
    let daemon = Ended(daemon);
    bed.run("alice", &["ehos_sleep_jobs", "-n", "2", "-s", "3", "--wait"]).unwrap();
    let servers: Vec<_> = ["demo", "other"]
        .iter()
        .flat_map(|project| bed.seen_by(project).servers(POOL).unwrap())
        .map(|server| server["metadata"]["ehos:image"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(servers.len() == 1 && expected.contains(&servers[0]), "a node of the new image: {servers:?}");
    drop(daemon);
    forget_images(bed);
}

/// A program on the manager that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // The program dies with the process that waits for it.
        let _already_gone = self.0.kill();
        let _already_gone = self.0.wait();
    }
}

#[test]
fn an_image_on_which_no_job_runs_is_never_written_down() {
    let turn = start();
    let bed = &turn.bed;
    let before = get(bed, "images.yaml");
    let (status, said) = build(bed, &["--only", "demo", "-B", "quick.yaml", "--timeout", "20s"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("does not run ehos-clean"), "a warning: {said}");
    assert!(said.contains("the node of the new image"), "{said}");
    assert!(said.contains("the end of its console"), "{said}");
    assert_eq!(get(bed, "images.yaml"), before);
    assert_eq!(images(bed, "demo"), Vec::<Value>::new(), "the broken image is gone");
    nothing_left(bed, "a broken image");
}

#[test]
fn each_trouble_has_its_own_words_and_leaves_nothing() {
    let turn = start();
    let bed = &turn.bed;
    let before = get(bed, "images.yaml");
    put(bed, "failing.yaml", "#cloud-config\nruncmd: ['exit 7']\n");
    put(bed, "tag.yaml", "#cloud-config\nruncmd: [[echo, {{master}}]]\n");
    put(bed, "broken.yaml", "#cloud-config\nruncmd: [\n");
    // Noise, or it could be compressed.
    let noise = (0..90_000_u32).map(|n| n.wrapping_mul(2_654_435_761));
    let noise = noise.fold(String::new(), |text, n| text + &format!("# {n:08x}\n"));
    put(bed, "large.yaml", &format!("#cloud-config\nfinal_message: x\n{noise}"));
    for (file, status, words) in [
        ("tag.yaml", 2, "tag.yaml:2:17: unknown tag master"),
        ("broken.yaml", 2, "broken.yaml:2:9: not valid YAML"),
        ("large.yaml", 2, "too large"),
        ("nowhere.yaml", 2, "cannot read the template nowhere.yaml"),
        ("silent.yaml", 1, "did not say within 15 s that it is up"),
        ("failing.yaml", 1, "failed to set itself up: "),
    ] {
        let (code, said) = build(bed, &["--only", "demo", "-B", file, "--timeout", "15s"]);
        assert!(code == Some(status) && said.contains(words), "{file}: {code:?} {said}");
        nothing_left(bed, file);
    }
    assert_eq!(images(bed, "demo"), Vec::<Value>::new());
    assert_eq!(get(bed, "images.yaml"), before);
}

/// Starts a build that waits for its base server, and gives the server.
fn waiting(bed: &Bed, base: &str) -> (Child, String) {
    let mut command = command(bed, &["--only", "demo", "-B", base]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let server = wait_for("a base server", Duration::from_secs(30), || {
        let servers = bed.servers(POOL).ok()?;
        let server = servers.iter().find(|server| server["status"] == "ACTIVE")?;
        Some(server["id"].as_str()?.to_owned())
    });
    (child, server.unwrap())
}

fn end_of(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    let status = child.wait().unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said)
}

fn pid_on_manager(bed: &Bed) -> String {
    bed.run("root", &["pidof", "ehos_build_images"]).unwrap().trim().to_owned()
}

#[test]
fn what_happens_to_a_build_from_outside_is_told_and_leaves_nothing() {
    let turn = start();
    let bed = &turn.bed;

    let (child, server) = waiting(bed, "silent.yaml");
    bed.api(&["DELETE", "compute", &format!("/servers/{server}")]).unwrap();
    let (status, said) = end_of(child);
    assert!(
        status == Some(1) && said.contains("has vanished: somebody or the cloud has deleted it"),
        "{said}"
    );
    nothing_left(bed, "a server that vanished");

    let (child, _) = waiting(bed, "silent.yaml");
    bed.run("root", &["kill", "-INT", &pid_on_manager(bed)]).unwrap();
    let (status, said) = end_of(child);
    assert_eq!(status, Some(130), "{said}");
    nothing_left(bed, "Ctrl-C");

    let (child, _) = waiting(bed, "silent.yaml");
    bed.run("root", &["kill", "-KILL", &pid_on_manager(bed)]).unwrap();
    end_of(child);
    assert_eq!(bed.servers(POOL).unwrap().len(), 1, "a kill leaves the server");
    let (status, said) = build(bed, &["-v", "--only", "demo", "-B", "silent.yaml", "--timeout", "1s"]);
    assert!(status == Some(1) && said.contains("which an earlier run has left"), "{said}");
    nothing_left(bed, "the run after a kill");

    // The cloud cannot make the image.
    let (child, server) = waiting(bed, "quick.yaml");
    let trouble = r#"{"metadata": {"osbed:fail": "snapshot"}}"#;
    bed.api(&["POST", "compute", &format!("/servers/{server}/metadata"), trouble]).unwrap();
    let (status, said) = end_of(child);
    assert!(status == Some(1) && said.contains("is gone before it was active"), "{said}");
    nothing_left(bed, "an image that could not be made");
    assert_eq!(images(bed, "demo"), Vec::<Value>::new());
}

/// The commands of docs/images.md, word for word.
#[test]
fn the_manual_path_of_the_documentation_works() {
    let turn = start();
    let bed = &turn.bed;
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(top.join("docs/images.md")).unwrap();
    let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(block.matches("openstack ").count(), 6, "all six commands");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        top.canonicalize().unwrap().join("testbed/openstack-cli"),
        folder.path().join("openstack"),
    )
    .unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", block]).current_dir(&top).env("PATH", path).stdin(Stdio::null());
    for (key, value) in bed.script("api").get_envs() {
        shell.env(key, value.unwrap());
    }
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let id = said.lines().last().unwrap();
    let image = bed.api(&["image", &format!("/v2/images/{id}")]).unwrap();
    assert_eq!((image["status"].as_str(), image["name"].as_str()), (Some("active"), Some("ehos-node")));
    nothing_left(bed, "the manual path");
    bed.api(&["DELETE", "image", &format!("/v2/images/{id}")]).unwrap();
}
