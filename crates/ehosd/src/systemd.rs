//! Tells systemd how the daemon is: ready, at work on what, alive, reading its files anew, on its way out.
//!
//! Deliberately has no clock of its own: it is alive when the loop that ticks says so, and a loop that hangs is silent.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// The watchdog is fed no more often than this many times in its interval: the loop has a heart-beat a second.
const FEEDS: u32 = 10;

/// The daemon's line to systemd, or to nobody where no `NOTIFY_SOCKET` is set. Clones are the same line.
#[derive(Clone)]
pub(crate) struct Systemd {
    shared: Arc<Shared>,
}

struct Shared {
    send: Box<Send>,
    /// How long systemd waits for a sign of life, where it does (*`WATCHDOG_USEC`*).
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

type Send = dyn Fn(&[NotifyState<'_>]) -> io::Result<()> + std::marker::Send + Sync;

/// What systemd knows.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Told {
    ready: bool,
    stopping: bool,
    /// Whether the files are wrong and an older configuration is in force.
    refused: bool,
    /// What was seen last, without a word on the files.
    seen: String,
    status: String,
    fed: Option<Instant>,
    failed: bool,
}

impl Systemd {
    /// Takes the line that the environment names (*`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`*).
    pub(crate) fn from_environment() -> Self {
        Self::new(sd_notify::watchdog_enabled(), Box::new(sd_notify::notify))
    }

    fn new(watchdog: Option<Duration>, send: Box<Send>) -> Self {
        Self { shared: Arc::new(Shared { send, watchdog, told: Mutex::default() }) }
    }

    /// A look has been taken, and shows this. With the first, the daemon is ready.
    ///
    /// That holds for a look that found every cloud down, too: it will look again, and whoever waits for this service
    /// has nothing to gain from waiting for a cloud. No time has to be asked for before: all calls of a look have limits,
    /// which the unit's `TimeoutStartSec` is longer than.
    pub(crate) fn seen(&self, status: String) {
        let mut told = self.told();
        told.seen = status;
        let first = !std::mem::replace(&mut told.ready, true);
        self.tell(&mut told, first);
        drop(told);
        self.alive();
    }

    /// The loop has come to here; said in each of its waits and after each of its steps, and by nobody else.
    pub(crate) fn alive(&self) {
        let Some(interval) = self.shared.watchdog else { return };
        let mut told = self.told();
        if told.fed.is_some_and(|fed| fed.elapsed() < interval / FEEDS) {
            return;
        }
        told.fed = Some(Instant::now());
        self.send(&mut told, &[NotifyState::Watchdog]);
    }

    /// The files are about to be read anew.
    pub(crate) fn reloading(&self) {
        let mut told = self.told();
        if told.stopping {
            return;
        }
        let mut message = vec![NotifyState::Reloading];
        // systemd 253 and later wants to know which reload this is.
        message.extend(NotifyState::monotonic_usec_now().ok());
        self.send(&mut told, &message);
    }

    /// They have been read; whether they were refused stays in the status.
    pub(crate) fn reloaded(&self, refused: bool) {
        let mut told = self.told();
        told.refused = refused;
        self.tell(&mut told, true);
    }

    /// The end was asked for; nothing else is told after it but signs of life.
    pub(crate) fn stopping(&self) {
        let mut told = self.told();
        if !std::mem::replace(&mut told.stopping, true) {
            let status = NotifyState::Status("stopping after the running calls");
            self.send(&mut told, &[NotifyState::Stopping, status]);
        }
    }

    /// Tells that it is ready, where that is news, and the status where it is another one.
    fn tell(&self, told: &mut Told, ready: bool) {
        if told.stopping {
            return;
        }
        let refused =
            if told.refused { "; the files are wrong, an older configuration is in force" } else { "" };
        // A line end would begin another message.
        let status = format!("{}{refused}", told.seen).replace(char::is_control, " ");
        let mut message = Vec::new();
        if ready {
            message.push(NotifyState::Ready);
        }
        if status != told.status {
            message.push(NotifyState::Status(&status));
        }
        if !message.is_empty() {
            self.send(told, &message);
        }
        told.status = status;
    }

    fn send(&self, told: &mut Told, message: &[NotifyState<'_>]) {
        match (self.shared.send)(message) {
            Ok(()) => told.failed = false,
            Err(error) if !std::mem::replace(&mut told.failed, true) => {
                log::warn!("systemd cannot be told how it goes and may stop ehosd for that: {error}");
            }
            Err(_told_already) => {}
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Arc<Mutex<Vec<String>>>;

    /// A line that keeps what goes through it, a message an entry.
    fn recorded(watchdog: Option<Duration>) -> (Systemd, Lines) {
        let lines = Lines::default();
        let keep = Arc::clone(&lines);
        let send = move |message: &[NotifyState<'_>]| {
            let words: Vec<_> = message.iter().map(ToString::to_string).collect();
            keep.lock().unwrap().push(words.join("|"));
            Ok(())
        };
        (Systemd::new(watchdog, Box::new(send)), lines)
    }

    fn taken(lines: &Lines) -> Vec<String> {
        std::mem::take(&mut *lines.lock().unwrap())
    }

    #[test]
    fn ready_is_said_once_and_a_status_when_it_is_another() {
        let (systemd, lines) = recorded(None);
        for (row, status, told) in [
            ("the first look", "no node", vec!["READY=1|STATUS=no node"]),
            ("nothing new", "no node", vec![]),
            ("a node", "1 node: 1 idle", vec!["STATUS=1 node: 1 idle"]),
            ("a name cannot begin a message", "a\nREADY=1\r", vec!["STATUS=a READY=1 "]),
        ] {
            systemd.seen(status.to_owned());
            assert_eq!(taken(&lines), told, "{row}");
        }
    }

    #[test]
    fn a_refused_file_stays_in_the_status_until_it_is_right() {
        let (systemd, lines) = recorded(None);
        systemd.seen("no node".to_owned());
        taken(&lines);
        systemd.reloading();
        let told = taken(&lines);
        assert!(told[0].starts_with("RELOADING=1|MONOTONIC_USEC="), "{told:?}");
        let wrong = "; the files are wrong, an older configuration is in force";
        systemd.reloaded(true);
        assert_eq!(taken(&lines), [format!("READY=1|STATUS=no node{wrong}")]);
        systemd.seen("1 node: 1 idle".to_owned());
        assert_eq!(taken(&lines), [format!("STATUS=1 node: 1 idle{wrong}")]);
        systemd.reloaded(false);
        assert_eq!(taken(&lines), ["READY=1|STATUS=1 node: 1 idle"]);
    }

    #[test]
    fn whoever_stops_is_neither_ready_nor_reading() {
        let (systemd, lines) = recorded(Some(Duration::from_mins(1)));
        systemd.stopping();
        systemd.stopping();
        assert_eq!(taken(&lines), ["STOPPING=1|STATUS=stopping after the running calls"]);
        systemd.seen("no node".to_owned());
        systemd.reloading();
        systemd.reloaded(false);
        assert_eq!(taken(&lines), ["WATCHDOG=1"], "the calls under way are still watched over");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_with_the_heart_beat_but_not_overfed() {
        let minute = Duration::from_mins(1);
        for (row, watchdog, fed) in [("watched", Some(minute), 11), ("not watched", None, 0)] {
            let (systemd, lines) = recorded(watchdog);
            systemd.alive();
            for _ in 0..60 {
                tokio::time::advance(Duration::from_secs(1)).await;
                systemd.alive();
            }
            assert_eq!(taken(&lines).len(), fed, "{row}");
            tokio::time::advance(minute).await;
            assert_eq!(taken(&lines).len(), 0, "{row}: nobody feeds it but the loop");
        }
    }

    #[test]
    fn a_deaf_systemd_stops_nothing() {
        let send = |_: &[NotifyState<'_>]| Err(io::Error::from(io::ErrorKind::NotFound));
        let systemd = Systemd::new(None, Box::new(send));
        systemd.seen("no node".to_owned());
        assert!(systemd.told().failed, "and it is told once");
    }
}
