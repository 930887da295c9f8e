//! A batch: claimed events of one route, and what has become of each so far.

use std::collections::{BTreeMap, HashMap};

use metrics::counter;

use super::{
    apply::apply,
    deliver::deliver,
    finish,
    key_order::FailedKeys,
    row::Claimed,
    run::{Halt, Run},
};
use crate::{DeliveryError, Destination, Event};

/// Events of one route on their way through the steps of a run.
pub(super) struct Batch<'a> {
    route: &'a [Destination],
    /// In the order of their ids.
    events: Vec<Event>,
    /// The destinations that have confirmed an event, where any has.
    confirmed: HashMap<i64, Vec<String>>,
    /// How often an event was put off because a destination was unavailable, where it was.
    postponed: HashMap<i64, i32>,
    failures: BTreeMap<i64, Failure>,
    failed_keys: &'a mut FailedKeys,
}

/// What a failure says about the event, from mild to final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing: the destination was unavailable.
    Unavailable,
    /// It may be at fault: the attempt counts.
    Failed,
    /// It will never be accepted.
    Refused,
}

impl Verdict {
    /// What an error of a transport says, and its reason.
    pub(super) fn of(error: DeliveryError) -> (Self, String) {
        match error {
            DeliveryError::Unavailable(reason) => (Self::Unavailable, reason),
            DeliveryError::Failed(reason) => (Self::Failed, reason),
            DeliveryError::Refused(reason) => (Self::Refused, reason),
        }
    }
}

/// Why an event was not delivered, by all destinations that say so.
#[derive(Debug)]
pub(super) struct Failure {
    /// The attempts it had when it was claimed.
    pub(super) seen: i32,
    pub(super) reasons: Vec<String>,
    pub(super) postponed: i32,
    /// The worst of all.
    pub(super) verdict: Verdict,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        route: &'a [Destination],
        claimed: Vec<Claimed>,
        failed_keys: &'a mut FailedKeys,
    ) -> Self {
        let mut batch = Self {
            route,
            events: Vec::with_capacity(claimed.len()),
            confirmed: HashMap::new(),
            postponed: HashMap::new(),
            failures: BTreeMap::new(),
            failed_keys,
        };
        for one in claimed {
            let id = one.event.id;
            if one.postponed > 0 {
                batch.postponed.insert(id, one.postponed);
            }
            if !one.delivered_to.is_empty() {
                batch.confirmed.insert(id, one.delivered_to);
            }
            batch.events.push(one.event);
        }
        batch
    }

    /// Takes the batch to each destination of its route, and puts off what failed. What an earlier destination has
    /// delivered stays finished when a later one stops the run.
    pub(super) async fn deliver_and_finish(mut self, run: &mut Run<'_>) -> Result<(), Halt> {
        let complete = self.complete();
        finish::confirmed(run, &mut self, None, &complete).await?;
        let outcome = self.deliver(run).await;
        if matches!(outcome, Err(Halt::Error(_))) {
            return outcome;
        }
        finish::failed(run, self.failures).await?;
        outcome
    }

    async fn deliver(&mut self, run: &mut Run<'_>) -> Result<(), Halt> {
        for (place, destination) in self.route.iter().enumerate() {
            let events = self.events_for(place);
            if events.is_empty() {
                continue;
            }
            match destination {
                Destination::Projection(projection) => {
                    apply(run, self, projection.as_ref(), events).await?;
                }
                Destination::Transport(transport) => {
                    deliver(run, self, transport.as_ref(), events).await?;
                }
            }
        }
        Ok(())
    }

    /// Events that have nowhere left to go: their route has lost a destination since their last attempt.
    fn complete(&self) -> Vec<Event> {
        self.events
            .iter()
            .filter(|event| {
                let mut route = self.route.iter();
                route.all(|destination| self.is_confirmed(event.id, destination.name()))
            })
            .cloned()
            .collect()
    }

    /// The events that the destination at this place has still to get. The last destination needs no copies.
    fn events_for(&mut self, place: usize) -> Vec<Event> {
        let mut events = if place + 1 == self.route.len() {
            std::mem::take(&mut self.events)
        } else {
            self.events.clone()
        };
        let name = self.route[place].name();
        events.retain(|event| !self.is_confirmed(event.id, name) && !self.holds_back(event));
        events
    }

    fn is_confirmed(&self, id: i64, destination: &str) -> bool {
        self.confirmed
            .get(&id)
            .is_some_and(|names| names.iter().any(|name| name == destination))
    }

    /// Whether an earlier event of its key has failed.
    pub(super) fn holds_back(&self, event: &Event) -> bool {
        self.failed_keys.hold_back(event)
    }

    /// Splits events that `destination` confirms into those that are complete with it, and those that others still wait
    /// for. The latter come with all the names to remember.
    pub(super) fn split_complete<'e>(
        &self,
        destination: Option<&str>,
        events: &'e [Event],
    ) -> (Vec<&'e Event>, Vec<(i64, Vec<String>)>) {
        let mut complete = Vec::new();
        let mut incomplete = Vec::new();
        for event in events {
            let mut others = self
                .route
                .iter()
                .map(Destination::name)
                .filter(|name| Some(*name) != destination);
            if others.all(|name| self.is_confirmed(event.id, name)) {
                complete.push(event);
            } else {
                let mut names = self.confirmed.get(&event.id).cloned().unwrap_or_default();
                names.extend(destination.map(str::to_owned));
                incomplete.push((event.id, names));
            }
        }
        (complete, incomplete)
    }

    /// Notes that a destination has confirmed events.
    pub(super) fn confirm(&mut self, destination: Option<&str>, events: &[Event]) {
        // With one destination nobody will ask.
        let Some(destination) = destination.filter(|_| self.route.len() > 1) else {
            return;
        };
        for event in events {
            let names = self.confirmed.entry(event.id).or_default();
            names.push(destination.to_owned());
        }
    }

    /// Notes that an event has failed at a destination. From now on it holds back its key.
    pub(super) fn fail(
        &mut self,
        event: &Event,
        destination: &str,
        verdict: Verdict,
        reason: &str,
    ) {
        self.failed_keys.add(event);
        counter!("outbox_failures_total", "type" => event.event_type.clone()).increment(1);
        let postponed = self.postponed.get(&event.id).copied().unwrap_or_default();
        let failure = self.failures.entry(event.id).or_insert_with(|| Failure {
            seen: event.attempts,
            reasons: Vec::new(),
            postponed,
            verdict,
        });
        failure.reasons.push(format!("{destination}: {reason}"));
        failure.verdict = failure.verdict.max(verdict);
    }
}
