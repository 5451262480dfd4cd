//! Hears of submitted, released and evicted jobs by following the schedd's event log, a fraction of a second later.
//!
//! Deliberately reads no more than the number of each event: what waits is then asked for.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::condor::config_value;
use crate::tools::Tools;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// How often it is asked where the log is, while that is not known.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// Follows the event log in the background for as long as it lives.
#[derive(Debug)]
pub(crate) struct Watch {
    changed: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins at the log's present end. Needs a tokio runtime.
    pub(crate) fn start(tools: Tools, path: Option<PathBuf>) -> Self {
        let changed = Arc::new(Notify::new());
        let task = tokio::spawn(follow(tools, path, Arc::clone(&changed)));
        Self { changed, task }
    }

    /// Returns when there was a change; several coalesce, and one that came before the call counts.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(tools: Tools, path: Option<PathBuf>, changed: Arc<Notify>) {
    let path = match path {
        Some(path) => path,
        None => ask_for_path(&tools).await,
    };
    let mut tail = Tail::new(path);
    let mut complained = false;
    loop {
        match tail.poll() {
            Ok(news) => {
                if news {
                    changed.notify_one();
                }
                complained = false;
            }
            Err(error) => {
                if !complained {
                    log::warn!(
                        "the event log {} cannot be read ({error}); submitted jobs are seen at the next look only",
                        tail.path.display()
                    );
                }
                complained = true;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Asks HTCondor where the log is, until it says so.
async fn ask_for_path(tools: &Tools) -> PathBuf {
    let mut complained = false;
    loop {
        let why = match config_value(tools, "EVENT_LOG").await {
            Ok(Some(path)) => return path.into(),
            Ok(None) => {
                "HTCondor writes no event log; set EVENT_LOG = $(LOG)/EventLog in its configuration on this \
                         machine and run condor_reconfig"
                    .to_owned()
            }
            Err(failure) => failure.to_string(),
        };
        if !complained {
            log::warn!("submitted jobs are seen at the next look only: {why}");
        }
        complained = true;
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// A place in a log that grows, is rotated or is cut short.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// Whether the log was looked for before; what appears later is read from its beginning.
    looked: bool,
    line: LineStart,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    offset: u64,
}

impl Tail {
    const fn new(path: PathBuf) -> Self {
        Self { path, open: None, looked: false, line: LineStart::new() }
    }

    /// Reads what is new and tells whether something in it is worth a look at the queue.
    ///
    /// # Errors
    /// Where the log is not there or cannot be read; it is tried again with the next call.
    fn poll(&mut self) -> io::Result<bool> {
        let first = !std::mem::replace(&mut self.looked, true);
        let mut news = match &mut self.open {
            Some(open) => open.read(&mut self.line)?,
            None => false,
        };
        let now = match std::fs::metadata(&self.path) {
            // Rotation renames the file before the new one is made: for a moment there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.open.is_some() => return Ok(news),
            found => found?,
        };
        let same = self.open.as_ref().is_some_and(|open| open.inode == now.ino());
        if !same {
            let mut open = Open::new(&self.path)?;
            if first {
                open.offset = open.file.seek(SeekFrom::End(0))?;
            }
            self.line = LineStart::new();
            news |= open.read(&mut self.line)?;
            self.open = Some(open);
        }
        Ok(news)
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, offset: 0 })
    }

    fn read(&mut self, line: &mut LineStart) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.offset {
            self.offset = self.file.seek(SeekFrom::Start(0))?;
            *line = LineStart::new();
        }
        let mut news = false;
        let mut chunk = [0; CHUNK];
        loop {
            let length = match self.file.read(&mut chunk) {
                Ok(0) => return Ok(news),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.offset += length as u64;
            news |= line.read(chunk.get(..length).unwrap_or_default());
        }
    }
}

/// The first bytes of the line that is being written; lines come in pieces.
#[derive(Debug)]
struct LineStart {
    bytes: [u8; 4],
    length: usize,
}

impl LineStart {
    const fn new() -> Self {
        Self { bytes: [0; 4], length: 0 }
    }

    /// Reads on and tells whether a line begins that is worth a look at the queue.
    fn read(&mut self, text: &[u8]) -> bool {
        let mut news = false;
        for &byte in text {
            if byte == b'\n' {
                self.length = 0;
            } else if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
                news |= is_news(self.bytes.get(..self.length).unwrap_or_default());
            }
        }
        news
    }
}

/// Tells whether a line begins with an event after which more jobs wait.
///
/// 000 submit, 004 evicted, 007 shadow exception, 013 released, 024 reconnect failed, 035 cluster submit. A log that
/// is set to XML or JSON begins its lines otherwise; there every event counts.
fn is_news(start: &[u8]) -> bool {
    matches!(start, b"000 " | b"004 " | b"007 " | b"013 " | b"024 " | b"035 " | b"<" | b"{")
}
