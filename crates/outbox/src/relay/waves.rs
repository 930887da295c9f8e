use std::collections::{BTreeMap, HashMap};

use crate::Event;

/// Where an event of a batch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Nowhere: no route, or not readable.
    Unroutable,
    /// By the route at this place.
    Route(usize),
}

/// Splits a batch so that the lanes of one wave can go one after the other without breaking the order of any key: where
/// a key's events change lanes, the later ones go in a later wave.
pub(super) fn waves<T>(
    batch: Vec<T>,
    event: impl Fn(&T) -> &Event,
    lane_of: impl Fn(&T) -> Lane,
) -> Vec<BTreeMap<Lane, Vec<T>>> {
    let lanes: Vec<Lane> = batch.iter().map(lane_of).collect();
    if let Some(lane) = lanes.first().copied()
        && lanes.iter().all(|other| *other == lane)
    {
        return vec![BTreeMap::from([(lane, batch)])];
    }
    let mut last: HashMap<&str, (usize, Lane)> = HashMap::new();
    let mut places = Vec::with_capacity(batch.len());
    for (one, lane) in batch.iter().zip(lanes) {
        let key = event(one).aggregate_key.as_str();
        let wave = match last.get(key) {
            None => 0,
            Some((wave, same)) if *same == lane => *wave,
            Some((wave, _)) => wave + 1,
        };
        last.insert(key, (wave, lane));
        places.push((wave, lane));
    }
    let mut waves: Vec<BTreeMap<Lane, Vec<T>>> = Vec::new();
    for (one, (wave, lane)) in batch.into_iter().zip(places) {
        if wave == waves.len() {
            waves.push(BTreeMap::new());
        }
        waves[wave].entry(lane).or_default().push(one);
    }
    waves
}

/// Splits events into rounds with at most one event of each key, in order.
pub(super) fn rounds(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut rounds: Vec<Vec<Event>> = Vec::new();
    let mut next: HashMap<String, usize> = HashMap::new();
    for event in events {
        let round = next.entry(event.aggregate_key.clone()).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(event);
        *round += 1;
    }
    rounds
}

/// Halves a batch that holds an event at fault: by keys while there are several, then the one key's events in order, so
/// that the first half never depends on the second.
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
        fn waves_keep_each_keys_order_across_lanes(events in prop::collection::vec((0..4_u8, 0..3_usize), 0..60)) {
            let lanes: Vec<Lane> = events.iter().map(|(_, lane)| match lane {
                0 => Lane::Unroutable,
                lane => Lane::Route(*lane),
            }).collect();
            let batch = events.iter().enumerate().map(|(id, (key, _))| event(id, *key)).collect();
            let place = |event: &Event| usize::try_from(event.id).unwrap();
            let mut seen = Vec::new();
            for wave in waves(batch, |event| event, |event| lanes[place(event)]) {
                for (lane, events) in wave {
                    for one in events {
                        prop_assert_eq!(lanes[place(&one)], lane);
                        seen.push(one);
                    }
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
