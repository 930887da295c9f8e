//! Readers that are slow, over real sockets.

use std::time::Duration;

use sse_hub::Frame;

use super::wire::{End, Tab};
use super::{Site, Transport, over_each_transport};
use crate::client::{long, ping};

over_each_transport! {
    async fn a_reader_whose_queue_is_full_is_dropped_and_gets_what_waited(transport: Transport) {
        let site = Site::start(transport, |options| options.queue = 4).await;
        let mut slow = Tab::narrow(&site, 7).await;
        let mut quick = Tab::open(&site, 7).await;
        quick.expect("hello").await;
        slow.expect("hello").await;
        let mut taken = Vec::new();
        for id in 1..=10 {
            taken.push(site.publish(7, id, long(id)));
            quick.expect_ids([id]).await;
        }
        assert_eq!((taken[0], taken[9]), (2, 1), "{taken:?}");
        site.until(|stats| stats.dropped.too_slow == 1).await;
        let last = taken.iter().filter(|taken| **taken == 2).count() as i64;
        assert!((4..10).contains(&last), "{taken:?}");
        // It is read now, so it gets a prefix without gaps, and resumes from there.
        slow.expect_ids(1..=last).await;
        assert_eq!(slow.rest().await, (Vec::new(), End::Clean));
        let mut slow = Tab::resume(&site, 7, slow.last_id).await;
        slow.expect("hello").await;
        slow.expect_ids(last + 1..=10).await;
    }

    async fn a_reader_that_takes_nothing_for_too_long_is_dropped_and_delays_nobody(transport: Transport) {
        let stall = Duration::from_millis(300);
        let site = Site::start(transport, |options| options.stall = stall).await;
        let mut stalled = Tab::narrow(&site, 7).await;
        stalled.expect("hello").await;
        let mut other = Tab::open(&site, 8).await;
        other.expect("hello").await;
        assert_eq!(site.publish(7, 1, long(1)), 1);
        let begun = tokio::time::Instant::now();
        let mut beats = 0;
        while site.hub.stats().dropped.stalled == 0 {
            assert!(begun.elapsed() < 20 * stall, "{:?}", site.hub.stats());
            site.hub.broadcast(ping());
            other.expect("heartbeat").await;
            beats += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(beats > 1, "the other one waited for it");
        assert_eq!(site.hub.connected_keys(), [8]);
        site.until(|stats| stats.connections == 1).await;
        // What the kernel still held for it is gone with the connection.
        assert_eq!(stalled.rest().await, (Vec::new(), End::Broken));
        let mut back = Tab::resume(&site, 7, Some(0)).await;
        back.expect("hello").await;
        back.expect_ids([1]).await;
    }

    async fn a_reader_that_takes_nothing_is_given_up_though_nothing_more_is_sent(transport: Transport) {
        let stall = Duration::from_millis(300);
        let site = Site::start(transport, |options| options.stall = stall).await;
        let mut stalled = Tab::narrow(&site, 7).await;
        stalled.expect("hello").await;
        // The first may be with the HTTP server altogether; the second waits.
        for id in 1..=2 {
            assert_eq!(site.publish(7, id, long(id)), 1);
        }
        site.until(|stats| stats.connections == 0).await;
        if transport != Transport::Http2 {
            // A plain close would leave the kernel with what the client does not take.
            stalled.is_reset().await;
        }
        let (names, end) = stalled.rest().await;
        assert_eq!((names, end), (Vec::new(), End::Broken));
    }
}

#[tokio::test]
async fn a_reader_that_takes_little_by_little_is_not_taken_for_a_stalled_one() {
    let stall = Duration::from_secs(1);
    let site = Site::start(Transport::Socket, |options| options.stall = stall).await;
    let mut tab = Tab::narrow(&site, 7).await;
    tab.expect("hello").await;
    site.publish(7, 1, long(1));
    let begun = tokio::time::Instant::now();
    // A part of it each time, for longer than a stalled reader would be given.
    while begun.elapsed() < 3 * stall {
        tab.read_a_little().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tab.expect_ids([1]).await;
    assert_eq!(site.hub.stats().dropped.stalled, 0);
}

#[tokio::test]
async fn a_stream_on_its_socket_that_was_told_to_end_has_one_stall_for_all_that_waits() {
    is_ended_in_one_stall(Transport::Socket).await;
}

#[tokio::test]
async fn a_stream_in_a_body_that_was_told_to_end_has_one_stall_for_all_that_waits() {
    is_ended_in_one_stall(Transport::Http1).await;
}

async fn is_ended_in_one_stall(transport: Transport) {
    let stall = Duration::from_millis(300);
    let site = Site::start(transport, |options| {
        (options.stall, options.per_key) = (stall, 1);
    })
    .await;
    for id in 1..=40 {
        site.publish(7, id, long(id));
    }
    let mut old = Tab::narrow_after(&site, 7, 0).await;
    old.expect("hello").await;
    let mut new = Tab::open(&site, 7).await;
    new.expect("hello").await;
    // A little at a time, it would be at its history for minutes.
    let reading = tokio::spawn(async move {
        while old.try_read_a_little().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    site.until(|stats| stats.connections == 1).await;
    reading.await.unwrap();
}

#[tokio::test]
async fn the_kernel_takes_little_for_a_stream_whose_client_does_not_read() {
    let site = Site::start(Transport::Socket, |_| {}).await;
    let mut stalled = Tab::narrow(&site, 7).await;
    stalled.expect("hello").await;
    site.until(|stats| stats.on_sockets == 1).await;
    // Less than other connections may have in the kernel.
    let frame = Frame::event("long", Some(1), &"n".repeat(100_000));
    assert_eq!(site.publish(7, 1, frame), 1);
    assert_eq!(site.hub.stats().events_sent, 0);
}
