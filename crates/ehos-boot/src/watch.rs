//! Watches a server and its console until something is decided.
//!
//! Deliberately patient with calls that fail and strict with servers that do: a hiccup of the cloud spoils no image.

use std::time::Duration;

use ehos_cloud::Cloud;
use ehos_cloudinit::{Boot, read_console};
use ehos_model::{FailureKind, NodeId, ServerId, ServerStatus};
use tokio::time::{Instant, sleep};

use crate::{Trouble, find};

/// Between two looks.
pub const LOOK: Duration = Duration::from_secs(3);

/// How many lines of a console are read; the marks are at its end.
const LINES: u32 = 2000;

/// How many listings in a row must miss a server before it is gone.
const MISSED: u32 = 3;

/// A server under watch.
pub struct Watch<'a> {
    cloud: &'a dyn Cloud,
    node: &'a NodeId,
    server: &'a ServerId,
    /// What it is, for messages.
    what: &'static str,
    missed: u32,
    /// The last console that was read.
    pub console: String,
    /// Why there is no console.
    mute: Option<String>,
    /// Why the last call failed.
    trouble: Option<String>,
}

/// What one look has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The server's state; `None` where the cloud did not tell.
    pub status: Option<ServerStatus>,
    /// How far it says it is.
    pub boot: Boot,
}

impl<'a> Watch<'a> {
    /// Watches the server of a node; `what` names it in messages.
    pub fn new(cloud: &'a dyn Cloud, node: &'a NodeId, server: &'a ServerId, what: &'static str) -> Self {
        Self { cloud, node, server, what, missed: 0, console: String::new(), mute: None, trouble: None }
    }

    /// Looks once.
    ///
    /// # Errors
    /// Where the server is gone, in ERROR, or says itself that it has failed.
    pub async fn look(&mut self) -> Result<Seen, Trouble> {
        let status = self.status().await?;
        self.read().await;
        if status == Some(ServerStatus::Error) {
            return Err(self.trouble("went to ERROR"));
        }
        let boot = read_console(&self.console);
        if let Boot::Failed { why } = &boot {
            return Err(self.trouble(&format!("failed to set itself up: {why}")));
        }
        Ok(Seen { status, boot })
    }

    async fn status(&mut self) -> Result<Option<ServerStatus>, Trouble> {
        match find(self.cloud, self.node).await {
            Ok(Some(server)) => {
                self.missed = 0;
                if let (ServerStatus::Error, Some(fault)) = (&server.status, &server.fault) {
                    self.read().await;
                    return Err(self.trouble(&format!("went to ERROR: {fault}")));
                }
                Ok(Some(server.status))
            }
            Ok(None) => {
                self.missed += 1;
                if self.missed >= MISSED {
                    return Err(self.trouble("has vanished: somebody or the cloud has deleted it"));
                }
                Ok(None)
            }
            Err(failure) => {
                log::info!("{}: {failure}", self.cloud.name());
                self.trouble = Some(failure.message);
                Ok(None)
            }
        }
    }

    /// Reads the console; one that is cut off at its beginning loses nothing that was seen before.
    async fn read(&mut self) {
        match self.cloud.console(self.server, LINES).await {
            Ok(text) if text.is_empty() => self.mute = Some("it is empty".to_owned()),
            Ok(text) => {
                self.mute = None;
                self.console = text;
            }
            Err(failure) if matches!(failure.kind, FailureKind::Conflict | FailureKind::NotFound) => {}
            Err(failure) => self.mute = Some(failure.message),
        }
    }

    /// Says what is wrong with the server, with its console, or with the reason why there is none.
    pub fn trouble(&self, what: &str) -> Trouble {
        let mute = match &self.mute {
            Some(mute) => format!("; its console log cannot be read ({mute})"),
            None => String::new(),
        };
        Trouble::new(format!("{} {} {what}{mute}", self.what, self.node)).with_console(&self.console)
    }

    /// Says that the time is over, and all that is known of why.
    pub fn too_late(&self, after: Duration, expected: &str) -> Trouble {
        let mut why = format!("did not say within {} {expected}", span(after));
        if let (None, Some(trouble)) = (&self.mute, &self.trouble) {
            why = format!("{why} (the cloud: {trouble})");
        }
        self.trouble(&why)
    }

    /// Looks until `decide` has decided, at most for `limit`.
    ///
    /// # Errors
    /// As [`Self::look`], what `decide` says, and when the time is over.
    pub async fn until<T>(
        &mut self,
        limit: Duration,
        expected: &str,
        mut decide: impl FnMut(&Self, &Seen) -> Result<Option<T>, Trouble>,
    ) -> Result<T, Trouble> {
        let end = Instant::now() + limit;
        loop {
            let seen = self.look().await?;
            if let Some(decided) = decide(self, &seen)? {
                return Ok(decided);
            }
            if Instant::now() >= end {
                return Err(self.too_late(limit, expected));
            }
            sleep(LOOK).await;
        }
    }
}

/// Writes a time in minutes and seconds.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, words) in [(7, "7 s"), (60, "1 min"), (125, "2 min 5 s")] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
    }
}
