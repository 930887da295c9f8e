//! How streams end, as a client sees it.

use std::time::Duration;

use sse_hub::Frame;
use tokio::io::AsyncWriteExt;

use super::wire::{End, Tab};
use super::{Site, Transport, over_each_transport};
use crate::client::{long, ping, seconds};

over_each_transport! {
    async fn draining_sends_what_waits_a_retry_and_the_end(transport: Transport) {
        let mut site = Site::start(transport, |_| {}).await;
        let mut tabs = [Tab::open(&site, 7).await, Tab::open(&site, 8).await];
        site.publish_some(7, 1..=3);
        site.hub.drain(seconds(100)..seconds(200));
        site.stop();
        assert_eq!(tabs[0].rest().await, (["hello", "done", "done", "done"].map(String::from).to_vec(), End::Clean));
        assert_eq!(tabs[1].rest().await, (vec!["hello".to_owned()], End::Clean));
        for tab in &tabs {
            assert!((seconds(100)..seconds(200)).contains(&tab.parser.retry.unwrap()));
        }
        site.hub.drained().await;
        drop(tabs);
        // Nothing is left open: the server returns.
        site.served.await.unwrap();
        assert_eq!(site.hub.stats().dropped.draining, 2);
    }

    async fn a_stream_whose_time_is_over_says_so_and_ends(transport: Transport) {
        let site = Site::living(transport, Duration::from_secs(1), |_| {}).await;
        let mut tab = Tab::open(&site, 7).await;
        let (names, end) = tab.rest().await;
        assert_eq!((names, end), (["hello", "expired"].map(String::from).to_vec(), End::Clean));
        site.until(|stats| stats.connections == 0).await;
        assert_eq!((site.hub.stats().dropped.expired, site.hub.stats().left), (1, 0));
        // Stored while nobody listens.
        site.publish_some(7, [1, 2]);
        let mut tab = Tab::resume(&site, 7, Some(0)).await;
        tab.expect("hello").await;
        tab.expect_ids([1, 2]).await;
    }

    async fn after_a_disconnect_what_waited_comes_on_return_and_what_was_begun_comes_whole(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tab = Tab::narrow(&site, 7).await;
        tab.expect("hello").await;
        site.until(|stats| transport != Transport::Socket || stats.on_sockets == 1).await;
        for id in 1..=3 {
            assert_eq!(site.publish(7, id, long(id)), 1);
        }
        site.hub.disconnect(&7, Some(Frame::event("banned", None, "bye")));
        // A prefix without gaps, then the end in order.
        let mut last = 0;
        loop {
            let event = tab.next().await.unwrap();
            if event.name == "banned" {
                break;
            }
            last += 1;
            assert_eq!(event.id, Some(last.to_string()));
        }
        assert_eq!(tab.rest().await, (Vec::new(), End::Clean));
        assert!(last < 3, "nothing waited");
        if transport == Transport::Socket {
            // Its client cannot take so much at once: it had been begun.
            assert_eq!(last, 1);
        }
        let mut tab = Tab::resume(&site, 7, Some(last)).await;
        tab.expect("hello").await;
        tab.expect_ids(last + 1..=3).await;
    }

    async fn a_disconnected_key_gets_the_last_frame_and_the_end(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tab = Tab::open(&site, 7).await;
        tab.expect("hello").await;
        assert_eq!(site.hub.disconnect(&7, Some(Frame::event("banned", None, "bye"))), 1);
        assert_eq!(tab.rest().await, (vec!["banned".to_owned()], End::Clean));
        site.until(|stats| stats.connections == 0).await;
    }

    async fn the_oldest_of_too_many_tabs_gives_way_with_a_long_retry(transport: Transport) {
        let site = Site::start(transport, |options| options.per_key = 1).await;
        let mut old = Tab::open(&site, 7).await;
        old.expect("hello").await;
        let mut new = Tab::open(&site, 7).await;
        assert_eq!(old.rest().await, (Vec::new(), End::Clean));
        assert!(old.parser.retry.unwrap() >= seconds(60));
        new.expect("hello").await;
        site.publish_some(7, [1]);
        new.expect_ids([1]).await;
        let mut old = Tab::resume(&site, 7, Some(0)).await;
        old.expect("hello").await;
        old.expect_ids([1]).await;
    }

    async fn a_client_that_leaves_is_noticed_though_nothing_is_sent(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tab = Tab::open(&site, 7).await;
        tab.expect("hello").await;
        drop(tab);
        site.until(|stats| (stats.connections, stats.on_sockets, stats.left) == (0, 0, 1)).await;
        assert_eq!(site.hub.connected_keys(), [0_i64; 0]);
        assert_eq!(site.hub.broadcast(ping()), 0);
    }
}

#[tokio::test]
async fn a_client_that_closes_its_side_only_gets_what_waits_and_the_end() {
    let site = Site::start(Transport::Socket, |_| {}).await;
    let mut tab = Tab::open(&site, 7).await;
    tab.expect("hello").await;
    site.publish_some(7, 1..=3);
    tab.socket().shutdown().await.unwrap();
    tab.expect_ids(1..=3).await;
    assert_eq!(tab.rest().await, (Vec::new(), End::Clean));
    site.until(|stats| stats.left == 1).await;
}

#[tokio::test]
async fn another_request_on_the_same_connection_ends_the_stream() {
    let site = Site::start(Transport::Socket, |_| {}).await;
    let mut tab = Tab::open(&site, 7).await;
    tab.expect("hello").await;
    assert_eq!(tab.headers["connection"], "close");
    let again = b"GET /events/8 HTTP/1.1\r\nhost: site\r\n\r\n";
    tab.socket().write_all(again).await.unwrap();
    assert_eq!(tab.rest().await, (Vec::new(), End::Clean));
    site.until(|stats| (stats.connections, stats.left) == (0, 1))
        .await;
}

#[tokio::test]
async fn a_request_that_was_sent_along_with_the_first_one_ends_the_stream() {
    let site = Site::start(Transport::Socket, |_| {}).await;
    let both =
        "GET /events/7 HTTP/1.1\r\nhost: site\r\n\r\nGET /events/8 HTTP/1.1\r\nhost: site\r\n\r\n";
    let mut tab = Tab::raw(&site, both).await;
    assert_eq!(tab.rest().await, (vec!["hello".to_owned()], End::Clean));
    site.until(|stats| (stats.connections, stats.left) == (0, 1))
        .await;
}

#[tokio::test]
async fn what_the_kernel_still_holds_reaches_a_client_that_spoke() {
    let site = Site::start(Transport::Socket, |_| {}).await;
    let mut tab = Tab::narrow(&site, 7).await;
    tab.expect("hello").await;
    site.until(|stats| stats.on_sockets == 1).await;
    // More than the client's side takes, and no more than both sides together.
    for id in 1..=6 {
        let frame = Frame::event("some", Some(id), &"n".repeat(1000));
        assert_eq!(site.publish(7, id, frame), 1);
    }
    let again = b"GET /events/8 HTTP/1.1\r\nhost: site\r\n\r\n";
    tab.socket().write_all(again).await.unwrap();
    site.until(|stats| stats.left == 1).await;
    tab.expect_ids(1..=6).await;
    assert_eq!(tab.rest().await, (Vec::new(), End::Clean));
}
