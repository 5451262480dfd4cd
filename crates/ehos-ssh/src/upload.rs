//! Brings one file to the other machine: whole or not at all, closed to others from its first byte, and only if it
//! is not there already.
//!
//! Deliberately makes no folders and takes no old copies away; a command does that.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::command::{Command, Exit};
use crate::error::SshError;
use crate::pump::{Connection, Stream};
use crate::session::{Session, talk_with};

const TIME_LIMIT: Duration = Duration::from_mins(30);

/// Corrects owner and mode of a file that is right already. Both say `-c`: a line if something was changed.
/// A symbolic link is none: it will be replaced, so that nobody chooses where the file goes.
const LOOK: &str = r#"[ -f "$1" ] && [ ! -L "$1" ] || exit 0
[ "$(stat -c %s -- "$1")" = "$2" ] || exit 0
[ "$(sha256sum <"$1")" = "$3  -" ] || exit 0
changed=$([ -z "$5" ] || chown -c -- "$5" "$1") || exit 1
changed=$changed$(chmod -c -- "$4" "$1") || exit 1
if [ -n "$changed" ]; then echo changed; else echo same; fi"#;

/// Writes beside the file, looks whether all has arrived, and only then puts it in its place.
/// A connection that is cut looks like the end of the input, so that size and hash decide.
const WRITE: &str = r#"umask 077
folder=$(dirname -- "$1")
new=$(mktemp -- "$folder/.$(basename -- "$1").XXXXXX") || exit 1
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cat >"$new" || exit 1
[ "$(stat -c %s -- "$new")" = "$2" ] && [ "$(sha256sum <"$new")" = "$3  -" ] || { echo 'what arrived is not what was sent' >&2; exit 1; }
[ -z "$5" ] || chown -- "$5" "$new" || exit 1
chmod -- "$4" "$new" && sync -- "$new" && mv -fT -- "$new" "$1" || exit 1
sync -- "$folder" || exit 1
echo written"#;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It was there with the same bytes, owner and mode.
    Unchanged,
    /// It was there with the same bytes; owner or mode were another.
    Corrected,
    /// It was sent.
    Written,
}

#[derive(Clone)]
enum Source {
    Bytes(Arc<SecretSlice<u8>>),
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(_) => f.write_str("what is to be sent"),
            Self::File(file) => file.display().fmt(f),
        }
    }
}

/// A file to bring over.
#[derive(Clone)]
pub struct Upload {
    source: Source,
    remote: String,
    mode: u32,
    owner: Option<String>,
    sudo: bool,
    time_limit: Duration,
}

impl Upload {
    /// These bytes to this absolute path there, with mode 0644.
    pub fn bytes(bytes: impl Into<SecretSlice<u8>>, remote: impl Into<String>) -> Self {
        Self::of(Source::Bytes(Arc::new(bytes.into())), remote.into())
    }

    /// This file to this absolute path there, with mode 0644.
    pub fn file(local: impl Into<PathBuf>, remote: impl Into<String>) -> Self {
        Self::of(Source::File(local.into()), remote.into())
    }

    fn of(source: Source, remote: String) -> Self {
        Self { source, remote, mode: 0o644, owner: None, sudo: false, time_limit: TIME_LIMIT }
    }

    /// Gives it another mode.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// Gives it an owner, `user` or `user:group`; otherwise it belongs to who writes it.
    #[must_use]
    pub fn owner(self, owner: impl Into<String>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// Writes it as root.
    #[must_use]
    pub fn sudo(self) -> Self {
        Self { sudo: true, ..self }
    }

    /// Limits its time, otherwise half an hour. A connection on which nothing moves is given up long before.
    #[must_use]
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    fn open(&self) -> Result<Box<dyn Read + '_>, SshError> {
        match &self.source {
            Source::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.expose_secret()))),
            Source::File(file) => match File::open(file) {
                Ok(open) => Ok(Box::new(open)),
                Err(source) => Err(SshError::Local { what: self.source.to_string(), source }),
            },
        }
    }

    /// Gives size and SHA-256, hexadecimal.
    fn measure(&self) -> Result<(u64, String), SshError> {
        let mut reader = self.open()?;
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    hash.update(&buffer[..length]);
                    size += length as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SshError::Local { what: self.source.to_string(), source }),
            }
        }
        let hex = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Ok((size, hex))
    }

    fn script(&self, script: &str, size: u64, hash: &str) -> Command {
        let owner = self.owner.clone().unwrap_or_default();
        let mode = format!("{:04o}", self.mode);
        let command = Command::shell(script)
            .args([self.remote.clone(), size.to_string(), hash.to_owned(), mode, owner])
            .time_limit(self.time_limit);
        let command = if self.sudo { command.sudo() } else { command };
        command.named(format!("writing {}", self.remote))
    }
}

impl Session {
    /// Brings a file over, if it is not there already; `sent` is told how many bytes have gone.
    ///
    /// The file is never seen half: it is written beside its place with mode 0600, compared by size and SHA-256,
    /// flushed to the disk, and moved into its place.
    ///
    /// # Errors
    /// As [`Session::run`]; [`SshError::DiskFull`], and [`SshError::Failed`] where the other machine could not write it.
    pub async fn upload(&self, upload: &Upload, mut sent: impl FnMut(u64)) -> Result<Uploaded, SshError> {
        let upload = upload.clone();
        let (report, mut reports) = watch::channel(0);
        let work = self.blocking(format!("writing {}", upload.remote), move |connection, given_up| {
            let (size, hash) = upload.measure()?;
            let look = upload.script(LOOK, size, &hash);
            match carry(connection, given_up, &look, &mut Cursor::new([]), &mut |_| ())?.as_str() {
                "same" => return Ok(Uploaded::Unchanged),
                "changed" => return Ok(Uploaded::Corrected),
                _ => {}
            }
            let write = upload.script(WRITE, size, &hash);
            let mut stdin = upload.open()?;
            let mut tell = |bytes| {
                let _nobody_listens = report.send(bytes);
            };
            let result = carry(connection, given_up, &write, &mut stdin, &mut tell);
            match result.map_err(|error| disk_full(error, &upload.remote, connection))?.as_str() {
                "written" => Ok(Uploaded::Written),
                // An exit status of 0 without the word is none: the script did not come to its end.
                _ => Err(SshError::Cut {
                    target: connection.target.clone(),
                    during: write.to_string(),
                    why: "the other side did not confirm it".to_owned(),
                }),
            }
        });
        let hear = async {
            while reports.changed().await.is_ok() {
                sent(*reports.borrow_and_update());
            }
        };
        tokio::join!(work, hear).0
    }
}

/// Runs a script and gives its word.
fn carry(
    connection: &mut Connection,
    given_up: &AtomicBool,
    command: &Command,
    stdin: &mut dyn Read,
    sent: &mut dyn FnMut(u64),
) -> Result<String, SshError> {
    const LONGEST_WORD: usize = 4096;
    let mut word = Vec::new();
    let mut take = |stream, bytes: &[u8]| {
        if stream == Stream::Out {
            word.extend_from_slice(&bytes[..bytes.len().min(LONGEST_WORD - word.len().min(LONGEST_WORD))]);
        }
        Ok(())
    };
    let mut output = talk_with(connection, given_up, command, stdin, sent, &mut take)?;
    output.stdout = word;
    Ok(output.success()?.text())
}

/// Sees in what the tools complained that the disk is the reason.
fn disk_full(error: SshError, path: &str, connection: &Connection) -> SshError {
    const FULL: [&str; 4] =
        ["No space left on device", "quota exceeded", "File too large", "File size limit exceeded"];
    match &error {
        SshError::Failed { stderr, exit, .. }
            if FULL.iter().any(|words| stderr.contains(words))
                || *exit == Exit::Signal("XFSZ".to_owned()) =>
        {
            SshError::DiskFull { target: connection.target.clone(), path: path.to_owned() }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_measured_as_sha256sum_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(Upload::file(file, "/x").measure().unwrap(), (3, hash.clone()));
        assert_eq!(Upload::bytes(b"abc".to_vec(), "/x").measure().unwrap(), (3, hash));
        let error = Upload::file(dir.path().join("none"), "/x").measure().unwrap_err().to_string();
        assert!(error.contains("none cannot be read"), "{error}");
    }

    #[test]
    fn what_is_sent_does_not_show_in_the_command() {
        let command = Upload::bytes(b"hush".to_vec(), "/etc/x").mode(0o600).owner("a:b").sudo();
        let line = command.script(WRITE, 4, "hash").line("admin").unwrap();
        assert!(line.ends_with("sh /etc/x 4 hash 0600 a:b") && !line.contains("hush"), "{line}");
    }
}
