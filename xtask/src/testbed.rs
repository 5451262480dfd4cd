//! Brings the test bed up and down, one caller at a time, and says how it is.
//! What the bed is made of is the business of the scripts in `testbed/`.

mod status;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::workspace;

/// What to do with the bed.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Brings it up, or mends what has died of it.
    Up,
    /// Ends it: all it started, and nothing else.
    Down {
        /// Deletes its state, too: the next `up` begins from nothing.
        #[arg(long)]
        wipe: bool,
    },
    /// Prints a table of what runs; exit status 1 if the bed is down.
    Status,
}

/// The bed of this checkout.
pub(crate) struct Bed {
    scripts: PathBuf,
    state: PathBuf,
}

impl Bed {
    /// Names the bed; it may be up or down.
    pub(crate) fn here() -> Bed {
        Bed { scripts: workspace::root().join("testbed"), state: workspace::root().join("target/testbed") }
    }

    /// One of the bed's scripts, as a command.
    pub(crate) fn script(&self, name: &str, args: &[&str]) -> Command {
        workspace::command(&self.scripts.join(name).to_string_lossy(), args)
    }

    /// The `KEY=VALUE` file that tells other programs where the bed's parts are.
    pub(crate) fn env_file(&self) -> PathBuf {
        self.state.join("env")
    }

    /// What this machine lacks for the bed, a line each; `None` if `up` can do the rest.
    ///
    /// # Errors
    /// When the script cannot be started.
    pub(crate) fn lacks(&self) -> Result<Option<String>> {
        self.needs(&[])
    }

    fn needs(&self, args: &[&str]) -> Result<Option<String>> {
        let done = self.script("needs", args).output().context("cannot start testbed/needs")?;
        let said =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        Ok((!done.status.success()).then(|| said.trim_end().to_owned()))
    }

    /// Waits until no other command of this checkout uses the bed, and keeps it until the file is dropped.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub(crate) fn lock(&self) -> Result<File> {
        // Beside the state, not in it: `down --wipe` must not delete a lock that it holds.
        let path = self.state.with_extension("lock");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if file.try_lock().is_err() {
            println!("another `cargo xtask` of this checkout uses the bed: waiting for it");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// Brings the bed up; harmless if it is. False if it could not.
    ///
    /// # Errors
    /// When the script cannot be started.
    pub(crate) fn up(&self) -> Result<bool> {
        Ok(self.script("up", &[]).status().context("cannot start testbed/up")?.success())
    }

    /// Ends the bed.
    ///
    /// # Errors
    /// When the script cannot be started.
    pub(crate) fn down(&self, wipe: bool) -> Result<bool> {
        let args: &[&str] = if wipe { &["--wipe"] } else { &[] };
        Ok(self.script("down", args).status().context("cannot start testbed/down")?.success())
    }

    /// How many nodes have a machine, running or not.
    fn machines(&self) -> usize {
        let folders = std::fs::read_dir(self.state.join("condor/vms")).into_iter().flatten().flatten();
        folders.filter(|folder| folder.file_name() != "cm").count()
    }

    /// Whether manager and cloud answer.
    pub(crate) fn is_up(&self) -> bool {
        self.env_file().exists() && status::Status::of(self).is_up()
    }
}

/// Runs one verb of `cargo xtask testbed`. False if it failed, or if `status` found the bed down.
///
/// # Errors
/// When a script cannot be started.
pub(crate) fn run(verb: &Verb) -> Result<bool> {
    let bed = Bed::here();
    // A bed that has filled the disk must still come down.
    let lacks = if matches!(verb, Verb::Up) { bed.lacks()? } else { bed.needs(&["--root"])? };
    if let Some(lacks) = lacks {
        println!("{lacks}");
        return Ok(false);
    }
    match verb {
        Verb::Up => {
            let _lock = bed.lock()?;
            let up = bed.up()?;
            print!("{}", status::Status::of(&bed));
            Ok(up)
        }
        Verb::Down { wipe } => {
            let _lock = bed.lock()?;
            bed.down(*wipe)
        }
        Verb::Status => {
            let status = status::Status::of(&bed);
            print!("{status}");
            Ok(status.is_up())
        }
    }
}
