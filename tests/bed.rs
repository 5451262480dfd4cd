//! The test bed as a test sees it: commands on its manager, calls to its OpenStack, its event log.
//!
//! Deliberately starts and stops nothing of the bed itself: `cargo xtask testbed up` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The metadata key that everything EHOS makes carries.
const POOL_KEY: &str = "ehos:pool";

/// The variable by which the bed's scripts know whose calls they make.
const PROJECT: &str = "BED_AS";

/// A test bed that is up.
#[derive(Clone, Debug)]
pub struct Bed {
    vars: BTreeMap<String, String>,
}

/// How many jobs have come to which end, from the event log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCensus {
    /// Event 000.
    pub submitted: usize,
    /// Event 005.
    pub finished: usize,
    /// Event 004.
    pub evicted: usize,
}

impl Bed {
    /// Finds the bed that `EHOS_BED` names, else the one of this checkout.
    ///
    /// # Errors
    /// Where it is not up.
    pub fn open() -> anyhow::Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/testbed/env");
        let env = std::env::var_os("EHOS_BED").map_or(here, PathBuf::from);
        let text = std::fs::read_to_string(&env).with_context(|| {
            format!("no test bed ({}): run `cargo xtask testbed up` as root", env.display())
        })?;
        let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Self { vars: text.lines().filter_map(pair).collect() })
    }

    /// The same bed, with calls to OpenStack as the user of another project: `other`, `tight`, `admin`.
    #[must_use]
    pub fn seen_by(&self, project: &str) -> Self {
        let mut vars = self.vars.clone();
        vars.insert(PROJECT.to_owned(), project.to_owned());
        Self { vars }
    }

    fn var(&self, key: &str) -> &str {
        self.vars.get(key).map_or("", String::as_str)
    }

    /// Keystone's address.
    #[must_use]
    pub fn auth_url(&self) -> &str {
        self.var("BED_AUTH_URL")
    }

    /// The manager's address.
    #[must_use]
    pub fn manager(&self) -> &str {
        self.var("BED_MANAGER")
    }

    /// The folder in which the bed lives.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.var("BED_STATE").into()
    }

    /// The event log, from outside.
    #[must_use]
    pub fn event_log(&self) -> PathBuf {
        self.var("BED_EVENT_LOG").into()
    }

    /// The manager's file system, from outside.
    ///
    /// # Errors
    /// Where the manager is down.
    pub fn root(&self) -> anyhow::Result<PathBuf> {
        Ok(output(&mut self.script("root"))?.trim().into())
    }

    /// One of the bed's scripts.
    #[must_use]
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(self.var("BED_SCRIPTS")).join(name));
        command
            .env("BED_STATE", self.var("BED_STATE"))
            .env("BED_NS", self.var("BED_NS"))
            .env(PROJECT, self.vars.get(PROJECT).map_or("demo", String::as_str))
            .stdin(Stdio::null());
        command
    }

    /// A command on the manager, as one of its users.
    #[must_use]
    pub fn on_manager(&self, user: &str, words: &[&str]) -> Command {
        let mut command = self.script("exec");
        command.args(["-u", user]).args(words);
        command
    }

    /// Runs a command on a machine and gives what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn on(&self, machine: &str, user: &str, words: &[&str]) -> anyhow::Result<String> {
        output(self.script("exec").args(["-h", machine, "-u", user]).args(words))
    }

    /// The first part of the names of the bed's network namespaces.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.var("BED_NS")
    }

    /// Runs a command on the manager and gives what it printed.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub fn run(&self, user: &str, words: &[&str]) -> anyhow::Result<String> {
        output(&mut self.on_manager(user, words))
    }

    /// Calls OpenStack as the demo user and gives the body; `Null` where there is none.
    ///
    /// # Errors
    /// From status 400 on.
    pub fn api(&self, words: &[&str]) -> anyhow::Result<Value> {
        let body = output(self.script("api").args(words))?;
        if body.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).with_context(|| format!("{words:?} answered {body}"))
    }

    /// All servers of the project.
    ///
    /// # Errors
    /// Where Nova does not answer.
    pub fn all_servers(&self) -> anyhow::Result<Vec<Value>> {
        let all = self.api(&["compute", "/servers/detail"])?;
        Ok(all["servers"].as_array().cloned().unwrap_or_default())
    }

    /// The servers that carry a pool's id.
    ///
    /// # Errors
    /// Where Nova does not answer.
    pub fn servers(&self, pool: &str) -> anyhow::Result<Vec<Value>> {
        let mut servers = self.all_servers()?;
        servers.retain(|server| server["metadata"][POOL_KEY] == pool);
        Ok(servers)
    }

    /// How many ports of servers and how many volumes the project has.
    ///
    /// # Errors
    /// Where Neutron or Cinder does not answer.
    pub fn leftovers(&self) -> anyhow::Result<(usize, usize)> {
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        let ports = self.api(&["network", "/v2.0/ports?device_owner=compute:nova"])?;
        let volumes = self.api(&["block-storage", "/volumes"])?;
        Ok((count(&ports["ports"]), count(&volumes["volumes"])))
    }

    /// Counts the job events written since the log was `from` bytes long.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn census(&self, from: u64) -> anyhow::Result<JobCensus> {
        let log = std::fs::read(self.event_log())?;
        let new = log.get(usize::try_from(from)?..).unwrap_or_default();
        let mut census = JobCensus::default();
        for line in new.split(|byte| *byte == b'\n') {
            match line.get(..5) {
                Some(b"000 (") => census.submitted += 1,
                Some(b"004 (") => census.evicted += 1,
                Some(b"005 (") => census.finished += 1,
                _ => {}
            }
        }
        Ok(census)
    }

    /// How long the event log is now, in bytes.
    #[must_use]
    pub fn event_log_length(&self) -> u64 {
        std::fs::metadata(self.event_log()).map_or(0, |data| data.len())
    }

    /// A program from `EHOS_PROGRAMS`, else from cargo's folder.
    #[must_use]
    pub fn program(&self, program: &str) -> PathBuf {
        let test = std::env::current_exe().unwrap_or_default();
        // A test lies in target/PROFILE/deps.
        let beside = test.ancestors().nth(2).map(Path::to_owned).unwrap_or_default();
        std::env::var_os("EHOS_PROGRAMS").map_or(beside, PathBuf::from).join(program)
    }

    /// Puts a program from `EHOS_PROGRAMS`, else from cargo's folder, onto the manager.
    ///
    /// # Errors
    /// Where it is not built.
    pub fn install(&self, program: &str) -> anyhow::Result<()> {
        let path = self.program(program);
        if !path.exists() {
            bail!("{} is missing: run `cargo build -p {program}`", path.display());
        }
        output(self.script("install").arg(path)).map(drop)
    }
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    if !done.status.success() {
        bail!(
            "{command:?}: {}\n{}{}",
            done.status,
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Looks again and again until there is something, at most for `limit`.
///
/// # Errors
/// With what was waited for, when the time is over.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s in vain for: {what}", limit.as_secs());
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}
