//! The order of events by key: what may go together, and what has to wait.

use std::collections::{BTreeMap, HashMap};

use super::routes::RouteId;
use crate::Event;

/// The first event of each key that failed since the claim. The later events of its key have to wait.
#[derive(Debug, Default)]
pub(super) struct FailedKeys(HashMap<String, i64>);

impl FailedKeys {
    /// Notes that an event has failed.
    pub(super) fn add(&mut self, event: &Event) {
        let first = self
            .0
            .entry(event.aggregate_key.clone())
            .or_insert(event.id);
        *first = event.id.min(*first);
    }

    /// Whether an earlier event of its key has failed.
    pub(super) fn hold_back(&self, event: &Event) -> bool {
        self.0
            .get(&event.aggregate_key)
            .is_some_and(|failed| event.id > *failed)
    }
}

/// Splits what was claimed into batches of one route each, which keep the order of every key when they go one after the
/// other. Where a key's events change routes, the later ones are in a later batch. `None` is the route to nowhere.
pub(super) fn batches<T>(
    claimed: Vec<T>,
    event: impl Fn(&T) -> &Event,
    route_of: impl Fn(&T) -> Option<RouteId>,
) -> Vec<(Option<RouteId>, Vec<T>)> {
    let routes: Vec<Option<RouteId>> = claimed.iter().map(route_of).collect();
    if let Some(route) = routes.first().copied()
        && routes.iter().all(|other| *other == route)
    {
        return vec![(route, claimed)];
    }
    // A stage is a set of batches, of which none holds an event that another one has to wait for.
    let mut last: HashMap<&str, (usize, Option<RouteId>)> = HashMap::new();
    let mut places = Vec::with_capacity(claimed.len());
    for (one, route) in claimed.iter().zip(routes) {
        let key = event(one).aggregate_key.as_str();
        let stage = match last.get(key) {
            None => 0,
            Some((stage, same)) if *same == route => *stage,
            Some((stage, _)) => stage + 1,
        };
        last.insert(key, (stage, route));
        places.push((stage, route));
    }
    let mut batches: BTreeMap<(usize, Option<RouteId>), Vec<T>> = BTreeMap::new();
    for (one, place) in claimed.into_iter().zip(places) {
        batches.entry(place).or_default().push(one);
    }
    batches
        .into_iter()
        .map(|((_, route), batch)| (route, batch))
        .collect()
}

/// Splits events into parts with at most one event of each key, in order.
pub(super) fn one_of_each_key(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut parts: Vec<Vec<Event>> = Vec::new();
    let mut next: HashMap<String, usize> = HashMap::new();
    for event in events {
        let part = next.entry(event.aggregate_key.clone()).or_default();
        if *part == parts.len() {
            parts.push(Vec::new());
        }
        parts[*part].push(event);
        *part += 1;
    }
    parts
}

/// Halves events of which one is at fault: by keys while there are several, then the one key's events in order. So the
/// first half never waits for the second.
pub(super) fn halves(events: Vec<Event>) -> (Vec<Event>, Vec<Event>) {
    let mut keys: HashMap<&str, usize> = HashMap::new();
    for event in &events {
        let next = keys.len();
        keys.entry(&event.aggregate_key).or_insert(next);
    }
    let middle = keys.len() / 2;
    if middle > 0 {
        let keys: HashMap<String, usize> = keys
            .into_iter()
            .map(|(key, place)| (key.to_owned(), place))
            .collect();
        return events
            .into_iter()
            .partition(|event| keys[&event.aggregate_key] < middle);
    }
    let mut first = events;
    let second = first.split_off(first.len() / 2);
    (first, second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(id: usize, key: u8) -> Event {
        Event {
            id: i64::try_from(id).unwrap(),
            event_id: uuid::Uuid::nil(),
            event_type: String::new(),
            aggregate_key: key.to_string(),
            payload: serde_json::Value::Null,
            traceparent: None,
            attempts: 0,
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn ordered(events: &[Event]) -> bool {
        events.is_sorted_by_key(|event| event.id)
    }

    proptest! {
        #[test]
        fn batches_keep_each_keys_order_across_routes(events in prop::collection::vec((0..4_u8, 0..3_usize), 0..60)) {
            let routes: Vec<Option<RouteId>> =
                events.iter().map(|(_, route)| (*route > 0).then_some(RouteId(*route))).collect();
            let claimed = events.iter().enumerate().map(|(id, (key, _))| event(id, *key)).collect();
            let place = |event: &Event| usize::try_from(event.id).unwrap();
            let mut seen = Vec::new();
            for (route, batch) in batches(claimed, |event| event, |event| routes[place(event)]) {
                for one in batch {
                    prop_assert_eq!(routes[place(&one)], route);
                    seen.push(one);
                }
            }
            prop_assert_eq!(seen.len(), events.len());
            for key in 0..4 {
                let of_key: Vec<Event> =
                    seen.iter().filter(|event| event.aggregate_key == key.to_string()).cloned().collect();
                prop_assert!(ordered(&of_key));
            }
        }

        #[test]
        fn halves_lose_nothing_and_shrink(keys in prop::collection::vec(0..4_u8, 2..40)) {
            let events: Vec<Event> = keys.iter().enumerate().map(|(id, key)| event(id, *key)).collect();
            let (first, second) = halves(events.clone());
            prop_assert!(!first.is_empty() && !second.is_empty());
            prop_assert!(ordered(&first) && ordered(&second));
            prop_assert_eq!(first.len() + second.len(), events.len());
            let one_key = keys.iter().all(|key| *key == keys[0]);
            let shared = first.iter().any(|a| second.iter().any(|b| a.aggregate_key == b.aggregate_key));
            prop_assert_eq!(shared, one_key);
        }
    }
}
