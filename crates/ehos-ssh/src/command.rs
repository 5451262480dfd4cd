//! A command for the other machine: quoted for its shell, limited in time and in what it may write.
//!
//! Deliberately takes secrets by standard input only: arguments show in `ps` there, and in errors here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretSlice;

use crate::error::SshError;

const TIME_LIMIT: Duration = Duration::from_mins(2);
const OUTPUT_LIMIT: usize = 16 << 20;
/// How long a command has after its time limit, before it is killed there.
pub(crate) const KILL_AFTER: Duration = Duration::from_secs(5);
/// The longest form of a command in an error.
const LONGEST_SHOWN: usize = 200;

/// What is run, as a list of arguments that reach it unchanged. The login shell there must be a POSIX one.
#[derive(Clone)]
pub struct Command {
    words: Vec<String>,
    name: Option<String>,
    pub(crate) stdin: Arc<SecretSlice<u8>>,
    pub(crate) time_limit: Duration,
    pub(crate) output_limit: usize,
    pub(crate) sudo: bool,
}

impl Command {
    /// A program by its name or path.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            words: vec![program.into()],
            name: None,
            stdin: Arc::new(Vec::new().into()),
            time_limit: TIME_LIMIT,
            output_limit: OUTPUT_LIMIT,
            sudo: false,
        }
    }

    /// A script for `sh`; the arguments that follow are its `$1` and so on.
    pub fn shell(script: impl Into<String>) -> Self {
        Self::new("sh").arg("-c").arg(script).arg("sh")
    }

    /// Gives it an argument, which shows in `ps` and in errors and therefore is no secret.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Gives it arguments, see [`Command::arg`].
    #[must_use]
    pub fn args<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Gives it something to read, which is shown nowhere; without, it reads the end at once.
    #[must_use]
    pub fn stdin(self, bytes: impl Into<SecretSlice<u8>>) -> Self {
        Self { stdin: Arc::new(bytes.into()), ..self }
    }

    /// Limits its time, otherwise two minutes; the limit is kept on the other machine too, should we be gone by then.
    #[must_use]
    pub fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Limits what it may write to its standard output, in bytes, otherwise 16 MiB.
    #[must_use]
    pub fn output_limit(self, output_limit: usize) -> Self {
        Self { output_limit, ..self }
    }

    /// Runs it as root through `sudo -n`, or as it is where root is who logs in.
    #[must_use]
    pub fn sudo(self) -> Self {
        Self { sudo: true, ..self }
    }

    /// Shows it in errors by what it is for.
    pub(crate) fn named(self, name: String) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Gives the line for the login shell of `user`.
    ///
    /// The messages of the tools are in English, and `timeout` ends what hangs, also after the connection is cut.
    pub(crate) fn line(&self, user: &str) -> Result<String, SshError> {
        let sudo = if self.sudo && user != "root" { "sudo -n -- env LC_ALL=C " } else { "" };
        let (kill, limit) = (KILL_AFTER.as_secs(), self.time_limit.as_secs_f64());
        let words = quoted(&self.words);
        if words.contains('\0') {
            return Err(SshError::Nul { what: self.to_string() });
        }
        Ok(format!("exec env LC_ALL=C {sudo}timeout -k {kill} {limit:.3} {words}"))
    }
}

impl fmt::Display for Command {
    /// Shows its arguments, as a shell would take them, shortened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        let sudo = if self.sudo { "sudo " } else { "" };
        let words = quoted(&self.words).replace('\0', "\u{fffd}");
        match words.char_indices().nth(LONGEST_SHOWN) {
            Some((end, _)) => write!(f, "{sudo}{}…", &words[..end]),
            None => write!(f, "{sudo}{words}"),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a POSIX shell; within single quotes only the single quote itself means something.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal, without `SIG`.
    Signal(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "killed by SIG{signal}"),
        }
    }
}

/// What a command did.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    pub(crate) command: String,
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to its standard output; empty where that was followed.
    pub stdout: Vec<u8>,
    /// The last 64 KiB of what it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Gives it back where the command ended well.
    ///
    /// # Errors
    /// [`SshError::Failed`] where it did not.
    pub fn success(self) -> Result<Self, SshError> {
        if self.exit == Exit::Status(0) {
            return Ok(self);
        }
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        Err(SshError::Failed { command: self.command, exit: self.exit, stderr })
    }

    /// Gives its standard output as text without white space around it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

impl fmt::Debug for Output {
    /// Shows no output: it may be a secret that was asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({}: {}, {} bytes)", self.command, self.exit, self.stdout.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        let rows = [
            ("plain", "/usr/bin/x-1_2.3:4=@%+,", "/usr/bin/x-1_2.3:4=@%+,"),
            ("empty", "", "''"),
            ("a space", "a b", "'a b'"),
            ("a quote", "it's", r"'it'\''s'"),
            ("only quotes", "''", r"''\'''\'''"),
            ("a dollar", "$HOME", "'$HOME'"),
            ("a new line", "a\nb", "'a\nb'"),
            ("a home", "~", "'~'"),
            ("not ASCII", "ä", "'ä'"),
        ];
        for (row, word, expected) in rows {
            assert_eq!(quote(word), expected, "{row}");
        }
    }

    #[test]
    fn root_needs_no_sudo() {
        let command = Command::new("id").arg("a b").sudo().time_limit(Duration::from_millis(1500));
        assert_eq!(command.line("root").unwrap(), "exec env LC_ALL=C timeout -k 5 1.500 id 'a b'");
        let line = "exec env LC_ALL=C sudo -n -- env LC_ALL=C timeout -k 5 1.500 id 'a b'";
        assert_eq!(command.line("admin").unwrap(), line);
    }

    #[test]
    fn nothing_that_is_read_or_written_is_shown() {
        let command = Command::new("x").stdin(b"hush".to_vec());
        assert_eq!(format!("{command} {command:?}"), "x Command(x)");
        let output = Output {
            command: "x".to_owned(),
            exit: Exit::Status(0),
            stdout: b"hush".to_vec(),
            stderr: vec![],
        };
        assert_eq!(format!("{output:?}"), "Output(x: exit status 0, 4 bytes)");
        assert_eq!(Command::new("x".repeat(300)).to_string().chars().count(), 201);
        assert!(matches!(Command::new("a\0b").line("root"), Err(SshError::Nul { .. })));
    }
}
