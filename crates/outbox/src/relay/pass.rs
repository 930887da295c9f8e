//! One batch on its way to its destinations.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    future::Future,
    panic::AssertUnwindSafe,
};

use chrono::TimeDelta;
use futures::FutureExt;
use ground::{Fault, FenceError, Transaction};
use metrics::counter;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    Relay, RelayReport, RelayRun,
    delivery::{Delivery, Failure, Verdict},
    row::Claimed,
    settle::{self, Mark},
    steps::{Step, reached},
    waves::{Lane, waves},
};
use crate::{Destination, Event, EventStatus, RelayError};

/// After an outage everything should move again soon.
const LONGEST_OUTAGE_WAIT: TimeDelta = TimeDelta::seconds(30);

/// Why a batch ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// Cancelled, or the time is up. The rest stays for another run.
    Stop,
    /// Events that were claimed are no longer there. Claim again.
    Stale,
    /// The database refused the commit (a constraint that is checked there): some event is at fault, and nothing was done.
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

/// One batch on its way.
pub(super) struct Pass<'a> {
    pub(super) relay: &'a Relay,
    pub(super) run: &'a RelayRun,
    pub(super) ends: Instant,
    pub(super) report: &'a mut RelayReport,
    /// The first event of each key that failed in this batch: what comes after it has to wait.
    pub(super) failed: HashMap<String, i64>,
}

impl Pass<'_> {
    pub(super) async fn process(&mut self, batch: Vec<Claimed>) -> Result<(), Halt> {
        let relay = self.relay;
        let lane = |claimed: &Claimed| match claimed.unreadable {
            None => relay.lane(&claimed.event),
            Some(_) => Lane::Unroutable,
        };
        for wave in waves(batch, |claimed| &claimed.event, lane) {
            for (lane, mut claimed) in wave {
                claimed.retain(|claimed| !self.held_back(&claimed.event));
                match lane {
                    Lane::Unroutable => self.give_up(claimed).await?,
                    Lane::Route(place) => self.deliver(&relay.routes[place], claimed).await?,
                }
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, route: &[Destination], claimed: Vec<Claimed>) -> Result<(), Halt> {
        let mut delivery = Delivery::new(route);
        let mut events = Vec::with_capacity(claimed.len());
        for one in claimed {
            delivery.remember(&one);
            events.push(one.event);
        }
        // A route that has lost a destination since may leave nothing to do.
        let finished: Vec<Event> = events
            .iter()
            .filter(|event| delivery.is_finished(event.id))
            .cloned()
            .collect();
        self.settle_confirmed(&mut delivery, None, &finished)
            .await?;

        let mut outcome = Ok(());
        for (place, destination) in route.iter().enumerate() {
            // The last destination needs no copies.
            let mut todo = if place + 1 == route.len() {
                std::mem::take(&mut events)
            } else {
                events.clone()
            };
            todo.retain(|event| {
                !delivery.has_reached(event.id, destination.name()) && !self.held_back(event)
            });
            if todo.is_empty() {
                continue;
            }
            outcome = match destination {
                Destination::Projection(projection) => {
                    self.project(&mut delivery, projection.as_ref(), todo).await
                }
                Destination::Transport(transport) => {
                    self.carry(&mut delivery, transport.as_ref(), todo).await
                }
            };
            if outcome.is_err() {
                break;
            }
        }
        if matches!(outcome, Err(Halt::Error(_))) {
            return outcome;
        }
        self.put_off(delivery.failures).await?;
        outcome
    }

    /// Whether an earlier event of its key failed in this batch.
    pub(super) fn held_back(&self, event: &Event) -> bool {
        self.failed
            .get(&event.aggregate_key)
            .is_some_and(|failed| event.id > *failed)
    }

    pub(super) fn fail(
        &mut self,
        delivery: &mut Delivery<'_>,
        event: &Event,
        destination: &str,
        verdict: Verdict,
        reason: &str,
    ) {
        let failed = self
            .failed
            .entry(event.aggregate_key.clone())
            .or_insert(event.id);
        *failed = event.id.min(*failed);
        counter!("outbox_failures_total", "type" => event.event_type.clone()).increment(1);
        delivery.fail(event, destination, verdict, reason);
    }

    pub(super) fn must_stop(&self) -> bool {
        self.run.cancellation.is_cancelled() || Instant::now() >= self.ends
    }

    /// Waits for a destination, but not past a cancellation or its timeout. The inner error says what became of it.
    pub(super) async fn attempt<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<Result<T, Broken>, Halt> {
        let timeout = self.relay.delivery_timeout;
        tokio::select! {
            biased;
            () = self.run.cancellation.cancelled() => Err(Halt::Stop),
            outcome = tokio::time::timeout(timeout, AssertUnwindSafe(work).catch_unwind()) => {
                Ok(match outcome {
                    Ok(Ok(output)) => Ok(output),
                    Ok(Err(panic)) => Err(Broken::Panicked(panic_text(panic.as_ref()))),
                    Err(_) => Err(Broken::TimedOut(format!("no answer within {timeout:?}"))),
                })
            }
        }
    }

    /// The fence's word, then the commit of what was done to so many events.
    pub(super) async fn commit(&self, mut tx: Transaction, events: usize) -> Result<(), Halt> {
        if let Err(error) = self.run.fence.check(&mut tx).await {
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

    /// Events that can go nowhere are kept as dead, and their keys go on.
    async fn give_up(&mut self, claimed: Vec<Claimed>) -> Result<(), Halt> {
        let now = (self.relay.now)();
        let marks = claimed
            .into_iter()
            .map(|claimed| {
                let Event {
                    id,
                    event_type,
                    attempts,
                    ..
                } = claimed.event;
                let last_error = match claimed.unreadable {
                    Some(reason) => format!("the row cannot be read: {reason}"),
                    None => format!("no route for event type {event_type:?}"),
                };
                warn!(event = id, %event_type, last_error, "event given up, an operator must replay or discard it");
                Mark {
                    id,
                    seen: attempts,
                    attempts,
                    postponed: claimed.postponed,
                    status: EventStatus::Dead,
                    next_attempt_at: now,
                    last_error,
                }
            })
            .collect();
        self.mark(marks).await
    }

    async fn put_off(&mut self, failures: BTreeMap<i64, Failure>) -> Result<(), Halt> {
        let now = (self.relay.now)();
        if let Some((id, first)) = failures.first_key_value() {
            let (failures, reason) = (failures.len(), first.reasons.join("; "));
            warn!(
                failures,
                event = id,
                reason,
                "events failed, their keys wait for the retry"
            );
        }
        let marks = failures
            .into_iter()
            .map(|(id, failure)| {
                let counted = failure.verdict > Verdict::Unavailable;
                let (attempts, postponed) = if counted {
                    (failure.seen + 1, 0)
                } else {
                    (failure.seen, failure.postponed + 1)
                };
                let wait = if counted {
                    self.relay.wait_after(attempts)
                } else {
                    self.relay.wait_after(postponed).min(LONGEST_OUTAGE_WAIT)
                };
                let last = failure.verdict == Verdict::Refused
                    || (counted && attempts >= self.relay.max_attempts);
                let last_error = failure.reasons.join("; ");
                let status = if last {
                    warn!(
                        event = id,
                        attempts,
                        last_error,
                        "event given up, an operator must replay or discard it"
                    );
                    EventStatus::Dead
                } else {
                    EventStatus::Pending
                };
                Mark {
                    id,
                    seen: failure.seen,
                    attempts,
                    postponed,
                    status,
                    next_attempt_at: now + wait,
                    last_error,
                }
            })
            .collect();
        self.mark(marks).await
    }

    async fn mark(&mut self, marks: Vec<Mark>) -> Result<(), Halt> {
        if marks.is_empty() {
            return Ok(());
        }
        let mut tx = self.relay.db.begin().await?;
        let marked = match settle::mark(&mut tx, &marks).await {
            Ok(marked) => marked,
            Err(error) => {
                tx.rollback().await;
                return Err(error.into());
            }
        };
        let expected = marks.len();
        self.commit(tx, expected).await?;
        if marked != expected as u64 {
            debug!(marked, expected, "some failed events had changed meanwhile");
        }
        let dead = marks
            .iter()
            .filter(|mark| mark.status == EventStatus::Dead)
            .count() as u64;
        self.report.dead += dead;
        self.report.failed += expected as u64 - dead;
        Ok(())
    }
}

/// How a destination broke down instead of answering.
#[derive(Debug)]
pub(super) enum Broken {
    Panicked(String),
    TimedOut(String),
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panicked: {text}")
}
