//! The state directory: the lock that keeps a pool to one daemon, and the memory kept over restarts.
//!
//! Deliberately nothing that could not be lost: without it the daemon is slower for a while, never wrong.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ehos_scaler::Memory;

/// The locked state directory; the lock ends with it, and with the process, however it ends.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the directory if need be and takes its lock.
    ///
    /// # Errors
    /// Where another daemon has it, or it cannot be written.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
            format!(
                "cannot make the state directory {}; make it writable for this user, or set \
                 ehos_daemon.state_dir to another",
                path.display()
            )
        })?;
        let lock_path = path.join("ehosd.lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| {
                format!(
                    "cannot open {}; run ehosd as the user who owns that directory, or set \
                     ehos_daemon.state_dir to another",
                    lock_path.display()
                )
            })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _unreadable_is_fine = lock.read_to_string(&mut pid);
                bail!(
                    "another ehosd{} serves this pool already (lock {}); stop it first",
                    if pid.trim().is_empty() { String::new() } else { format!(" (pid {})", pid.trim()) },
                    lock_path.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock_path.display()));
            }
        }
        let mut write_pid = || {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        write_pid().with_context(|| {
            format!(
                "cannot write {}; make room there, or set ehos_daemon.state_dir to another",
                lock_path.display()
            )
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Gives the path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces the memory as a whole; `durably` also against a loss of power.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub(crate) fn remember(&self, memory: &Memory, durably: bool) -> anyhow::Result<()> {
        let path = self.file("memory.json");
        self.replace(&path, memory, durably).with_context(|| format!("cannot write {}", path.display()))
    }

    fn replace(&self, path: &Path, memory: &Memory, durably: bool) -> io::Result<()> {
        let fresh = self.file("memory.json.new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
        let mut out = io::BufWriter::new(&mut file);
        serde_json::to_writer(&mut out, memory)?;
        out.flush()?;
        drop(out);
        if durably {
            file.sync_data()?;
        }
        fs::rename(fresh, path)
    }
}

/// Reads the memory of a state directory; a missing or damaged one is an empty one.
pub(crate) fn read_memory(dir: &Path) -> Memory {
    let path = dir.join("memory.json");
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            log::warn!("{} is damaged ({error}); starting without it", path.display());
            Memory::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
        Err(error) => {
            log::warn!("cannot read {} ({error}); starting without it", path.display());
            Memory::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_one_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ehos");
        let first = StateDir::open(&path).unwrap();
        let second = StateDir::open(&path).unwrap_err().to_string();
        assert!(second.contains(&format!("pid {}", std::process::id())), "{second}");
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn a_damaged_memory_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(read_memory(dir.path()), Memory::default(), "none yet");
        state.remember(&Memory::default(), true).unwrap();
        assert_eq!(read_memory(dir.path()), Memory::default(), "written and read");
        fs::write(state.file("memory.json"), b"{\"nodes\": [\xff").unwrap();
        assert_eq!(read_memory(dir.path()), Memory::default(), "damaged");
    }
}
