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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    const SUBMIT: &str =
        "000 (001.000.000) 11/22 09:21:56 Job submitted from host: <198.18.77.10:9618>\n...\n";
    const EXECUTE: &str =
        "001 (001.000.000) 11/22 09:22:00 Job executing on host: <198.18.77.13:9618>\n...\n";

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_log_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("EventLog");
        append(&path, SUBMIT);
        let mut tail = Tail::new(path.clone());
        let mut poll = |row: &str| tail.poll().unwrap_or_else(|error| panic!("{row}: {error}"));
        assert!(!poll("what was there before"));
        append(&path, EXECUTE);
        assert!(!poll("a job that starts"));
        append(&path, &SUBMIT[..2]);
        assert!(!poll("half a line"));
        append(&path, &SUBMIT[2..]);
        assert!(poll("its other half"));
        assert!(!poll("nothing new"));
        append(&path, &SUBMIT.repeat(3));
        assert!(poll("several at once"));

        append(&path, SUBMIT);
        fs::rename(&path, dir.path().join("EventLog.old")).unwrap();
        assert!(poll("the last words before a rotation, with no new log yet"));
        assert!(!poll("no new log yet"));
        append(&path, SUBMIT);
        assert!(poll("the first words after it"));

        fs::write(&path, EXECUTE).unwrap();
        assert!(!poll("cut short"));
        fs::write(&path, "").unwrap();
        assert!(!poll("emptied"));
        append(&path, SUBMIT);
        assert!(poll("written again"));
    }

    #[test]
    fn a_log_that_is_not_there_yet_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("EventLog");
        let mut tail = Tail::new(path.clone());
        assert!(tail.poll().is_err() && tail.poll().is_err());
        append(&path, SUBMIT);
        assert!(tail.poll().unwrap());
    }

    #[test]
    fn events_after_which_jobs_wait() {
        for (line, news) in [
            (SUBMIT, true),
            ("004 (1.0.0) Job was evicted.\n", true),
            ("007 (1.0.0) Shadow exception!\n", true),
            ("013 (1.0.0) Job was released.\n", true),
            ("024 (1.0.0) Job reconnection failed\n", true),
            (EXECUTE, false),
            ("005 (1.0.0) Job terminated.\n", false),
            ("012 (1.0.0) Job was held.\n", false),
            ("\t000 (inside of an event)\n", false),
            ("<c>\n    <a n=\"MyType\"><s>SubmitEvent</s></a>\n", true),
            ("{\n    \"EventTypeNumber\": 0\n", true),
        ] {
            assert_eq!(LineStart::new().read(line.as_bytes()), news, "{line}");
        }
        for real in [
            include_str!("../tests/samples/23/event-log.txt"),
            include_str!("../tests/samples/25/event-log.txt"),
        ] {
            assert!(LineStart::new().read(real.as_bytes()));
        }
    }

    #[tokio::test]
    async fn a_change_is_kept_until_somebody_asks_and_dropping_loses_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("EventLog");
        append(&path, EXECUTE);
        let tools = Tools { dir: None, timeout: Duration::from_secs(1) };
        let watch = Watch::start(tools, Some(path.clone()));
        let heard = |within| tokio::time::timeout(within, watch.changed());
        assert!(heard(EVERY * 3).await.is_err(), "nothing yet, and this call is dropped");
        append(&path, SUBMIT);
        assert!(heard(Duration::from_secs(10)).await.is_ok());
        assert!(heard(EVERY * 3).await.is_err(), "once is once");
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole(lines in proptest::collection::vec("(00[0-9] |\t|\\.\\.\\.|[0-9]{0,5}).{0,5}", 0..9), cut in 0_usize..60) {
            let text = lines.join("\n");
            let (one, other) = text.as_bytes().split_at(cut.min(text.len()));
            let mut line = LineStart::new();
            let pieces = line.read(one) | line.read(other);
            prop_assert_eq!(pieces, LineStart::new().read(text.as_bytes()));
        }
    }
}
