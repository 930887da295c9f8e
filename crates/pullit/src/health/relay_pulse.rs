//! Whether the relay runs: on this node, or on the one that holds its lock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scheduler::{Event, Passed, RunStatus};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::schedulers::RELAY;

/// A relay that was not heard of for so long beyond its interval hangs. A run takes two seconds and its last delivery twelve.
const SILENCE: Duration = Duration::from_secs(20);

/// What was last heard of the relay. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RelayPulse {
    last: Arc<Mutex<Last>>,
    /// With a longer silence something is wrong; nothing, where the relay runs by hand alone.
    longest_silence: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    heard: Instant,
    failed: bool,
}

impl RelayPulse {
    /// Of a relay that runs so often; nothing, where the configuration has switched it off.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        let last = Last {
            heard: Instant::now(),
            failed: false,
        };
        Self {
            last: Arc::new(Mutex::new(last)),
            longest_silence: interval.map(|interval| interval.saturating_add(SILENCE)),
        }
    }

    /// Whether the last run succeeded and is not long ago, or another node has the lock.
    pub(super) fn beats(&self) -> bool {
        let last = *self.last();
        let in_time = |longest| last.heard.elapsed() < longest;
        !last.failed && self.longest_silence.is_none_or(in_time)
    }

    /// Listens to the scheduler until cancelled.
    pub(crate) async fn watch(self, mut events: Receiver<Event>, stop: CancellationToken) {
        loop {
            match stop.run_until_cancelled(events.recv()).await {
                Some(Ok(event)) => self.heard(&event),
                Some(Err(RecvError::Lagged(_))) => {}
                Some(Err(RecvError::Closed)) | None => return,
            }
        }
    }

    fn heard(&self, event: &Event) {
        let failed = match event {
            Event::Finished(run) if run.job_name == RELAY => {
                matches!(run.status, RunStatus::Failed)
            }
            // Paused by an operator is what is wanted; with another holder it runs there.
            Event::Passed { job, because, .. } if job == RELAY && *because != Passed::TooLate => {
                false
            }
            Event::Delayed {
                job,
                holder: Some(_),
                ..
            } if job == RELAY => false,
            // A lock that was given back just now has no holder either: only silence shows that it cannot be taken.
            _ => return,
        };
        *self.last() = Last {
            heard: Instant::now(),
            failed,
        };
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use scheduler::{Cause, Run};

    use super::*;

    fn delayed(holder: Option<&str>) -> Event {
        Event::Delayed {
            job: RELAY.to_owned(),
            slot: "2026-11-22T10:00:00Z".parse().unwrap(),
            holder: holder.map(str::to_owned),
        }
    }

    fn finished(status: RunStatus) -> Event {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        Event::Finished(Run {
            id: 0,
            job_name: RELAY.to_owned(),
            scheduled_at: now,
            started_at: now,
            finished_at: Some(now),
            node: "a node".to_owned(),
            attempt: 1,
            status,
            cause: Cause::Schedule,
            affected: 0,
            retries: 0,
            error: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_fails_or_is_silent_does_not_beat() {
        let interval = Duration::from_secs(1);
        let pulse = RelayPulse::new(Some(interval));
        assert!(pulse.beats());
        pulse.heard(&finished(RunStatus::Failed));
        assert!(!pulse.beats(), "its last run failed");
        pulse.heard(&delayed(Some("another node")));
        assert!(pulse.beats(), "it runs there");
        tokio::time::advance(SILENCE).await;
        assert!(pulse.beats());
        tokio::time::advance(interval).await;
        assert!(!pulse.beats(), "it hangs");
        pulse.heard(&finished(RunStatus::Succeeded));
        assert!(pulse.beats());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_two_nodes_want_at_once_is_no_failure_and_one_that_nobody_gets_is() {
        let pulse = RelayPulse::new(Some(Duration::from_secs(1)));
        pulse.heard(&delayed(None));
        assert!(pulse.beats(), "its holder gave it back just now");
        for _ in 0..=SILENCE.as_secs() {
            pulse.heard(&delayed(None));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(!pulse.beats());
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_configured_to_be_silent_beats() {
        let hour = Duration::from_secs(3600);
        let (hourly, off) = (RelayPulse::new(Some(hour)), RelayPulse::new(None));
        tokio::time::advance(hour).await;
        assert!(hourly.beats() && off.beats());
        tokio::time::advance(hour).await;
        assert!(!hourly.beats() && off.beats());
        off.heard(&finished(RunStatus::Failed));
        assert!(!off.beats(), "a run by hand failed");
    }
}
