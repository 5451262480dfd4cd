//! Tries the shipped templates on guests with a kernel and a systemd of their own: an image is built of one, and another
//! becomes a node that runs jobs and goes again.
//! What a guest is made of is the business of `testbed/qemu`; nothing here needs KVM.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::step::Steps;
use crate::workspace;

/// What is tried, and so what the manager needs.
const PROGRAMS: [&str; 3] = ["ehos_build_images", "ehosd", "ehos_sleep_jobs"];

/// The configuration, on the manager.
const CONFIG: &str = "/home/ehos/ehos.yaml";

const EHOS_YAML: &str = "\
clouds:
  vm:
    auth_url: http://198.18.77.5:5000/v3
    username: demo
    password: demo-secret
    project_name: demo
    region_name: RegionOne
    image: None
ehos:
  image: debian-13
  flavor: m1.small
  network: private
  key: demo-key
  security_groups: workers
ehos_daemon:
  nodes_min: 0
  nodes_max: 1
  nodes_spare: 0
  sleep: 5
  idle_grace: 10s
  boot_timeout: 20m
  state_dir: /home/ehos/state
  min_cores: 0
  min_ram: 0
condor:
  host_ip: 198.18.77.10
  pool_id: vm
";

/// Long, since the CPU is imitated and other work may share the machine.
const BUILDS: Duration = Duration::from_hours(1);
const BOOTS: Duration = Duration::from_mins(20);
const RUNS: Duration = Duration::from_mins(10);
const SHRINKS: Duration = Duration::from_mins(5);

/// A bed of its own, whose servers are QEMU guests.
struct VmBed {
    state: PathBuf,
}

/// A program in the bed; it ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Runs all of it. False if a step failed; the bed goes down in any case, unless it is to be kept.
///
/// # Errors
/// When cargo or the bed's scripts cannot be started.
pub(crate) fn run(keep: bool) -> Result<bool> {
    let bed = VmBed { state: workspace::root().join("target/vm-bed") };
    let needs = bed.script("needs", &[]).status().context("cannot start testbed/needs")?;
    if !needs.success() {
        return Ok(false);
    }
    std::fs::create_dir_all(&bed.state)?;
    let lock = File::create(bed.state.with_extension("lock"))?;
    ensure!(lock.try_lock().is_ok(), "another `cargo xtask vm-test` of this checkout is running");

    let mut steps = Steps::default();
    let passed = try_templates(&bed, &mut steps);
    if keep {
        println!("\nThe bed is up. To look into it: export BED_STATE={}; testbed/exec", bed.state.display());
        println!("To end it: testbed/down");
    } else {
        steps.command("down", bed.script("down", &[]));
    }
    Ok(steps.sum_up() && passed)
}

/// The steps, each of which needs those before it. False from the first that failed.
fn try_templates(bed: &VmBed, steps: &mut Steps) -> bool {
    let mut build = workspace::command("cargo", ["build"]);
    build.args(PROGRAMS.iter().flat_map(|program| ["-p", program]));
    if !(steps.command("programs", build) && steps.command("bed", bed.script("up", &[]))) {
        return false;
    }
    let daemon = format!("testbed/exec -u ehos ehosd -v {CONFIG}");
    let jobs = "testbed/exec -u alice ehos_sleep_jobs -n 2 -s 5 --wait";
    // Both end with this function, whatever fails.
    let (mut ehosd, mut sleep_jobs) = (None, None);
    steps.action("set up", "testbed/install", || bed.set_up())
        && steps.action("image", "ehos_build_images -v --force --timeout 30m", || bed.build_image())
        && steps.action("node ordered", &format!("{daemon} & {jobs} &"), || {
            let log = File::create(bed.state.join("ehosd.log"))?;
            let mut command = bed.on_manager("ehos", &["ehosd", "-v", CONFIG]);
            ehosd = Some(Running(command.stderr(log).spawn()?));
            let out = File::create(bed.state.join("ehos_sleep_jobs.log"))?;
            let mut command = bed.on_manager("alice", &["ehos_sleep_jobs", "-n", "2", "-s", "5", "--wait"]);
            sleep_jobs = Some(Running(command.stdout(out.try_clone()?).stderr(out).spawn()?));
            wait_for("a server is ACTIVE", RUNS, || {
                Ok(bed.servers()?.iter().any(|server| server["status"] == "ACTIVE"))
            })
        })
        && steps.action("node joined", "testbed/exec condor_status", || {
            wait_for("the node's startd is in the pool", BOOTS, || bed.has_node())
        })
        && steps.action("jobs done", jobs, || match &mut sleep_jobs {
            Some(jobs) => bed.jobs_end(jobs),
            None => bail!("there are no jobs"),
        })
        && steps.action("node gone", "testbed/api compute /servers/detail", || {
            wait_for("no server and no port is left", SHRINKS, || {
                let ports = bed.api(&["network", "/v2.0/ports?device_owner=compute:nova"])?;
                Ok(bed.servers()?.is_empty() && ports["ports"].as_array().is_some_and(Vec::is_empty))
            })
        })
}

impl VmBed {
    fn script(&self, name: &str, args: &[&str]) -> Command {
        let path = workspace::root().join("testbed").join(name);
        let mut command = workspace::command(&path.to_string_lossy(), args);
        // The names of its namespaces follow from the folder.
        command.env("BED_STATE", &self.state).env("BED_MACHINES", "qemu").env_remove("BED_NS");
        command
    }

    fn on_manager(&self, user: &str, words: &[&str]) -> Command {
        let mut command = self.script("exec", &["-u", user]);
        command.args(words);
        command
    }

    fn api(&self, words: &[&str]) -> Result<Value> {
        let body = workspace::output(&mut self.script("api", words))?;
        serde_json::from_str(&body).with_context(|| format!("{words:?} answered {body}"))
    }

    fn servers(&self) -> Result<Vec<Value>> {
        Ok(self.api(&["compute", "/servers/detail"])?["servers"].as_array().cloned().unwrap_or_default())
    }

    /// The manager's file `path`, from outside.
    fn file(&self, path: &str) -> Result<PathBuf> {
        let root = workspace::output(&mut self.script("root", &[]))?;
        Ok(PathBuf::from(root.trim()).join(path.trim_start_matches('/')))
    }

    /// Brings programs and configuration onto the manager; what an earlier run left in the queue goes.
    fn set_up(&self) -> Result<bool> {
        let built = workspace::target_directory()?.join("debug");
        let mut install = self.script("install", &[]);
        install.args(PROGRAMS.map(|program| built.join(program)));
        workspace::output(&mut install)?;
        workspace::output(&mut self.on_manager("ehos", &["sh", "-c", &format!("umask 077; : >{CONFIG}")]))?;
        std::fs::write(self.file(CONFIG)?, EHOS_YAML)?;
        workspace::output(&mut self.on_manager("root", &["sh", "-c", "condor_rm -all || true"]))?;
        Ok(self.on_manager("ehos", &["ehosd", "--check", CONFIG]).status()?.success())
    }

    /// Has an image built and proven, and looks whether the id in the configuration is the one of an active image.
    fn build_image(&self) -> Result<bool> {
        let words = ["ehos_build_images", "-v", "--force", "--timeout", "30m", CONFIG];
        let mut build = Running(self.on_manager("ehos", &words).spawn()?);
        ensure!(ends_well(&mut build, BUILDS)?, "no image has been built");
        let yaml = std::fs::read_to_string(self.file(CONFIG)?)?;
        let id = yaml
            .lines()
            .find_map(|line| line.strip_prefix("    image: "))
            .context("no image is configured")?;
        let image = self.api(&["image", &format!("/v2/images/{}", id.trim())])?;
        ensure!(image["status"] == "active", "the image {id} is {}", image["status"]);
        let left = self.servers()?;
        ensure!(left.is_empty(), "{} servers are left of the build", left.len());
        Ok(true)
    }

    fn has_node(&self) -> Result<bool> {
        let words = ["condor_status", "-constraint", r#"EhosPool == "vm""#, "-af", "EhosNode"];
        let said = workspace::output(&mut self.on_manager("root", &words))?;
        let servers = self.servers()?;
        // A collector remembers nodes that are gone, such as the image's probe.
        Ok(said.lines().any(|node| servers.iter().any(|server| server["name"] == node)))
    }

    fn jobs_end(&self, jobs: &mut Running) -> Result<bool> {
        let done = ends_well(jobs, RUNS)?;
        let said = std::fs::read_to_string(self.state.join("ehos_sleep_jobs.log"))?;
        println!("{}", said.trim_end());
        Ok(done && said.contains("2/2 done"))
    }
}

/// Waits until a program has ended; false where it has failed.
fn ends_well(running: &mut Running, limit: Duration) -> Result<bool> {
    let mut status = None;
    wait_for("the program has ended", limit, || {
        status = running.0.try_wait()?;
        Ok(status.is_some())
    })?;
    Ok(status.is_some_and(|status| status.success()))
}

/// Looks again and again until it is so; a look that fails is repeated.
///
/// # Errors
/// When the time is over, with what was waited for and why the last look failed.
fn wait_for(what: &str, limit: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<bool> {
    let began = Instant::now();
    loop {
        let seen = look();
        if matches!(seen, Ok(true)) {
            return Ok(true);
        }
        if began.elapsed() > limit {
            let why = seen.err().map(|error| format!(" ({error:#})")).unwrap_or_default();
            bail!("waited {} s in vain until {what}{why}", limit.as_secs());
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_fails_is_repeated_and_named_at_the_end() {
        let mut looks = 0;
        let seen = wait_for("it is so", Duration::from_secs(30), || {
            looks += 1;
            ensure!(looks > 1, "too early");
            Ok(true)
        });
        assert!(seen.unwrap());
        let error = wait_for("it is so", Duration::ZERO, || bail!("no answer")).unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s in vain until it is so (no answer)");
    }
}
