//! `ehosd`, the real program with a real configuration file, on the bed's manager as user `ehos`.
//!
//! Deliberately ended with the test, however that ends.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::{Bed, wait_for};

/// What the configuration file says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The pool's id, which also names files; unlike those of other tests.
    pub pool: &'static str,
    /// `nodes_min`, `nodes_max`, `nodes_spare`.
    pub nodes: (u32, u32, u32),
    /// The flavors.
    pub flavors: &'static str,
    /// `sleep`, in seconds.
    pub sleep: u32,
    /// An own `execute.yaml`.
    pub execute: Option<String>,
}

impl Settings {
    /// Writes `ehos.yaml`.
    #[must_use]
    pub fn yaml(&self, bed: &Bed) -> String {
        let ((min, max, spare), sleep) = (self.nodes, self.sleep);
        let mut yaml = format!(
            "clouds:\n  bed:\n    auth_url: {}\n    username: demo\n    password: demo-secret\n    \
             project_name: demo\n    project_domain_name: Default\n    user_domain_name: Default\n    \
             region_name: RegionOne\n    image: debian-12\nehos:\n  project_prefix: {}\n  flavors: {}\n  \
             network: private\n  key: demo-key\n  security_groups: workers\nehos_daemon:\n  nodes_min: {min}\n  \
             nodes_max: {max}\n  nodes_spare: {spare}\n  sleep: {sleep}\n  idle_grace: 10s\n  boot_timeout: 5m\n  \
             state_dir: /home/ehos/state-{}\n",
            bed.auth_url(),
            self.pool,
            self.flavors,
            self.pool,
        );
        if self.execute.is_some() {
            yaml = yaml.replace("ehos:\n", &format!("ehos:\n  userdata_file: execute-{}.yaml\n", self.pool));
        }
        let _infallible = write!(yaml, "condor:\n  host_ip: {}\n  pool_id: {}\n", bed.manager(), self.pool);
        yaml
    }
}

/// A running `ehosd`.
#[derive(Debug)]
pub struct Daemon {
    bed: Bed,
    pool: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Writes the configuration and starts `ehosd` with it; its log goes to a file under `target/testbed`.
    ///
    /// # Errors
    /// Where the bed's manager is down.
    pub fn start(bed: &Bed, settings: &Settings) -> anyhow::Result<Self> {
        let config = Self::configure(bed, settings)?;
        let log = bed.state().join(format!("ehosd-{}.log", settings.pool));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = bed
            .on_manager("ehos", &["ehosd", "-v", "-v", &config])
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .context("ehosd does not start")?;
        Ok(Self { bed: bed.clone(), pool: settings.pool, child, log })
    }

    /// Writes the configuration anew; a running `ehosd` notices by itself.
    ///
    /// # Errors
    /// Where the bed's manager is down.
    pub fn configure(bed: &Bed, settings: &Settings) -> anyhow::Result<String> {
        if let Some(text) = &settings.execute {
            let template = format!("home/ehos/execute-{}.yaml", settings.pool);
            std::fs::write(bed.root()?.join(template), text)?;
        }
        let path = format!("/home/ehos/{}.yaml", settings.pool);
        let outside = bed.root()?.join(path.trim_start_matches('/'));
        let fresh = outside.with_extension("new");
        File::create(&fresh)?.write_all(settings.yaml(bed).as_bytes())?;
        bed.run("root", &["chown", "ehos:ehos", &format!("/home/ehos/{}.new", settings.pool)])?;
        bed.run("root", &["chmod", "600", &format!("/home/ehos/{}.new", settings.pool)])?;
        std::fs::rename(fresh, outside)?;
        Ok(path)
    }

    /// What it has logged so far, with that of its predecessors of the same name.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process, as the manager numbers it.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn pid(&self) -> anyhow::Result<String> {
        let lock = format!("home/ehos/state-{}/ehosd.lock", self.pool);
        let pid = std::fs::read_to_string(self.bed.root()?.join(lock))?;
        Ok(pid.trim().to_owned())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid()?;
        self.bed.run("root", &["kill", &format!("-{name}"), &pid]).map(drop)
    }

    /// Kills it as a crash would and waits until it is gone.
    ///
    /// # Errors
    /// Where it has ended before.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.signal("KILL")?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it and gives its exit status.
    ///
    /// # Errors
    /// Where it does not end within 30 s.
    pub fn stop(mut self) -> anyhow::Result<Option<i32>> {
        self.signal("TERM")?;
        let child = &mut self.child;
        let status = wait_for("ehosd to stop", Duration::from_secs(30), || child.try_wait().ok().flatten())?;
        Ok(status.code())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _already_gone = self.signal("KILL");
            let _already_gone = self.child.kill();
            let _already_gone = self.child.wait();
        }
    }
}
