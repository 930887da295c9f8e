//! Replayed events that meet live ones.

use proptest::prelude::*;
use sse_hub::Hub;

use crate::client::{Client, event, hub};

#[test]
fn an_event_both_stored_and_live_is_sent_once() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    client.stream.resume_after(1);
    hub.publish(&7, 3, event(3));
    hub.publish(&7, 4, event(4));
    client.stream.replay(vec![(2, event(2)), (3, event(3))]);
    hub.publish(&7, 3, event(3));
    assert_eq!(client.read_ids(), [2, 3, 4]);
}

#[test]
fn an_event_that_the_store_did_not_show_yet_keeps_its_place_among_the_replayed() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 2, event(2));
    client.stream.replay(vec![(1, event(1)), (3, event(3))]);
    assert_eq!(client.read_ids(), [1, 2, 3]);
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 4, event(4));
    client.stream.resume_after(5);
    hub.publish(&7, 5, event(5));
    client.stream.replay(vec![(5, event(5)), (6, event(6))]);
    assert_eq!(client.read_ids(), [6]);
}

#[derive(Clone, Debug)]
enum Step {
    Store,
    Publish,
    PublishAgain(prop::sample::Index),
    Heartbeat,
    /// Subscribe, then read the store, then replay, then read the stream: one further each time.
    Client,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Store),
        4 => Just(Step::Publish),
        1 => any::<prop::sample::Index>().prop_map(Step::PublishAgain),
        1 => Just(Step::Heartbeat),
        2 => Just(Step::Client),
    ];
    prop::collection::vec(step, 0..60)
}

/// A store, a publisher that follows it, and a client that comes back somewhere in between.
struct World {
    hub: Hub<i64>,
    stored: i64,
    published: i64,
    has_seen: prop::sample::Index,
    resumed_from: i64,
    client: Option<Client>,
    read: Option<i64>,
    streaming: bool,
    received: Vec<i64>,
}

impl World {
    fn publish_next(&mut self) {
        if self.published < self.stored {
            self.published += 1;
            self.hub.publish(&7, self.published, event(self.published));
        }
    }

    fn client_goes_on(&mut self) {
        let Some(client) = &mut self.client else {
            let mut client = Client::open(&self.hub, 7);
            // Another node may have shown it what this one has yet to publish.
            self.resumed_from = self.has_seen.index(self.stored as usize + 1) as i64;
            client.stream.resume_after(self.resumed_from);
            self.client = Some(client);
            return;
        };
        match self.read {
            None => self.read = Some(self.stored),
            Some(read) if !self.streaming => {
                client.stream.replay(
                    (self.resumed_from + 1..=read)
                        .map(|id| (id, event(id)))
                        .collect(),
                );
                self.streaming = true;
            }
            Some(_) => {
                client.read_one();
                self.received.extend(
                    client
                        .parser
                        .events
                        .drain(..)
                        .filter_map(|event| event.id?.parse::<i64>().ok()),
                );
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Store => self.stored += 1,
            Step::Publish => self.publish_next(),
            Step::PublishAgain(which) if self.published > 0 => {
                let id = which.index(self.published as usize) as i64 + 1;
                self.hub.publish(&7, id, event(id));
            }
            Step::PublishAgain(_) => {}
            Step::Heartbeat => {
                self.hub.broadcast(crate::client::ping());
            }
            Step::Client => self.client_goes_on(),
        }
    }

    fn finish(mut self) -> (i64, i64, Vec<i64>) {
        while !self.streaming {
            self.client_goes_on();
        }
        while self.published < self.stored {
            self.publish_next();
        }
        let mut client = self.client.unwrap();
        self.received.extend(client.read_ids());
        (self.resumed_from, self.stored, self.received)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn replay_and_live_meet_without_gap_and_without_repeat(steps in steps(), has_seen: prop::sample::Index) {
        let mut world = World {
            hub: hub(|options| options.queue = 1000),
            stored: 0,
            published: 0,
            has_seen,
            resumed_from: 0,
            client: None,
            read: None,
            streaming: false,
            received: Vec::new(),
        };
        for step in &steps {
            world.take(step);
        }
        let (resumed_from, stored, received) = world.finish();
        prop_assert_eq!(received, (resumed_from + 1..=stored).collect::<Vec<_>>());
    }
}
