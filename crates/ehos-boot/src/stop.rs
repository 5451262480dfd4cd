//! Hears that somebody wants the end.
//!
//! Deliberately ends the process itself only at the second signal: the first leaves time to clean up.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The wish to end, as everybody who waits hears of it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens to SIGINT and SIGTERM from now on; at the first, `words` are logged.
    ///
    /// # Errors
    /// Where the signals cannot be listened to.
    pub fn on_signals(words: &'static str) -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, stop) = watch::channel(false);
        tokio::spawn(async move {
            for round in 0.. {
                let number = tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                };
                if round > 0 {
                    std::process::exit(128 + number);
                }
                log::warn!("{words}");
                tell.send_replace(true);
            }
        });
        Ok(Self(stop))
    }

    /// Makes one that is rung by hand.
    #[must_use]
    pub fn by_hand() -> (watch::Sender<bool>, Self) {
        let (tell, stop) = watch::channel(false);
        (tell, Self(stop))
    }

    /// Ends when the end is wanted.
    pub async fn wanted(&self) {
        let mut stop = self.0.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
