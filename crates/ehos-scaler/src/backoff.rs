//! How long something that failed is left alone.
//!
//! Deliberately without dice: the times double from a floor to a ceiling, and one tick's failures count once.

use std::time::Duration;

use ehos_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::look::later;
use crate::memory::MadeOf;

/// Where a row of waiting times begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    first: Duration,
    longest: Duration,
}

/// For a flavor of a cloud that has no room, is refused, or whose servers never come to work.
pub(crate) const FLAVOR: Steps = Steps { first: Duration::from_mins(5), longest: Duration::from_mins(30) };

/// For a cloud that does not answer or does not let us in: such things pass sooner.
pub(crate) const CLOUD: Steps = Steps { first: Duration::from_secs(30), longest: Duration::from_mins(5) };

/// What is not to be tried for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backoff {
    /// Failures in a row.
    failures: u32,
    /// When it may be tried again.
    pub(crate) until: Timestamp,
    /// How it failed last.
    pub(crate) why: String,
    /// What may be to blame instead, since nothing else has failed and no node of it ever joined.
    #[serde(default)]
    pub(crate) suspect: Option<MadeOf>,
}

impl Backoff {
    /// Adds a failure. One that was ordered before the last one was known (`at < until`) does not lengthen the wait,
    /// unless the other side asks for longer.
    pub(crate) fn fail(
        slot: &mut Option<Self>,
        steps: Steps,
        at: Timestamp,
        why: &str,
        asked: Option<Duration>,
        suspect: Option<MadeOf>,
    ) {
        let asked = later(at, asked.unwrap_or_default().min(Duration::from_hours(24)));
        if let Some(running) = slot.as_mut().filter(|backoff| at < backoff.until) {
            running.until = running.until.max(asked);
            running.suspect = running.suspect.take().filter(|before| Some(before) == suspect.as_ref());
            return;
        }
        let failures = slot.as_ref().map_or(0, |backoff| backoff.failures);
        let wait = steps.first.saturating_mul(1 << failures.min(16)).min(steps.longest);
        *slot = Some(Self {
            failures: failures.saturating_add(1),
            until: asked.max(later(at, wait)),
            why: why.to_owned(),
            suspect,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_five_to_thirty_minutes() {
        let mut at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut slot = None;
        for minutes in [5, 10, 20, 30, 30] {
            Backoff::fail(&mut slot, FLAVOR, at, "no valid host", None, None);
            Backoff::fail(&mut slot, FLAVOR, at, "the same tick's second failure counts once", None, None);
            let until = slot.as_ref().unwrap().until;
            assert_eq!(until, at + Duration::from_secs(minutes * 60));
            at = until;
        }
    }

    #[test]
    fn retry_after_is_honoured() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut slot = None;
        Backoff::fail(&mut slot, CLOUD, at, "429", Some(Duration::from_mins(10)), None);
        assert_eq!(slot.unwrap().until, at + Duration::from_mins(10));
    }
}
