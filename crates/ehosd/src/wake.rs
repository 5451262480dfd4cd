//! Decides when the next tick begins: the queue changed, the time is up, the configuration changed, a signal came.
//!
//! Deliberately knows nothing of what a tick does.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ehos_terminal::DECISION;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A burst of submissions is planned once: after this long without a further one …
pub(crate) const QUIET: Duration = Duration::from_secs(1);

/// … and after this long at the latest.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// How often the files of the configuration are looked at.
const FILES: Duration = Duration::from_secs(1);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Jobs were submitted, released or evicted.
    Queue,
    /// The planned moment has come.
    Time,
    /// The configuration may have changed.
    Reload,
    /// The end.
    Stop,
}

/// Hears of SIGTERM, SIGINT and the end of `--run-for`; a second signal ends the process at once.
///
/// `asked` is called with the first.
pub(crate) fn stop_on_signals(
    run_for: Option<Duration>,
    asked: impl Fn() + Send + 'static,
) -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        let end = run_for.map(|time| Instant::now() + time);
        let mut stopping = false;
        loop {
            let number = tokio::select! {
                _ = terminate.recv() => Some((15, "SIGTERM")),
                _ = interrupt.recv() => Some((2, "SIGINT")),
                () = until(end), if !stopping => None,
            };
            match number {
                Some((number, _)) if stopping => std::process::exit(128 + number),
                Some((_, name)) => {
                    log::info!(target: DECISION, "{name}: stopping after the running calls; once more stops at once");
                }
                None => log::info!("the time of --run-for is over"),
            }
            if !std::mem::replace(&mut stopping, true) {
                asked();
            }
            tell.send_replace(true);
        }
    });
    Ok(stop)
}

/// What a wait listens to beside the queue.
pub(crate) struct Waker {
    stop: watch::Receiver<bool>,
    hangup: Signal,
    files: Files,
    /// When the files are looked at next; goes on over the ticks, however short the waits between them.
    look: Instant,
}

impl Waker {
    /// Begins to listen, to SIGHUP and to changes of these files.
    ///
    /// # Errors
    /// Where the signal cannot be listened to.
    pub(crate) fn new(stop: watch::Receiver<bool>, files: Vec<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            stop,
            hangup: signal(SignalKind::hangup())?,
            files: Files::new(files),
            look: Instant::now() + FILES,
        })
    }

    /// Tells whether the end has been asked for.
    pub(crate) fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Ends when the end is asked for.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + 'static {
        let mut stop = self.stop.clone();
        async move {
            let _nobody_listens_any_more = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Looks at other files from now on.
    pub(crate) fn watch(&mut self, files: Vec<PathBuf>) {
        self.files = Files::new(files);
    }

    /// Waits for the next reason to tick, at the latest at `until`.
    ///
    /// `queue_changed` makes a future that ends when the queue changes; the batch window begins with the first, and
    /// `begun` is called then. `alive` is called every second.
    pub(crate) async fn wait<F: Future<Output = ()>>(
        &mut self,
        until: Instant,
        queue_changed: impl Fn() -> F,
        mut begun: impl FnMut(),
        alive: impl Fn(),
    ) -> Wake {
        if self.stopping() {
            return Wake::Stop;
        }
        let mut window: Option<(Instant, Instant)> = None;
        loop {
            let batch_end = window.map(|(quiet, latest)| quiet.min(latest));
            tokio::select! {
                biased;
                _ = self.stop.changed() => return Wake::Stop,
                _ = self.hangup.recv() => return Wake::Reload,
                () = self::until(batch_end) => return Wake::Queue,
                () = sleep_until(self.look) => {
                    self.look = Instant::now() + FILES;
                    alive();
                    if self.files.changed() {
                        return Wake::Reload;
                    }
                }
                () = sleep_until(until), if window.is_none() => return Wake::Time,
                () = queue_changed() => {
                    let now = Instant::now();
                    if window.is_none() {
                        begun();
                    }
                    let latest = window.map_or(now + WINDOW, |(_, latest)| latest);
                    window = Some((now + QUIET, latest));
                }
            }
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Files whose change is worth a look, known by time and size of their last writing.
struct Files {
    paths: Vec<PathBuf>,
    seen: Vec<Option<(SystemTime, u64)>>,
}

impl Files {
    fn new(paths: Vec<PathBuf>) -> Self {
        let seen = paths.iter().map(stamp).collect();
        Self { paths, seen }
    }

    /// Tells whether one has changed since the last call; one that is gone for a moment has not.
    fn changed(&mut self) -> bool {
        let now: Vec<_> = self.paths.iter().map(stamp).collect();
        let changed = now.iter().zip(&self.seen).any(|(now, seen)| now.is_some() && now != seen);
        if changed {
            self.seen = now;
        }
        changed
    }
}

fn stamp(path: &PathBuf) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn waker() -> (watch::Sender<bool>, Waker) {
        let (tell, stop) = watch::channel(false);
        (tell, Waker::new(stop, Vec::new()).unwrap())
    }

    /// A queue that changes at these seconds after the start.
    fn queue(start: Instant, seconds: &[f64]) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
        let times: Vec<Instant> = seconds.iter().map(|s| start + Duration::from_secs_f64(*s)).collect();
        let next = std::rc::Rc::new(Cell::new(0));
        move || {
            let (times, next) = (times.clone(), std::rc::Rc::clone(&next));
            Box::pin(async move {
                match times.get(next.get()) {
                    Some(time) => {
                        sleep_until(*time).await;
                        next.set(next.get() + 1);
                    }
                    None => std::future::pending().await,
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_batch() {
        for (row, changes, woken_at) in [
            ("one job: after one quiet second", vec![3.0], 4.0),
            ("a burst: one quiet second after its last job", vec![3.0, 3.5, 4.2], 5.2),
            (
                "a stream: ten seconds after its first job",
                (0..40).map(|i| 3.0 + f64::from(i) * 0.5).collect(),
                13.0,
            ),
        ] {
            let start = Instant::now();
            let (_tell, mut waker) = waker();
            let mut begun = 0;
            let wake = waker
                .wait(start + Duration::from_secs(30), queue(start, &changes), || begun += 1, || {})
                .await;
            assert_eq!((wake, begun), (Wake::Queue, 1), "{row}");
            assert_eq!(start.elapsed().as_millis(), Duration::from_secs_f64(woken_at).as_millis(), "{row}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_happens_until_the_time_is_up() {
        let start = Instant::now();
        let (_tell, mut waker) = waker();
        assert_eq!(
            waker.wait(start + Duration::from_secs(30), queue(start, &[]), || {}, || {}).await,
            Wake::Time
        );
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_heard_at_once_and_stays_heard() {
        let start = Instant::now();
        let (tell, mut waker) = waker();
        tell.send_replace(true);
        for _ in 0..2 {
            assert_eq!(
                waker.wait(start + Duration::from_secs(30), queue(start, &[]), || {}, || {}).await,
                Wake::Stop
            );
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_file_that_is_replaced_has_changed_and_one_that_is_gone_has_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ehos.yaml");
        std::fs::write(&path, "a").unwrap();
        let mut files = Files::new(vec![path.clone()]);
        assert!(!files.changed(), "nothing happened");
        std::fs::write(&path, "bb").unwrap();
        assert!(files.changed(), "written");
        assert!(!files.changed(), "told once");
        std::fs::remove_file(&path).unwrap();
        assert!(!files.changed(), "an editor is between two steps of saving");
    }
}
