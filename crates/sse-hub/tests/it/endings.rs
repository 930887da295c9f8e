//! How streams end: disconnected, drained, dropped.

use std::collections::HashSet;

use futures::FutureExt;
use sse_hub::{Ended, Frame, Refusal};

use crate::client::{Client, event, hub, seconds};

#[test]
fn a_disconnected_key_gets_the_last_frame_and_nothing_that_waited() {
    let hub = hub(|_| {});
    let mut tabs = [Client::open(&hub, 7), Client::open(&hub, 7)];
    let mut other = Client::open(&hub, 8);
    hub.publish(&7, 1, event(1));
    assert_eq!(
        hub.disconnect(&7, Some(Frame::event("banned", None, "bye"))),
        2
    );
    assert_eq!(hub.publish(&7, 2, event(2)), 0);
    for tab in &mut tabs {
        assert_eq!(tab.read_names(), ["banned"]);
        assert!(tab.over);
        assert_eq!(tab.ended(), Some(Ended::CutOff));
    }
    other.read();
    assert!(!other.over);
    assert_eq!(hub.stats().dropped.cut_off, 2);
}

#[tokio::test]
async fn a_waiting_reader_notices_that_it_is_cut_off() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    let reader = tokio::spawn(async move { client.read_to_end().await });
    // On this single thread the reader now runs until it waits.
    tokio::task::yield_now().await;
    hub.disconnect(&7, None);
    assert_eq!(reader.await.unwrap(), [""; 0]);
}

#[test]
fn draining_sends_what_waits_then_a_retry_and_the_end() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    hub.publish(&7, 1, event(1));
    hub.drain(seconds(100)..seconds(200));
    assert_eq!(client.read_ids(), [1]);
    assert!(client.over);
    assert!((seconds(100)..seconds(200)).contains(&client.parser.retry.unwrap()));
    assert_eq!(client.ended(), Some(Ended::Draining));
}

#[test]
fn draining_spreads_the_reconnects() {
    let hub = hub(|_| {});
    let mut clients: Vec<_> = (0..100).map(|key| Client::open(&hub, key)).collect();
    hub.drain(seconds(10)..seconds(20));
    let waits: HashSet<_> = clients
        .iter_mut()
        .map(|client| {
            client.read();
            client.parser.retry.unwrap()
        })
        .collect();
    assert!(
        waits.len() > 50,
        "{} different waits for 100 clients",
        waits.len()
    );
    assert_eq!(hub.stats().dropped.draining, 100);
}

#[test]
fn a_draining_hub_refuses_new_streams() {
    let hub = hub(|_| {});
    hub.drain(seconds(1)..seconds(2));
    assert_eq!(hub.subscribe(7).err(), Some(Refusal::Draining));
    assert!(hub.stats().draining);
    assert_eq!(hub.stats().connections, 0);
}

#[test]
fn drained_waits_for_the_last_stream_to_be_read_to_its_end() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    let other = Client::open(&hub, 8);
    hub.drain(seconds(1)..seconds(2));
    let mut drained = Box::pin(hub.drained());
    assert!(drained.as_mut().now_or_never().is_none());
    client.read();
    assert!(drained.as_mut().now_or_never().is_none());
    drop(other);
    assert!(drained.now_or_never().is_some());
}

#[test]
fn the_first_reason_to_end_is_the_one_that_counts() {
    let hub = hub(|options| options.per_key = 1);
    let mut old = Client::open(&hub, 7);
    let _new = Client::open(&hub, 7);
    hub.disconnect(&7, None);
    hub.drain(seconds(1)..seconds(2));
    assert_eq!(old.ended(), Some(Ended::GaveWay));
    old.read();
    let dropped = hub.stats().dropped;
    assert_eq!(
        (dropped.gave_way, dropped.cut_off, dropped.draining),
        (1, 1, 0)
    );
    drop(old);
    assert_eq!(
        hub.stats().left,
        0,
        "a stream that the hub ended did not leave on its own"
    );
}
