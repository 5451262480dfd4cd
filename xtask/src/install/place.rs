//! Puts one file in its place: whole or not at all, with its mode, and only where it differs.
//! It does not choose what goes where.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file to be put somewhere.
pub(super) struct File {
    /// Where it belongs, below `/`.
    pub(super) to: PathBuf,
    pub(super) content: Content,
    /// Its mode, whatever the umask is.
    pub(super) mode: u32,
    /// Whether one that is there stays as it is.
    pub(super) keep: bool,
}

/// What is in a file.
pub(super) enum Content {
    /// The same as in another.
    Of(PathBuf),
    Text(String),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    Replaced,
    /// Content and mode were right.
    Unchanged,
    /// It is the administrator's.
    Kept,
}

impl Verdict {
    pub(super) const fn word(self, dry_run: bool) -> &'static str {
        match (self, dry_run) {
            (Self::New, false) => "installed",
            (Self::New, true) => "would install",
            (Self::Replaced, false) => "replaced",
            (Self::Replaced, true) => "would replace",
            (Self::Unchanged, _) => "unchanged",
            (Self::Kept, _) => "kept",
        }
    }
}

impl File {
    /// Puts it to `to`, or with `dry_run` only says what would become of it.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(super) fn put(&self, to: &Path, dry_run: bool) -> Result<Verdict> {
        let there = match fs::symlink_metadata(to) {
            Ok(data) => Some(data),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", to.display())),
        };
        let verdict = if there.is_some() { Verdict::Replaced } else { Verdict::New };
        if self.keep && there.is_some() {
            return Ok(Verdict::Kept);
        }
        let content = match &self.content {
            Content::Text(text) => text.as_bytes().to_vec(),
            // It may not have been built.
            Content::Of(from) if dry_run && !from.exists() => return Ok(verdict),
            Content::Of(from) => fs::read(from).with_context(|| format!("cannot read {}", from.display()))?,
        };
        let right = |data: fs::Metadata| data.is_file() && data.permissions().mode() & 0o7777 == self.mode;
        if there.is_some_and(right) && fs::read(to).is_ok_and(|old| old == content) {
            return Ok(Verdict::Unchanged);
        }
        if !dry_run {
            self.write(to, &content).with_context(|| format!("cannot write {}", to.display()))?;
        }
        Ok(verdict)
    }

    /// Writes it beside and moves it: a program that runs cannot be written to, and nobody sees half a file.
    fn write(&self, to: &Path, content: &[u8]) -> std::io::Result<()> {
        let folder = to.parent().unwrap_or(Path::new("/"));
        make_folders(folder)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let part = folder.join(format!(".{name}.new"));
        // One that was left by a run that was killed.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.sync_all()?;
        fs::rename(&part, to)
    }
}

/// Makes what is missing of a path of folders that everybody may read; leaves the others as they are.
fn make_folders(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(parent)?;
    }
    DirBuilder::new().mode(0o755).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_where_it_differs_and_kept_where_it_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a/b/file");
        let file =
            |text: &str, mode, keep| File { to: to.clone(), content: Content::Text(text.into()), mode, keep };
        let mode = || fs::metadata(&to).unwrap().permissions().mode() & 0o7777;
        for (row, file, dry_run, verdict, text) in [
            ("only told", file("one", 0o644, false), true, Verdict::New, None),
            ("new", file("one", 0o644, false), false, Verdict::New, Some("one")),
            ("the same", file("one", 0o644, false), false, Verdict::Unchanged, Some("one")),
            ("another mode", file("one", 0o600, false), false, Verdict::Replaced, Some("one")),
            ("another text, only told", file("two", 0o600, false), true, Verdict::Replaced, Some("one")),
            ("another text", file("two", 0o755, false), false, Verdict::Replaced, Some("two")),
            ("not ours", file("three", 0o600, true), false, Verdict::Kept, Some("two")),
        ] {
            assert_eq!(file.put(&to, dry_run).unwrap(), verdict, "{row}");
            assert_eq!(fs::read_to_string(&to).ok().as_deref(), text, "{row}");
            if matches!(verdict, Verdict::New | Verdict::Replaced) && !dry_run {
                assert_eq!(mode(), file.mode, "{row}");
            }
        }
        let left: Vec<_> = fs::read_dir(dir.path().join("a/b")).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing half written is left: {left:?}");
    }

    #[test]
    fn a_link_is_replaced_and_not_written_through_unless_it_is_the_administrators() {
        let dir = tempfile::tempdir().unwrap();
        let (to, elsewhere) = (dir.path().join("file"), dir.path().join("elsewhere"));
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &to).unwrap();
        let file = |keep| File { to: to.clone(), content: Content::Text("ours".into()), mode: 0o644, keep };
        assert_eq!(file(true).put(&to, false).unwrap(), Verdict::Kept);
        assert_eq!(file(false).put(&to, false).unwrap(), Verdict::Replaced);
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
        assert!(!fs::symlink_metadata(&to).unwrap().is_symlink());
    }
}
