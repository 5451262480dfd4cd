//! Replaces a file by a new one: at once or not at all, with owner, group and mode kept and the old one as `.backup`.
//!
//! Deliberately knows nothing of what is in it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::WriteBackError;
use crate::load::BYTES_MAX;

/// How long another program is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long between two looks whether it is done.
const PAUSE: Duration = Duration::from_millis(20);

/// The rights of those who are neither owner nor in the group.
const OTHERS: u32 = 0o007;

/// A file that no other program writes through this module.
#[derive(Debug)]
pub(super) struct Held {
    /// As given.
    pub(super) path: PathBuf,
    /// With symbolic links resolved.
    target: PathBuf,
    pub(super) bytes: Vec<u8>,
    meta: Metadata,
    /// Gives the lock back when it is closed.
    _lock: File,
}

/// Locks and reads files, in the order given; of one that is given twice, the last counts.
pub(super) fn hold(paths: &[PathBuf]) -> Result<Vec<Held>, WriteBackError> {
    let mut wanted: Vec<(usize, &PathBuf, (u64, u64))> = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let meta = regular(path)?;
        let id = (meta.dev(), meta.ino());
        wanted.retain(|(_, _, other)| *other != id);
        wanted.push((at, path, id));
    }
    // All programs lock in the same order, so that no two wait for each other.
    wanted.sort_by_key(|(_, _, id)| *id);
    let deadline = Instant::now() + PATIENCE;
    let held = wanted.into_iter().map(|(at, path, _)| Ok((at, hold_one(path, deadline)?)));
    let mut held: Vec<(usize, Held)> = held.collect::<Result<_, _>>()?;
    held.sort_by_key(|(at, _)| *at);
    Ok(held.into_iter().map(|(_, held)| held).collect())
}

/// Looks at a file without opening it: opening a pipe would wait for its other end.
fn regular(path: &Path) -> Result<Metadata, WriteBackError> {
    let file = path.to_owned();
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(WriteBackError::NotAFile { file, what: "a folder" }),
        Ok(meta) if !meta.is_file() => Err(WriteBackError::NotAFile { file, what: "a pipe or a device" }),
        Ok(meta) => Ok(meta),
        Err(source) => Err(WriteBackError::Read { file, source }),
    }
}

fn hold_one(path: &Path, deadline: Instant) -> Result<Held, WriteBackError> {
    let unread = |source| WriteBackError::Read { file: path.to_owned(), source };
    loop {
        regular(path)?;
        let target = fs::canonicalize(path).map_err(unread)?;
        let mut lock = File::open(&target).map_err(unread)?;
        let is_locked = match lock.try_lock() {
            // An error is a file system without locks: what is left is the look at the content before the end.
            Ok(()) | Err(TryLockError::Error(_)) => true,
            Err(TryLockError::WouldBlock) => false,
        };
        let meta = lock.metadata().map_err(unread)?;
        // Whoever held the lock has put another file in its place by now.
        let is_current = fs::metadata(&target)
            .is_ok_and(|current| (current.dev(), current.ino()) == (meta.dev(), meta.ino()));
        if is_locked && is_current {
            let bytes = read(&mut lock).map_err(unread)?;
            return Ok(Held { path: path.to_owned(), target, bytes, meta, _lock: lock });
        }
        if Instant::now() > deadline {
            return Err(WriteBackError::Locked { file: path.to_owned() });
        }
        if !is_locked {
            std::thread::sleep(PAUSE);
        }
    }
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 1 MiB, too large for a configuration",
        ));
    }
    Ok(bytes)
}

impl Held {
    /// Writes the new file and the backup beside the old one, under names that nobody looks for.
    pub(super) fn prepare(&self, bytes: &[u8], is_secret: bool) -> Result<Prepared<'_>, WriteBackError> {
        // Replacing asks for the right to write into the folder only; the operator may have meant the file.
        OpenOptions::new()
            .write(true)
            .open(&self.target)
            .map_err(|source| WriteBackError::ReadOnly { file: self.path.clone(), source })?;
        let before = self.meta.mode() & 0o7777;
        let now = if is_secret { before & !OTHERS } else { before };
        let new = self.temporary("new", bytes, now)?;
        let old = self.temporary("old", &self.bytes, now)?;
        let closed = (now != before).then_some((before, now));
        Ok(Prepared { held: self, new, old, closed })
    }

    fn temporary(&self, purpose: &str, bytes: &[u8], mode: u32) -> Result<Temporary, WriteBackError> {
        let mut name = OsString::from(".");
        name.push(self.target.file_name().unwrap_or_default());
        name.push(format!(".{}.{purpose}", std::process::id()));
        let path = self.target.with_file_name(name);
        let unwritten =
            |source| WriteBackError::Write { file: self.path.clone(), part: path.clone(), source };
        let (mut file, temporary) = Temporary::create(&path).map_err(unwritten)?;
        file.write_all(bytes).map_err(unwritten)?;
        let own = file.metadata().map_err(unwritten)?;
        let owner = Some(self.meta.uid()).filter(|uid| *uid != own.uid());
        let group = Some(self.meta.gid()).filter(|gid| *gid != own.gid());
        if owner.is_some() || group.is_some() {
            fchown(&file, owner, group)
                .map_err(|source| WriteBackError::Owner { file: self.path.clone(), source })?;
        }
        // Only now: before, the rights would have been those of another group.
        file.set_permissions(Permissions::from_mode(mode)).map_err(unwritten)?;
        file.sync_all().map_err(unwritten)?;
        Ok(temporary)
    }

    fn is_unchanged(&self) -> bool {
        let current = || {
            let mut file = File::open(&self.target).ok()?;
            let meta = file.metadata().ok()?;
            Some((meta.dev(), meta.ino(), meta.mode(), read(&mut file).ok()?))
        };
        current().is_some_and(|(dev, ino, mode, bytes)| {
            (dev, ino, mode) == (self.meta.dev(), self.meta.ino(), self.meta.mode()) && bytes == self.bytes
        })
    }
}

/// A file that goes away unless it is put in its place.
struct Temporary {
    path: PathBuf,
    is_placed: bool,
}

impl Temporary {
    /// Makes a file that its owner alone can use; one that an earlier process of this number left is replaced.
    fn create(path: &Path) -> io::Result<(File, Self)> {
        let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(path).and_then(|()| create())
            }
            other => other,
        }?;
        Ok((file, Self { path: path.to_owned(), is_placed: false }))
    }

    fn place(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file whose replacement is written.
pub(super) struct Prepared<'a> {
    held: &'a Held,
    new: Temporary,
    old: Temporary,
    closed: Option<(u32, u32)>,
}

/// What became of a file.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) backup: PathBuf,
    /// The mode before and now, where it is another one.
    pub(super) closed: Option<(u32, u32)>,
}

impl Prepared<'_> {
    /// Puts the new file in the place of the old one.
    pub(super) fn commit(self) -> Result<Replaced, WriteBackError> {
        let Held { path, target, .. } = self.held;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".backup");
        let backup = target.with_file_name(name);
        if !self.held.is_unchanged() {
            return Err(WriteBackError::Changed { file: path.clone() });
        }
        let unwritten =
            |part: &Path, source| WriteBackError::Write { file: path.clone(), part: part.to_owned(), source };
        self.old.place(&backup).map_err(|source| unwritten(&backup, source))?;
        self.new.place(target).map_err(|source| unwritten(target, source))?;
        // It is replaced; that some file systems cannot make it durable at once is no reason to say it is not.
        if let Some(folder) = target.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(Replaced { backup, closed: self.closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ehos.yaml");
        fs::write(&path, "old").unwrap();
        (folder, path)
    }

    #[test]
    fn what_somebody_else_changed_is_not_replaced() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 4] = [
            ("other content", |path| fs::write(path, "new").unwrap()),
            ("another file", |path| {
                fs::write(path.with_extension("other"), "old").unwrap();
                fs::rename(path.with_extension("other"), path).unwrap();
            }),
            ("other rights", |path| fs::set_permissions(path, Permissions::from_mode(0o604)).unwrap()),
            ("nothing any more", |path| fs::remove_file(path).unwrap()),
        ];
        for (name, change) in changes {
            let (folder, path) = file();
            let held = hold(std::slice::from_ref(&path)).unwrap();
            let prepared = held[0].prepare(b"ours", false).unwrap();
            change(&path);
            let after = fs::read(&path).ok();
            assert!(matches!(prepared.commit(), Err(WriteBackError::Changed { .. })), "{name}");
            assert_eq!(fs::read(&path).ok(), after, "{name}: theirs stays");
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, usize::from(after.is_some()), "{name}: nothing is left over");
        }
    }

    #[test]
    fn a_file_that_another_program_writes_is_not_read() {
        let (_folder, path) = file();
        let held = hold(std::slice::from_ref(&path)).unwrap();
        assert!(matches!(hold_one(&path, Instant::now()), Err(WriteBackError::Locked { .. })));
        drop(held);
        assert_eq!(hold_one(&path, Instant::now()).unwrap().bytes, b"old");
    }

    #[test]
    fn new_files_are_never_open_to_more_than_the_old_one() {
        let (folder, path) = file();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let held = hold(std::slice::from_ref(&path)).unwrap();
        let prepared = held[0].prepare(b"secret", true).unwrap();
        let modes: Vec<u32> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|other| *other != path)
            .map(|other| fs::metadata(other).unwrap().mode() & 0o777)
            .collect();
        assert_eq!(modes, [0o660, 0o660]);
        drop(prepared);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what is not put in place goes away");
    }

    #[test]
    fn a_file_too_large_for_a_configuration_is_not_read() {
        let (_folder, path) = file();
        fs::write(&path, vec![b' '; 1 << 20]).unwrap();
        assert!(hold(std::slice::from_ref(&path)).is_ok());
        fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(matches!(hold(std::slice::from_ref(&path)), Err(WriteBackError::Read { .. })));
    }
}
