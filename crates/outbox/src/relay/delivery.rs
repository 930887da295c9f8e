use std::collections::{BTreeMap, HashMap};

use super::row::Claimed;
use crate::{Destination, Event};

/// What a batch has reached on one route so far.
pub(super) struct Delivery<'r> {
    route: &'r [Destination],
    reached: HashMap<i64, Vec<String>>,
    /// How often each event was put off before because a destination could not be reached, where it was.
    postponed: HashMap<i64, i32>,
    pub(super) failures: BTreeMap<i64, Failure>,
}

/// What a failure says about the event, from mild to final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing: the destination could not be reached.
    Unavailable,
    /// It may be at fault: the attempt counts.
    Failed,
    /// It will never be accepted.
    Refused,
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

impl<'r> Delivery<'r> {
    pub(super) fn new(route: &'r [Destination]) -> Self {
        Self {
            route,
            reached: HashMap::new(),
            postponed: HashMap::new(),
            failures: BTreeMap::new(),
        }
    }

    pub(super) fn remember(&mut self, claimed: &Claimed) {
        if claimed.postponed > 0 {
            self.postponed.insert(claimed.event.id, claimed.postponed);
        }
        if !claimed.delivered_to.is_empty() {
            self.reached
                .insert(claimed.event.id, claimed.delivered_to.clone());
        }
    }

    pub(super) fn has_reached(&self, id: i64, destination: &str) -> bool {
        self.reached
            .get(&id)
            .is_some_and(|reached| reached.iter().any(|name| name == destination))
    }

    pub(super) fn is_finished(&self, id: i64) -> bool {
        self.route
            .iter()
            .all(|destination| self.has_reached(id, destination.name()))
    }

    /// Splits events that `destination` has confirmed into those that are finished with it, and those that others still
    /// wait for, with all the names to remember.
    pub(super) fn after<'e>(
        &self,
        destination: Option<&str>,
        events: &'e [Event],
    ) -> (Vec<&'e Event>, Vec<(i64, Vec<String>)>) {
        let mut finished = Vec::new();
        let mut unfinished = Vec::new();
        for event in events {
            let others = self
                .route
                .iter()
                .map(Destination::name)
                .filter(|name| Some(*name) != destination);
            if others
                .into_iter()
                .all(|name| self.has_reached(event.id, name))
            {
                finished.push(event);
            } else {
                let mut names = self.reached.get(&event.id).cloned().unwrap_or_default();
                names.extend(destination.map(str::to_owned));
                unfinished.push((event.id, names));
            }
        }
        (finished, unfinished)
    }

    pub(super) fn reach(&mut self, destination: Option<&str>, events: &[Event]) {
        // With one destination nobody will ask.
        let Some(destination) = destination.filter(|_| self.route.len() > 1) else {
            return;
        };
        for event in events {
            let reached = self.reached.entry(event.id).or_default();
            reached.push(destination.to_owned());
        }
    }

    pub(super) fn fail(
        &mut self,
        event: &Event,
        destination: &str,
        verdict: Verdict,
        reason: &str,
    ) {
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
