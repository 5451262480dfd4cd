//! Serves the embedded queue on a socket in the daemon's state directory.
//!
//! Deliberately listens to nobody but this user and root: there are no passwords here.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ehos_condor::{Cluster, Pool, SleepJobs};
use ehos_model::{Failure, FailureKind};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::remote::{Answer, Line, PATIENCE, Request, encode, read_line};

/// How many programs may ask at one time; more wait for their turn.
const CALLERS: usize = 4;

/// Serves the socket as long as it lives; dropping it removes the socket.
#[derive(Debug)]
pub struct Served {
    path: PathBuf,
    inode: u64,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
        // Another ehosd's socket of the same name is not ours to remove.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

/// Listens on `path` for what [`crate::RemotePool`] asks; its directory is made (0700) where it is missing.
///
/// # Errors
/// `Conflict` where another ehosd listens there, `Rejected` where the socket cannot be made.
pub async fn serve(pool: Arc<dyn Pool>, path: &Path) -> Result<Served, Failure> {
    let failed = |error: std::io::Error| Failure::rejected(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    clear(path).await?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    let task = tokio::spawn(listen(listener, pool, metadata.uid()));
    Ok(Served { path: path.to_owned(), inode: metadata.ino(), task })
}

/// Removes a socket that nobody listens on any more.
async fn clear(path: &Path) -> Result<(), Failure> {
    let refused = |why: &str| Failure::new(FailureKind::Conflict, format!("{}: {why}", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(&error.to_string())),
        Ok(found) if !found.file_type().is_socket() => return Err(refused("there is something else")),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(refused("another ehosd listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| refused(&error.to_string()))
        }
        Err(error) => Err(refused(&error.to_string())),
    }
}

async fn listen(listener: UnixListener, pool: Arc<dyn Pool>, owner: u32) {
    // Dropped with this task, and all who are being answered with it.
    let mut callers = JoinSet::new();
    loop {
        while callers.len() >= CALLERS {
            callers.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0);
                if allowed {
                    callers.spawn(answer_all(stream, Arc::clone(&pool)));
                }
            }
            Err(error) => {
                log::warn!("the embedded pool's socket: {error}");
                // Out of file descriptors, most likely: some may be free again in a while.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        while callers.try_join_next().is_some() {}
    }
}

async fn answer_all(stream: UnixStream, pool: Arc<dyn Pool>) {
    if let Err(error) = converse(stream, pool.as_ref()).await {
        log::debug!("the embedded pool's socket: {error}");
    }
}

async fn converse(stream: UnixStream, pool: &dyn Pool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let line = timeout(PATIENCE, read_line(&mut stream)).await??;
        let (answer, last) = match line {
            Line::End => return Ok(()),
            Line::TooLong => (Answer::Failed(Failure::rejected("the line is too long")), true),
            Line::Whole(line) => (answer(&line, pool).await, false),
        };
        let line = encode(&answer).map_err(std::io::Error::other)?;
        stream.write_all(&line).await?;
        if last {
            return Ok(());
        }
    }
}

async fn answer(line: &[u8], pool: &dyn Pool) -> Answer {
    let result = match serde_json::from_slice(line) {
        Err(error) => Err(Failure::rejected(format!("the line is not understood: {error}"))),
        Ok(Request::Submit { seconds, request }) => pool
            .submit(&SleepJobs::new(seconds, request))
            .await
            .map(|cluster| Answer::Submitted { cluster: cluster.0 }),
        Ok(Request::Jobs { cluster }) => pool.jobs(Cluster(cluster)).await.map(|counts| Answer::Jobs {
            idle: counts.idle,
            running: counts.running,
            held: counts.held,
        }),
    };
    result.unwrap_or_else(Answer::Failed)
}
