//! Streams that end at a deadline.

use sse_hub::{Ended, Frame};
use tokio::time::Instant;

use crate::client::{Client, event, hub, ping, seconds};

fn expired() -> Frame {
    Frame::event("tokenExpired", None, "reconnect with a fresh token")
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_waiting_reader_gets_the_last_frame_and_the_end() {
    let hub = hub(|_| {});
    let start = Instant::now();
    let mut client = Client::open(&hub, 7);
    client.stream.until(start + seconds(600), expired());
    hub.publish(&7, 1, event(1));
    assert_eq!(client.read_to_end().await, ["done", "tokenExpired"]);
    let waited = start.elapsed();
    assert!(
        waited >= seconds(600) && waited < seconds(601),
        "{waited:?}"
    );
    assert_eq!(client.ended(), Some(Ended::Expired));
    assert_eq!(hub.stats().dropped.expired, 1);
    assert_eq!(hub.stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_deadline_is_left_to_the_fresh_token() {
    let hub = hub(|options| options.stall = seconds(3600));
    let mut client = Client::open(&hub, 7);
    client.read();
    client
        .stream
        .until(Instant::now() + seconds(600), expired());
    hub.publish(&7, 1, event(1));
    tokio::time::advance(seconds(600)).await;
    hub.publish(&7, 2, event(2));
    assert_eq!(client.read_names(), ["tokenExpired"]);
    assert!(client.over);
}

#[tokio::test(start_paused = true)]
async fn an_expired_stream_receives_no_more_though_its_end_is_unread() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    client.read();
    client.stream.until(Instant::now(), expired());
    client.read_one();
    assert_eq!(hub.connected_keys(), [0_i64; 0]);
    assert_eq!(hub.broadcast(ping()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_gave_way_before_its_deadline_does_not_expire_too() {
    let hub = hub(|options| options.per_key = 1);
    let mut old = Client::open(&hub, 7);
    old.stream.until(Instant::now() + seconds(10), expired());
    let _new = Client::open(&hub, 7);
    tokio::time::advance(seconds(10)).await;
    assert_eq!(old.read_to_end().await, [""; 0]);
    assert_eq!(old.ended(), Some(Ended::GaveWay));
    let dropped = hub.stats().dropped;
    assert_eq!((dropped.gave_way, dropped.expired), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_later_deadline_replaces_an_earlier_one() {
    let hub = hub(|_| {});
    let mut client = Client::open(&hub, 7);
    client.stream.until(Instant::now() + seconds(10), expired());
    client.stream.until(Instant::now() + seconds(20), expired());
    tokio::time::advance(seconds(15)).await;
    hub.publish(&7, 1, event(1));
    assert_eq!(client.read_ids(), [1]);
    assert_eq!(client.read_to_end().await, ["tokenExpired"]);
}
