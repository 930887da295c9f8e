//! What every step of a run needs: when to stop, a bounded attempt, a fenced commit and the counts.

use std::{
    any::Any, collections::BTreeMap, future::Future, panic::AssertUnwindSafe, time::Duration,
};

use futures::FutureExt;
use ground::{Fault, FenceError, Transaction};
use metrics::{Histogram, counter, histogram};
use tokio::time::Instant;

use super::{
    Relay, RelayReport, RelayRun,
    steps::{Step, reached},
};
use crate::{Event, RelayError};

/// Why a step ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// Cancelled, or the time is up. The rest stays for another run.
    Stop,
    /// Events that were claimed are no longer there. Claim again.
    Stale,
    /// The database refused the commit: a constraint that it checks there. Some event is at fault, and nothing was done.
    Refused(String),
    /// The run is over.
    Error(RelayError),
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<FenceError> for Halt {
    fn from(error: FenceError) -> Self {
        Self::Error(error.into())
    }
}

/// How a destination broke down instead of answering.
#[derive(Debug)]
pub(super) enum Broken {
    Panicked(String),
    TimedOut(String),
}

/// A run of a relay, and what it has done so far.
pub(super) struct Run<'a> {
    pub(super) relay: &'a Relay,
    options: &'a RelayRun,
    ends: Instant,
    pub(super) report: RelayReport,
}

impl<'a> Run<'a> {
    pub(super) fn new(relay: &'a Relay, options: &'a RelayRun) -> Self {
        let started = Instant::now();
        // A deadline beyond the clock's range is none: a month will do.
        let ends = started
            .checked_add(options.deadline)
            .unwrap_or(started + Duration::from_secs(30 * 24 * 3600));
        Self {
            relay,
            options,
            ends,
            report: RelayReport::default(),
        }
    }

    /// Whether the run is cancelled or its time is up.
    pub(super) fn must_stop(&self) -> bool {
        self.options.cancellation.is_cancelled() || Instant::now() >= self.ends
    }

    /// Waits for a destination until its timeout or a cancellation. The inner error says how the destination broke down.
    pub(super) async fn attempt<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<Result<T, Broken>, Halt> {
        let timeout = self.relay.delivery_timeout;
        tokio::select! {
            biased;
            () = self.options.cancellation.cancelled() => Err(Halt::Stop),
            outcome = tokio::time::timeout(timeout, AssertUnwindSafe(work).catch_unwind()) => {
                Ok(match outcome {
                    Ok(Ok(output)) => Ok(output),
                    Ok(Err(panic)) => Err(Broken::Panicked(panic_text(panic.as_ref()))),
                    Err(_) => Err(Broken::TimedOut(format!("no answer within {timeout:?}"))),
                })
            }
        }
    }

    /// Asks the fence, then commits what was done to so many events.
    pub(super) async fn commit(&self, mut tx: Transaction, events: usize) -> Result<(), Halt> {
        if let Err(error) = self.options.fence.check(&mut tx).await {
            tx.rollback().await;
            return Err(error.into());
        }
        reached(Step::Committing, events);
        if let Err(error) = tx.commit().await {
            return Err(match Fault::of(&error) {
                Fault::Other => Halt::Refused(error.to_string()),
                _ => error.into(),
            });
        }
        reached(Step::Committed, events);
        Ok(())
    }

    /// Counts events that have reached all their destinations.
    pub(super) fn count_delivered<'e>(&mut self, finished: impl IntoIterator<Item = &'e Event>) {
        let now = (self.relay.now)();
        let mut by_type: BTreeMap<&str, (u64, Histogram)> = BTreeMap::new();
        for event in finished {
            let event_type = event.event_type.as_str();
            // Looked up once for a batch, not for each event.
            let (count, latency) = by_type.entry(event_type).or_insert_with(|| {
                let labels = [("type", event_type.to_owned())];
                (0, histogram!("outbox_publish_to_effect_seconds", &labels))
            });
            *count += 1;
            let waited = (now - event.created_at).to_std().unwrap_or_default();
            latency.record(waited);
        }
        for (event_type, (count, _)) in by_type {
            counter!("outbox_delivered_total", "type" => event_type.to_owned()).increment(count);
            self.report.delivered += count;
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panicked: {text}")
}
