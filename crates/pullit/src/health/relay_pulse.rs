//! Whether the relay runs: on this node, or on the one that holds its lock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scheduler::{Event, Passed, RunStatus};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::schedulers::RELAY;

/// A relay that was not heard of for so long hangs. A run takes two seconds and its last delivery twelve.
const SILENCE: Duration = Duration::from_secs(20);

/// What was last heard of the relay. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct RelayPulse(Arc<Mutex<Last>>);

#[derive(Clone, Copy, Debug)]
struct Last {
    heard: Instant,
    failed: bool,
}

impl Default for RelayPulse {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Last {
            heard: Instant::now(),
            failed: false,
        })))
    }
}

impl RelayPulse {
    /// Whether the last run succeeded and is not long ago, or another node has the lock.
    pub(super) fn beats(&self) -> bool {
        let last = *self.last();
        !last.failed && last.heard.elapsed() < SILENCE
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
            Event::Passed { job, because, .. } if job == RELAY => {
                matches!(because, Passed::TooLate)
            }
            Event::Delayed { job, holder, .. } if job == RELAY => holder.is_none(),
            _ => return,
        };
        *self.last() = Last {
            heard: Instant::now(),
            failed,
        };
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delayed(holder: Option<&str>) -> Event {
        Event::Delayed {
            job: RELAY.to_owned(),
            slot: "2026-11-22T10:00:00Z".parse().unwrap(),
            holder: holder.map(str::to_owned),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_is_silent_or_cannot_take_its_lock_does_not_beat() {
        let pulse = RelayPulse::default();
        assert!(pulse.beats());
        pulse.heard(&delayed(None));
        assert!(!pulse.beats(), "the database has failed");
        pulse.heard(&delayed(Some("another node")));
        assert!(pulse.beats(), "it runs there");
        tokio::time::advance(SILENCE).await;
        assert!(!pulse.beats(), "it hangs");
    }
}
