//! A login on a machine, for programs that wait without blocking: commands one after the other, and files.
//!
//! Deliberately no two commands at once, no terminal, and no jump over another machine.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, mpsc};

use crate::auth::Identity;
use crate::command::{Command, Exit, KILL_AFTER, Output};
use crate::connect::{self, Attempt, HostKeys, Timeouts};
use crate::error::SshError;
use crate::pump::{Connection, Job, Stream, Take};
use crate::target::Target;

/// How much of a command's standard error is kept.
const LONGEST_COMPLAINT: usize = 64 << 10;
/// The longest line that is followed in one piece.
const LONGEST_LINE: usize = 64 << 10;
/// How long a command may take beyond its time limit, which is kept over there.
const GRACE: Duration = Duration::from_secs(5);
/// Between two tries to connect to a machine that boots.
const RETRY: Duration = Duration::from_secs(2);

/// A line that a followed command wrote, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// To its standard output.
    Out(String),
    /// To its standard error.
    Err(String),
}

/// A login on a machine.
pub struct Session {
    connection: Arc<Mutex<Connection>>,
    target: Target,
}

/// Tells a blocking thread that nobody waits for it any more, when the future that waits is dropped.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Session {
    /// Connects and logs in, with the first identity that is let in.
    ///
    /// # Errors
    /// See [`SshError`]; nothing was sent where the host key is not the right one.
    pub async fn connect(
        target: &Target,
        keys: &HostKeys,
        identities: &[Identity],
        timeouts: Timeouts,
    ) -> Result<Self, SshError> {
        let given_up = GiveUp(Arc::default());
        let attempt = Attempt { target: target.clone(), timeouts, given_up: Arc::clone(&given_up.0) };
        let (keys, identities) = (keys.clone(), identities.to_owned());
        let work = move || connect::connect(&attempt, &keys, &identities);
        let connection = on_a_thread("connecting", work).await?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), target: target.clone() })
    }

    /// Connects again and again while a machine boots; `waits` is told why it is not ready, and may end it.
    ///
    /// # Errors
    /// The last one, at the deadline; at once where waiting does not help, above all where the host key is not the
    /// right one.
    pub async fn wait_for(
        target: &Target,
        keys: &HostKeys,
        identities: &[Identity],
        timeouts: Timeouts,
        deadline: Instant,
        mut waits: impl FnMut(&SshError) -> ControlFlow<()>,
    ) -> Result<Self, SshError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
            let (connect, answer) = (timeouts.connect.min(left), timeouts.answer.min(left));
            let timeouts = Timeouts { connect, answer, ..timeouts };
            let error = match Self::connect(target, keys, identities, timeouts).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let is_over = Instant::now() + RETRY >= deadline;
            if !error.may_pass_at_boot() || is_over || waits(&error).is_break() {
                return Err(error);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Gives the machine and the user.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Runs a command to its end, whatever that is; see [`Output::success`].
    ///
    /// After an error other than [`SshError::SudoPassword`], [`SshError::SudoMissing`] and [`SshError::TimedOut`] by the
    /// machine itself the connection is not used again: every later call is [`SshError::Cut`].
    ///
    /// # Errors
    /// Where the connection is lost, its time is over, or `sudo` does not do it.
    pub async fn run(&self, command: &Command) -> Result<Output, SshError> {
        let command = command.clone();
        self.blocking(command.to_string(), move |connection, given_up| {
            let (mut stdout, limit, shown) = (Vec::new(), command.output_limit, command.to_string());
            let mut take = |bytes: &[u8]| {
                if stdout.len() + bytes.len() > limit {
                    return Err(SshError::TooLong { command: shown.clone(), limit });
                }
                stdout.extend_from_slice(bytes);
                Ok(())
            };
            let mut output = talk(connection, given_up, &command, &mut |stream, bytes| match stream {
                Stream::Out => take(bytes),
                Stream::Err => Ok(()),
            })?;
            output.stdout = stdout;
            Ok(output)
        })
        .await
    }

    /// Runs a command as root; the same as [`Session::run`] of [`Command::sudo`].
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn sudo(&self, command: &Command) -> Result<Output, SshError> {
        self.run(&command.clone().sudo()).await
    }

    /// Runs a command and gives its lines as they come, those of more than 64 KiB in pieces.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn follow(&self, command: &Command, mut each: impl FnMut(Line)) -> Result<Output, SshError> {
        let (lines, mut arrivals) = mpsc::channel(64);
        let command = command.clone();
        let work = self.blocking(command.to_string(), move |connection, given_up| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let send = |line| {
                lines.blocking_send(line).map_err(|_| SshError::GivenUp { during: command.to_string() })
            };
            let output = talk(connection, given_up, &command, &mut |stream, bytes| match stream {
                Stream::Out => cut_lines(&mut out, bytes).into_iter().map(Line::Out).try_for_each(send),
                Stream::Err => cut_lines(&mut err, bytes).into_iter().map(Line::Err).try_for_each(send),
            })?;
            // The last line may lack its end.
            let rest = |rest: Vec<u8>| (!rest.is_empty()).then(|| text(&rest));
            rest(out).map(Line::Out).into_iter().chain(rest(err).map(Line::Err)).try_for_each(send)?;
            Ok(output)
        });
        let hear = async {
            while let Some(line) = arrivals.recv().await {
                each(line);
            }
        };
        tokio::join!(work, hear).0
    }

    /// Does something with the connection on a thread that may block; it ends soon after the future is dropped.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        during: String,
        work: impl FnOnce(&mut Connection, &AtomicBool) -> Result<T, SshError> + Send + 'static,
    ) -> Result<T, SshError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let given_up = GiveUp(Arc::default());
        let flag = Arc::clone(&given_up.0);
        on_a_thread(&during, move || work(&mut connection, &flag)).await
    }
}

async fn on_a_thread<T: Send + 'static>(
    during: &str,
    work: impl FnOnce() -> Result<T, SshError> + Send + 'static,
) -> Result<T, SshError> {
    let ended = |_| SshError::GivenUp { during: during.to_owned() };
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}

/// Runs a command with the input that it has.
fn talk(
    connection: &mut Connection,
    given_up: &AtomicBool,
    command: &Command,
    take: &mut Take<'_>,
) -> Result<Output, SshError> {
    let stdin = Arc::clone(&command.stdin);
    let mut stdin = Cursor::new(stdin.expose_secret());
    talk_with(connection, given_up, command, &mut stdin, &mut |_| (), take)
}

/// Runs a command with another input, and sorts the ends that are not its own.
pub(crate) fn talk_with(
    connection: &mut Connection,
    given_up: &AtomicBool,
    command: &Command,
    stdin: &mut dyn std::io::Read,
    sent: &mut dyn FnMut(u64),
    take: &mut Take<'_>,
) -> Result<Output, SshError> {
    let target = connection.target.clone();
    let (line, shown) = (command.line(&target.user)?, command.to_string());
    let begun = Instant::now();
    let mut complaint = Vec::new();
    let exit = connection.run(Job {
        line: &line,
        during: &shown,
        deadline: begun + command.time_limit + KILL_AFTER + GRACE,
        time_limit: command.time_limit,
        stdin,
        sent,
        given_up,
        take: &mut |stream, bytes| {
            if stream == Stream::Err {
                keep_end(&mut complaint, bytes);
            }
            take(stream, bytes)
        },
    })?;
    log::debug!("{target}: {shown}: {exit} after {:.1?}", begun.elapsed());
    if begun.elapsed() >= command.time_limit && is_by_timeout(&exit) {
        return Err(SshError::TimedOut { what: format!("{shown} on {target}"), after: command.time_limit });
    }
    if command.sudo && exit != Exit::Status(0) {
        sudo_itself(&exit, &complaint, &target)?;
    }
    Ok(Output { command: shown, exit, stdout: Vec::new(), stderr: complaint })
}

/// Tells whether a command may have been ended by `timeout`, which says 124, or is killed with what does not end.
fn is_by_timeout(exit: &Exit) -> bool {
    match exit {
        Exit::Status(status) => [124, 137].contains(status),
        Exit::Signal(signal) => signal == "KILL",
    }
}

/// Fails where `sudo` itself did not do it.
fn sudo_itself(exit: &Exit, complaint: &[u8], target: &Target) -> Result<(), SshError> {
    let complaint = String::from_utf8_lossy(complaint);
    let says = |words: &str| complaint.lines().any(|line| line.contains("sudo") && line.contains(words));
    let target = target.clone();
    match exit {
        Exit::Status(1)
            if ["password is required", "a terminal is required", "not in the sudoers", "not allowed to"]
                .into_iter()
                .any(says) =>
        {
            Err(SshError::SudoPassword { target })
        }
        Exit::Status(127) if says("No such file or directory") || says("not found") => {
            Err(SshError::SudoMissing { target })
        }
        _ => Ok(()),
    }
}

/// Keeps the end of what was complained.
fn keep_end(complaint: &mut Vec<u8>, bytes: &[u8]) {
    complaint.extend_from_slice(bytes);
    if complaint.len() > 2 * LONGEST_COMPLAINT {
        complaint.drain(..complaint.len() - LONGEST_COMPLAINT);
    }
}

/// Gives the lines that are whole with these bytes, and keeps the rest.
fn cut_lines(rest: &mut Vec<u8>, bytes: &[u8]) -> Vec<String> {
    rest.extend_from_slice(bytes);
    let mut lines = Vec::new();
    let mut begin = 0;
    loop {
        let left = &rest[begin..];
        match left.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') {
            Some(length) => {
                lines.push(text(&left[..length]));
                begin += length + 1;
            }
            None if left.len() >= LONGEST_LINE => {
                lines.push(text(&left[..LONGEST_LINE]));
                begin += LONGEST_LINE;
            }
            None => break,
        }
    }
    rest.drain(..begin);
    lines
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches('\r').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_do_not_hang_on_how_the_bytes_arrive(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..6)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let (mut rest, mut lines) = (Vec::new(), Vec::new());
            for pair in cuts.windows(2) {
                lines.extend(cut_lines(&mut rest, &text.as_bytes()[pair[0]..pair[1]]));
            }
            lines.push(String::from_utf8(rest).unwrap());
            prop_assert_eq!(lines, text.split('\n').collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let mut rest = Vec::new();
        let lines = cut_lines(&mut rest, &vec![b'x'; 2 * LONGEST_LINE + 1]);
        assert_eq!((lines.len(), rest.len()), (2, 1));
    }

    #[test]
    fn what_sudo_says_of_itself_is_told_apart() {
        let target: Target = "admin@h".parse().unwrap();
        let rows = [
            ("a password", 1, "sudo: a password is required\n", "wants a password"),
            ("a terminal", 1, "sudo: a terminal is required to read the password\n", "wants a password"),
            ("not listed", 1, "admin is not in the sudoers file.  sudo\n", "wants a password"),
            ("none", 127, "env: 'sudo': No such file or directory\n", "has no sudo"),
            ("the command's own", 1, "a password is required\n", ""),
            ("another status", 2, "sudo: a password is required\n", ""),
            (
                "the command is missing",
                127,
                "timeout: failed to run command 'x': No such file or directory\n",
                "",
            ),
        ];
        for (row, status, complaint, expected) in rows {
            let result = sudo_itself(&Exit::Status(status), complaint.as_bytes(), &target);
            let text = result.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(expected) && text.is_empty() == expected.is_empty(), "{row}: {text}");
        }
    }
}
