//! How many streams a hub admits, and which one is evicted.

use sse_hub::{Ended, Refusal};

use crate::client::{Client, event, hub, seconds};

#[test]
fn at_one_tab_too_many_the_oldest_gives_way_with_a_long_retry() {
    let hub = hub(|options| {
        options.per_key = 2;
        options.give_way_retry = seconds(60)..seconds(180);
    });
    let mut oldest = Client::open(&hub, 7);
    let mut middle = Client::open(&hub, 7);
    hub.publish(&7, 1, event(1));
    let mut newest = Client::open(&hub, 7);
    assert_eq!(hub.publish(&7, 2, event(2)), 2);

    assert_eq!(oldest.ended(), Some(Ended::GaveWay));
    assert_eq!(oldest.read_ids(), [1], "what waited is still sent");
    assert!(oldest.over);
    assert!((seconds(60)..seconds(180)).contains(&oldest.parser.retry.unwrap()));
    assert_eq!(middle.read_ids(), [1, 2]);
    assert_eq!(newest.read_ids(), [2]);
    assert_eq!(hub.stats().dropped.gave_way, 1);
}

#[test]
fn another_key_does_not_make_a_tab_give_way() {
    let hub = hub(|options| options.per_key = 1);
    let first = Client::open(&hub, 7);
    let _other = Client::open(&hub, 8);
    assert_eq!(first.ended(), None);
}

#[test]
fn a_full_hub_refuses_and_drops_nobody() {
    let hub = hub(|options| {
        options.total = 2;
        options.per_key = 1;
    });
    let clients = [Client::open(&hub, 1), Client::open(&hub, 2)];
    assert_eq!(hub.subscribe(3).err(), Some(Refusal::Full));
    assert_eq!(hub.subscribe(1).err(), Some(Refusal::Full));
    assert!(clients.iter().all(|client| client.ended().is_none()));
    assert_eq!(hub.stats().refused_full, 2);
}

#[test]
fn a_stream_told_to_end_keeps_its_place_until_it_is_read_to_the_end() {
    let hub = hub(|options| {
        options.total = 2;
        options.per_key = 1;
    });
    let mut old = Client::open(&hub, 7);
    let _new = Client::open(&hub, 7);
    assert_eq!(hub.subscribe(8).err(), Some(Refusal::Full));
    old.read();
    assert!(old.over);
    assert!(hub.subscribe(8).is_ok());
    drop(old);
    assert_eq!(hub.stats().connections, 1, "its place is given back once");
}
