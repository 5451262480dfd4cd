//! The way from another program to the embedded queue: what is said over the socket, and who asks.
//!
//! Deliberately no more than what test jobs need: submit, and see how far they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ehos_condor::{Cluster, JobCounts, SleepJobs};
use ehos_model::{Failure, Resources};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The name of the socket in the daemon's state directory.
pub const SOCKET: &str = "embedded.sock";

/// The longest line, in bytes: room for a million jobs, however long each sleeps.
pub(crate) const LONGEST_LINE: u64 = 16 << 20;

/// The longest that an answer, or the next question, may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Submit { seconds: Vec<u32>, request: Resources },
    Jobs { cluster: u64 },
}

/// What is answered, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Submitted { cluster: u64 },
    Jobs { idle: u64, running: u64, held: u64 },
    Failed(Failure),
}

/// A line that was read, or why there is none.
pub(crate) enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// The embedded queue of an ehosd that runs on this machine.
#[derive(Clone, Debug)]
pub struct RemotePool {
    path: PathBuf,
}

impl RemotePool {
    /// Names the socket; it is opened with every call.
    #[must_use]
    pub fn connect(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Puts test jobs into the queue.
    ///
    /// # Errors
    /// `Rejected` where no ehosd listens or the jobs are too many for one call, `Transient` where it does not answer.
    pub async fn submit(&self, jobs: &SleepJobs) -> Result<Cluster, Failure> {
        let request = Request::Submit { seconds: jobs.seconds.clone(), request: jobs.request };
        match self.ask(&request).await? {
            Answer::Submitted { cluster } => Ok(Cluster(cluster)),
            other => Err(unexpected(&other)),
        }
    }

    /// Counts the jobs of a cluster that are still in the queue.
    ///
    /// # Errors
    /// `Rejected` where no ehosd listens, `Transient` where it does not answer.
    pub async fn jobs(&self, cluster: Cluster) -> Result<JobCounts, Failure> {
        match self.ask(&Request::Jobs { cluster: cluster.0 }).await? {
            Answer::Jobs { idle, running, held } => Ok(JobCounts { idle, running, held }),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let line = encode(request)?;
        if line.len() as u64 > LONGEST_LINE {
            return Err(Failure::rejected("too many jobs for one submission; make it several"));
        }
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.absent(&error))?;
        let answer = timeout(PATIENCE, exchange(stream, &line)).await;
        let answer = answer.map_err(|_| Failure::transient("ehosd does not answer"))?;
        match answer.map_err(|error| Failure::transient(format!("ehosd hung up: {error}")))? {
            Line::Whole(line) => match serde_json::from_slice(&line) {
                Ok(Answer::Failed(failure)) => Err(failure),
                Ok(answer) => Ok(answer),
                Err(error) => Err(Failure::rejected(format!("ehosd's answer is not understood: {error}"))),
            },
            Line::TooLong => Err(Failure::rejected("ehosd's answer is too long")),
            Line::End => Err(Failure::transient("ehosd hung up")),
        }
    }

    fn absent(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind;
        let path = self.path.display();
        Failure::rejected(match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                format!(
                    "no ehosd is running there: start it with `ehosd etc/demo.yaml` (no one listens on {path})"
                )
            }
            _ => format!("the ehosd behind {path} cannot be reached: {error}"),
        })
    }
}

async fn exchange(stream: UnixStream, line: &[u8]) -> std::io::Result<Line> {
    let mut stream = BufReader::new(stream);
    stream.write_all(line).await?;
    read_line(&mut stream).await
}

/// Writes one line.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Failure> {
    let mut line = serde_json::to_vec(message)
        .map_err(|error| Failure::rejected(format!("a message cannot be written: {error}")))?;
    line.push(b'\n');
    Ok(line)
}

/// Reads one line of bounded length, without its end.
pub(crate) async fn read_line(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Line> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE + 1).read_until(b'\n', &mut line).await?;
    Ok(match line.pop() {
        Some(b'\n') => Line::Whole(line),
        Some(_) if line.len() as u64 >= LONGEST_LINE => Line::TooLong,
        // Nothing more, or cut off in the middle.
        None | Some(_) => Line::End,
    })
}

fn unexpected(answer: &Answer) -> Failure {
    Failure::rejected(format!("ehosd answered something else: {answer:?}"))
}
