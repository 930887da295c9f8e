//! Which streams get what, in which order.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use crate::client::{Client, event, hub, ping, seconds};

#[test]
fn two_tabs_of_one_key_each_get_every_event() {
    let hub = hub(|_| {});
    let mut tabs = [Client::open(&hub, 7), Client::open(&hub, 7)];
    for id in 1..=3 {
        assert_eq!(hub.publish(&7, id, event(id)), 2);
    }
    for tab in &mut tabs {
        assert_eq!(tab.read_ids(), [1, 2, 3]);
    }
}

#[test]
fn an_event_reaches_its_own_key_only() {
    let hub = hub(|_| {});
    let mut other = Client::open(&hub, 8);
    assert_eq!(hub.publish(&7, 1, event(1)), 0);
    assert_eq!(other.read(), []);
}

#[test]
fn a_broadcast_reaches_every_stream_and_shares_one_encoding() {
    let hub = hub(|_| {});
    let mut clients: Vec<_> = (0..200).map(|key| Client::open(&hub, key)).collect();
    for client in &mut clients {
        client.read();
    }
    let frame = ping();
    assert_eq!(hub.broadcast(frame.clone()), 200);
    for client in &mut clients {
        assert_eq!(
            client.read_one().unwrap().as_ptr(),
            frame.as_bytes().as_ptr()
        );
    }
}

#[test]
fn a_stream_begins_with_a_short_retry_then_the_handshake_then_events() {
    let hub = hub(|options| options.retry = seconds(2)..seconds(4));
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 1, event(1));
    client
        .stream
        .first(sse_hub::Frame::event("handShakeComplete", None, "hello"));
    client
        .stream
        .first(sse_hub::Frame::event("resync", None, ""));

    assert!(client.read_one().unwrap().starts_with(b"retry: "));
    assert!((seconds(2)..seconds(4)).contains(&client.parser.retry.unwrap()));
    assert_eq!(client.read_names(), ["handShakeComplete", "resync", "done"]);
}

#[test]
fn a_hub_that_is_fed_twice_from_the_store_does_not_repeat() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 1, event(1));
    assert_eq!(hub.publish(&7, 1, event(1)), 0, "waiting already");
    assert_eq!(client.read_ids(), [1]);
    assert_eq!(hub.publish(&7, 1, event(1)), 0, "sent already");
    assert_eq!(client.read_ids(), [0_i64; 0]);
}

#[test]
fn events_that_wait_are_put_in_the_order_of_their_ids() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    for id in [2, 5, 1, 4] {
        hub.publish(&7, id, event(id));
        hub.broadcast(ping());
    }
    assert_eq!(client.read_ids(), [1, 2, 4, 5]);
    assert_eq!(
        hub.publish(&7, 3, event(3)),
        0,
        "going back would break resuming by the last id"
    );
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_its_event() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    client.read();
    let reader = tokio::spawn(async move { client.stream.next().await.unwrap() });
    // On this single thread the reader now runs until it waits.
    tokio::task::yield_now().await;
    hub.publish(&7, 1, event(1));
    assert_eq!(&reader.await.unwrap(), event(1).as_bytes());
}

#[test]
fn dropping_a_stream_frees_its_place() {
    let hub = hub(|options| options.total = 1);
    let client = Client::open(&hub, 7);
    assert_eq!(
        (hub.stats().connections, hub.connected_keys()),
        (1, vec![7])
    );
    drop(client);
    assert_eq!((hub.stats().connections, hub.connected_keys()), (0, vec![]));
    assert_eq!(hub.stats().left, 1);
    assert_eq!(hub.publish(&7, 1, event(1)), 0);
    assert!(hub.subscribe(8).is_ok());
}

#[test]
fn dropping_one_tab_leaves_the_other() {
    let hub = hub(|_| {});
    let first = Client::open(&hub, 7);
    let mut second = Client::open(&hub, 7);
    drop(first);
    assert_eq!(hub.publish(&7, 1, event(1)), 1);
    assert_eq!(second.read_ids(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_takes_its_time_but_at_most_a_third_of_its_interval() {
    let hub = hub(|_| {});
    let _clients: Vec<_> = (0..2_000).map(|key| Client::open(&hub, key)).collect();
    for (every, takes) in [(3_000, 80..110), (60, 15..25)] {
        let begun = Instant::now();
        let taken = hub.heartbeat(ping(), Duration::from_millis(every)).await;
        assert_eq!(taken, 2_000);
        let took = begun.elapsed().as_millis();
        assert!(takes.contains(&took), "{took} ms of {every}");
    }
}
