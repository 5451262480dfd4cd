//! Decides in which phase a node is, from all that tells of it.
//!
//! Deliberately reads a server's word last: a startd that is heard of is alive, whatever its cloud says.

use std::time::Duration;

use ehos_model::{Policy, Server, ServerStatus, Slot, Timestamp, elapsed};

use crate::inventory::{Cause, Phase};
use crate::look::later;
use crate::memory::{DELETE_SHOWS, DRAIN_SHOWS, ERROR_SHOWS, NodeMemory, Order};

/// All that tells of one node.
pub(super) struct Evidence<'a> {
    pub(super) server: Option<&'a Server>,
    pub(super) slots: &'a [&'a Slot],
    pub(super) order: Option<&'a Order>,
    pub(super) remembered: Option<&'a NodeMemory>,
    /// When its cloud's servers were asked for; `None`: its cloud is unknown.
    pub(super) listed_at: Option<Timestamp>,
    pub(super) slots_known: bool,
    pub(super) blind_until: Option<Timestamp>,
    pub(super) at: Timestamp,
    pub(super) policy: &'a Policy,
}

impl Evidence<'_> {
    pub(super) fn phase(&self) -> Phase {
        let alive = self.silent().is_some_and(|silent| silent < self.policy.lost_timeout);
        match self.server.map(|server| &server.status) {
            Some(ServerStatus::Deleting) => return Phase::Deleting,
            Some(_) if self.lately(|node| node.delete_asked, DELETE_SHOWS) => return Phase::Deleting,
            Some(ServerStatus::Other(_)) => return Phase::Lost { since: self.last_sign(), until: None },
            Some(ServerStatus::Shutoff) if !self.heard_since_listing() => {
                return Phase::Failed { why: Cause::Ended };
            }
            // A delete or a resize that failed leaves ERROR on a server that may well be running jobs.
            Some(ServerStatus::Error) if !alive => return self.in_error(),
            // Its cloud is unknown, and it was on its way out when last seen.
            None if !alive && self.remembered.is_some_and(|node| node.delete_asked.is_some()) => {
                return Phase::Lost { since: self.last_sign(), until: None };
            }
            _ => {}
        }
        match (self.slots.is_empty(), alive) {
            (false, true) => self.in_pool(),
            (false, false) => self.silent_node(),
            (true, _) if !self.slots_known => self.unseen(),
            (true, _) if self.last_heard().is_some() => self.silent_node(),
            (true, _) => self.not_joined(),
        }
    }

    fn last_heard(&self) -> Option<Timestamp> {
        let now = self.slots.iter().map(|slot| slot.heard).max();
        now.max(self.remembered.and_then(|node| node.heard))
    }

    /// When it was ordered.
    fn ordered(&self) -> Timestamp {
        self.server
            .map(|server| server.created)
            .or_else(|| self.order.map(|order| order.at))
            .or_else(|| self.remembered.map(|node| node.ordered))
            .unwrap_or(self.at)
    }

    fn last_sign(&self) -> Timestamp {
        self.last_heard().unwrap_or_else(|| self.ordered())
    }

    /// For how long its ads have not been renewed, as far as anybody was looking; `None` where it has none.
    fn silent(&self) -> Option<Duration> {
        let heard = self.slots.iter().map(|slot| slot.heard).max()?;
        Some(elapsed(heard.max(self.blind_until.unwrap_or(heard)), self.at))
    }

    fn heard_since_listing(&self) -> bool {
        self.slots.iter().any(|slot| self.listed_at.is_some_and(|listed| slot.heard > listed))
    }

    fn lately(&self, of: impl Fn(&NodeMemory) -> Option<Timestamp>, time: Duration) -> bool {
        self.remembered.and_then(of).is_some_and(|asked| elapsed(asked, self.at) < time)
    }

    fn in_error(&self) -> Phase {
        if !self.slots_known && self.last_heard().is_some() {
            // It was at work, and nobody can tell whether it still is.
            return Phase::Lost { since: self.last_sign(), until: None };
        }
        // A server that was being built never ran. One that was up may have joined since the ads were gathered.
        let built = self.order.is_some() || self.remembered.is_some_and(|node| node.booting);
        let seen = self.remembered.and_then(|node| node.error_seen).unwrap_or(self.at);
        let until = self.not_before_listening(later(seen, ERROR_SHOWS));
        if !built && self.at < until {
            return Phase::Lost { since: self.last_sign(), until: Some(until) };
        }
        let fault = self.server.and_then(|server| server.fault.clone());
        Phase::Failed { why: Cause::Error { fault } }
    }

    /// Its startd is heard of.
    fn in_pool(&self) -> Phase {
        let claims: u32 = self.slots.iter().map(|slot| slot.claims).fold(0, u32::saturating_add);
        let unclaimed = self.slots.iter().all(|slot| slot.is_unclaimed());
        let resumed = self.lately(|node| node.resume_asked, DRAIN_SHOWS);
        let asked = self.remembered.and_then(|node| node.drain_asked);
        if !resumed && self.slots.iter().any(|slot| slot.draining) {
            let begun = self.remembered.and_then(|node| node.draining).or(asked);
            let since =
                begun.or_else(|| self.slots.iter().map(|slot| slot.state_since).min()).unwrap_or(self.at);
            return if self.slots.iter().all(|slot| slot.is_drained()) {
                Phase::Drained { since }
            } else {
                Phase::Draining { since, claims }
            };
        }
        if !unclaimed {
            return Phase::Busy { claims: claims.max(1) };
        }
        match asked {
            Some(since) if self.lately(|node| node.drain_asked, DRAIN_SHOWS) => {
                Phase::Draining { since, claims }
            }
            _ => Phase::Idle { since: self.idle_since() },
        }
    }

    /// A node that started a job or a new startd since the last look has not been idle all the time.
    fn idle_since(&self) -> Timestamp {
        let job_starts: u64 = self.slots.iter().map(|slot| slot.job_starts).sum();
        let started = self.slots.iter().map(|slot| slot.started).max();
        self.remembered
            .and_then(|node| node.idle.as_ref())
            .filter(|idle| idle.job_starts == job_starts && Some(idle.started) == started)
            .map_or(self.at, |idle| idle.since)
    }

    /// It was in the pool, and is not heard of.
    fn silent_node(&self) -> Phase {
        let since = self.last_sign();
        let until = later(since.max(self.blind_until.unwrap_or(since)), self.policy.lost_timeout);
        if self.server.is_none() || !self.slots_known {
            return Phase::Lost { since, until: None };
        }
        if self.at >= until {
            return Phase::Failed { why: Cause::Lost { silent: elapsed(since, self.at) } };
        }
        Phase::Lost { since, until: Some(until) }
    }

    /// The pool does not answer: a server that is up is taken for one that will take jobs.
    fn unseen(&self) -> Phase {
        let since = self.ordered();
        if self.is_building() {
            Phase::Building { since }
        } else if self.server.is_none() && self.last_heard().is_none() && self.is_overdue() {
            Phase::Lost { since, until: None }
        } else {
            Phase::Joining { since }
        }
    }

    /// The pool answers and has never heard of it.
    fn not_joined(&self) -> Phase {
        let since = self.ordered();
        if self.is_overdue() {
            return match self.server {
                Some(_) => Phase::Failed { why: Cause::NeverJoined { after: elapsed(since, self.at) } },
                None => Phase::Lost { since, until: None },
            };
        }
        if self.is_building() { Phase::Building { since } } else { Phase::Joining { since } }
    }

    fn is_building(&self) -> bool {
        match self.server {
            Some(server) => server.status == ServerStatus::Building,
            None => self.order.is_some() || self.remembered.is_some_and(|node| node.booting),
        }
    }

    fn is_overdue(&self) -> bool {
        self.at >= self.not_before_listening(later(self.ordered(), self.policy.boot_timeout))
    }

    /// Puts a deadline off until startds had the time to be heard again after nobody could hear them.
    fn not_before_listening(&self, deadline: Timestamp) -> Timestamp {
        self.blind_until.map_or(deadline, |blind| deadline.max(later(blind, self.policy.lost_timeout)))
    }
}
