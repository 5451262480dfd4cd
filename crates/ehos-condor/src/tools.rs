//! Runs HTCondor's own tools: with a time limit, bounded output, and never a shell.
//!
//! Deliberately knows nothing of what a tool is asked, nor of what its answer means.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ehos_model::{Failure, FailureKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The longest answer that is read: about 300 000 slots.
const MAX_ANSWER: usize = 64 << 20;
/// How much of an error text is kept.
const MAX_COMPLAINT: usize = 64 << 10;

/// Why a tool gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("{0}")]
    Missing(String),
    #[error("{tool} could not be run: {source}")]
    Io { tool: &'static str, source: std::io::Error },
    #[error("{tool} gave no answer within {after:?}")]
    TimedOut { tool: &'static str, after: Duration },
    #[error("{tool} gave an answer of more than {MAX_ANSWER} bytes")]
    TooLong { tool: &'static str },
    #[error("{tool} gave an answer that is not text")]
    NotText { tool: &'static str },
    #[error("{tool} failed ({status}): {}", summary(complaint))]
    Failed { tool: &'static str, status: std::process::ExitStatus, complaint: String },
}

impl ToolError {
    /// Gives what the tool wrote to its standard error, where it ran and failed.
    pub(crate) fn complaint(&self) -> &str {
        match self {
            Self::Failed { complaint, .. } => complaint,
            _ => "",
        }
    }
}

impl From<ToolError> for Failure {
    /// Sorts into the kinds that are decided on; what may pass by itself is the rule for these tools.
    fn from(error: ToolError) -> Self {
        let kind = match &error {
            ToolError::Missing(_) | ToolError::TooLong { .. } | ToolError::NotText { .. } => {
                FailureKind::Rejected
            }
            ToolError::Failed { complaint, .. } if is_denied(complaint) => FailureKind::Auth,
            ToolError::Io { .. } | ToolError::TimedOut { .. } | ToolError::Failed { .. } => {
                FailureKind::Transient { retry_after: None }
            }
        };
        Self::new(kind, error.to_string())
    }
}

/// Tells whether a complaint says that we are nobody there, or somebody who may not.
///
/// `Permission denied` alone does not: `-debug` says so of each file that is root's.
fn is_denied(complaint: &str) -> bool {
    ["AUTHENTICATE:", "required authentication", "Received \"DENIED\"", "PERMISSION DENIED", "not authorized"]
        .iter()
        .any(|words| complaint.contains(words))
}

/// Makes one line of a complaint: no log stamps, no noise, nothing of the paragraphs that explain HTCondor.
fn summary(complaint: &str) -> String {
    let lines = complaint
        .lines()
        .map(|line| strip_stamp(line.trim()).trim_start_matches("ERROR: ").trim_start_matches("Error: "))
        .take_while(|line| !line.starts_with("Extra Info:"))
        .filter(|line| !is_noise(line));
    let mut summary = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if summary.contains(line) {
            continue;
        }
        if !summary.is_empty() {
            summary.push_str("; ");
        }
        summary.push_str(line);
    }
    match summary.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &summary[..end]),
        None if summary.is_empty() => "it did not say why".to_owned(),
        None => summary,
    }
}

/// Tells whether a line says nothing that helps: of root's own files, or that something failed that is told next.
fn is_noise(line: &str) -> bool {
    line == "(null)" || line.starts_with("Can't open directory") || line.starts_with("Attempt to send ")
}

/// Takes away the `11/23/26 00:31:54 ` that `-debug` puts before its lines.
fn strip_stamp(line: &str) -> &str {
    match line.split_at_checked(18) {
        Some((stamp, rest))
            if stamp.bytes().all(|byte| byte.is_ascii_digit() || b"/: ".contains(&byte))
                && stamp.contains('/') =>
        {
            rest
        }
        _ => line,
    }
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    tool: &'static str,
    args: &'a [&'a str],
    input: &'a str,
    login: bool,
    user: Option<(u32, u32)>,
}

impl<'a> Call<'a> {
    /// A tool with its arguments, which are logged and therefore never secret.
    pub(crate) const fn new(tool: &'static str, args: &'a [&'a str]) -> Self {
        Self { tool, args, input: "", login: false, user: None }
    }

    /// Gives it something to read, which is not logged.
    pub(crate) const fn input(self, input: &'a str) -> Self {
        Self { input, ..self }
    }

    /// Runs it as another user and group, which only root can.
    pub(crate) const fn user(self, user: Option<(u32, u32)>) -> Self {
        Self { user, ..self }
    }

    /// Makes it log in, as commands to other machines need.
    ///
    /// Left to themselves the tools do not log in where the other side does not ask at once, and are refused later.
    /// What only reads does not have to: many pools let anybody read.
    pub(crate) const fn login(self) -> Self {
        Self { login: true, ..self }
    }
}

/// Where HTCondor's tools are and how long each may take.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

impl Tools {
    /// Runs a tool and gives what it wrote to its standard output.
    ///
    /// The child is killed when the time is over and when the returned future is dropped.
    pub(crate) async fn run(&self, call: Call<'_>) -> Result<String, ToolError> {
        let begun = Instant::now();
        let tool = call.tool;
        let result = tokio::time::timeout(self.timeout, self.talk(call))
            .await
            .unwrap_or(Err(ToolError::TimedOut { tool, after: self.timeout }));
        let elapsed = begun.elapsed();
        match &result {
            Ok(answer) => {
                log::debug!("{tool} {}: {elapsed:.1?}, {} bytes", call.args.join(" "), answer.len());
            }
            Err(error) => log::debug!("{tool} {}: {elapsed:.1?}, {error}", call.args.join(" ")),
        }
        result
    }

    async fn talk(&self, call: Call<'_>) -> Result<String, ToolError> {
        let tool = call.tool;
        let io = |source| ToolError::Io { tool, source };
        let mut child = self.command(call).spawn().map_err(|source| self.spawn_error(tool, source))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A tool that leaves early closes its end; its exit status tells more than that.
                let _ = stdin.write_all(call.input.as_bytes()).await;
            }
            Ok(())
        };
        let read = async {
            let answer = read_up_to(stdout, MAX_ANSWER).await.map_err(io)?;
            if answer.len() > MAX_ANSWER { Err(ToolError::TooLong { tool }) } else { Ok(answer) }
        };
        let complain = async { drain_keeping(stderr, MAX_COMPLAINT).await.map_err(io) };
        let ((), answer, complaint) = tokio::try_join!(write, read, complain)?;
        let status = child.wait().await.map_err(io)?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint).into_owned();
            return Err(ToolError::Failed { tool, status, complaint });
        }
        String::from_utf8(answer).map_err(|_| ToolError::NotText { tool })
    }

    fn command(&self, call: Call<'_>) -> Command {
        let mut command = match &self.dir {
            Some(dir) => Command::new(dir.join(call.tool)),
            None => Command::new(call.tool),
        };
        if call.login {
            command.env("_CONDOR_SEC_CLIENT_AUTHENTICATION", "REQUIRED");
        }
        if let Some((user, group)) = call.user {
            command.uid(user).gid(group);
        }
        command
            .args(call.args)
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C is for us: a call that is under way gets to its end.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn spawn_error(&self, tool: &'static str, source: std::io::Error) -> ToolError {
        if source.kind() != std::io::ErrorKind::NotFound {
            return ToolError::Io { tool, source };
        }
        ToolError::Missing(match &self.dir {
            Some(dir) => format!("{tool} is not in {}; is HTCondor installed there?", dir.display()),
            None => format!("{tool} is not on PATH; is HTCondor installed here?"),
        })
    }
}

/// Reads to the end, or to one byte more than `limit`.
async fn read_up_to(from: Option<impl AsyncRead + Unpin>, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Reads to the end and keeps the beginning, so that a talkative tool is not blocked.
async fn drain_keeping(from: Option<impl AsyncRead + Unpin>, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(limit as u64).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    const ROOTS_FILE: &str = "11/23/26 00:46:22 Can't open directory \"/etc/condor/passwords.d\" as PRIV_ROOT, errno: \
                              13 (Permission denied)\n";

    /// What HTCondor 23.9 wrote to standard error.
    #[test]
    fn complaints_are_sorted_and_summed_up() {
        let transient = FailureKind::Transient { retry_after: None };
        let rows = [
            (
                "11/23/26 00:46:22 SECMAN: FAILED: Received \"DENIED\" from server for user alice@bed.test using \
                 method FS.\nfailed to send classad to <198.18.77.10:9618>\n",
                FailureKind::Auth,
                "Received \"DENIED\"",
            ),
            (
                "11/23/26 00:31:54 SECMAN: required authentication with collector at <198.18.77.10:9618> failed, so \
                 aborting command QUERY_STARTD_ADS.\nERROR: (null)\n",
                FailureKind::Auth,
                "required authentication",
            ),
            (
                "Failed to request a session token: AUTHENTICATE:1003:Failed to authenticate with any method\n",
                FailureKind::Auth,
                "Failed to request a session token",
            ),
            (
                "11/23/26 00:31:54 attempt to connect to <198.18.77.10:9999> failed: Connection refused (connect \
                 errno = 111).\nERROR: (null)\n",
                transient.clone(),
                "attempt to connect to <198.18.77.10:9999> failed: Connection refused (connect errno = 111).",
            ),
            (
                "Error: communication error\nSECMAN:2011:Connection closed during command authorization. Probably \
                 due to an unknown command.\n\nExtra Info: the condor_collector is a process\nthat runs\n",
                transient.clone(),
                "communication error; SECMAN:2011:Connection closed during command authorization. Probably due to \
                 an unknown command.",
            ),
            (
                "Error: Can't find address for schedd cm.bed.test\n",
                transient.clone(),
                "Can't find address for schedd cm.bed.test",
            ),
            ("", transient, "it did not say why"),
        ];
        for (complaint, kind, words) in rows {
            let status = ExitStatus::from_raw(256);
            let complaint = format!("{ROOTS_FILE}{complaint}");
            let failure = Failure::from(ToolError::Failed { tool: "condor_x", status, complaint });
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(failure.message.contains(words), "{failure}");
            assert!(!failure.message.contains("Can't open directory"), "{failure}");
            assert!(!failure.message.contains("(null)"), "{failure}");
        }
    }

    #[test]
    fn long_complaints_are_cut_between_characters() {
        assert_eq!(summary(&"ä".repeat(1000)).chars().count(), 401);
        assert_eq!(strip_stamp("ää/ää:ää ää"), "ää/ää:ää ää", "no stamp, and no character is split");
    }
}
