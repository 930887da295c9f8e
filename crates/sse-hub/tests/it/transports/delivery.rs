//! What arrives at a client, byte by byte.

use std::time::Duration;

use sse_hub::Frame;

use super::wire::{End, Tab};
use super::{Site, Transport, over_each_transport};
use crate::client::{event, ping, seconds};

over_each_transport! {
    async fn a_stream_begins_with_its_headers_a_short_retry_and_the_handshake(transport: Transport) {
        let site = Site::start(transport, |options| options.retry = seconds(2)..seconds(4)).await;
        let mut tab = Tab::open(&site, 7).await;
        assert_eq!(tab.headers["content-type"], "text/event-stream");
        assert_eq!(tab.headers["cache-control"], "no-store, no-transform");
        assert_eq!(tab.headers["x-accel-buffering"], "no");
        assert_eq!(tab.expect("hello").await.data, "안녕");
        assert!((seconds(2)..seconds(4)).contains(&tab.parser.retry.unwrap()));
        site.until(|stats| stats.on_sockets == usize::from(transport == Transport::Socket)).await;
    }

    async fn text_of_every_kind_arrives_whole(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tab = Tab::open(&site, 7).await;
        tab.expect("hello").await;
        // Longer than what the kernel takes at once, so that it is cut within its characters.
        let long = "가나다😀\n".repeat(20_000);
        for (id, data) in [(1, "one\ntwo\n\nfour"), (2, ""), (3, &long), (4, ": no comment")] {
            assert_eq!(site.publish(7, id, Frame::event("text", Some(id), data)), 1);
            let event = tab.next().await.unwrap();
            assert_eq!((event.id, event.data.as_str()), (Some(id.to_string()), data));
        }
        site.hub.broadcast(Frame::comment("nothing to see"));
        site.hub.broadcast(Frame::retry(Duration::from_millis(1234)));
        site.hub.broadcast(ping());
        assert_eq!(tab.expect("heartbeat").await.data, "ping");
        assert_eq!(tab.parser.retry, Some(Duration::from_millis(1234)));
    }

    async fn each_tab_of_a_key_gets_every_event_and_others_none(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tabs = [Tab::open(&site, 7).await, Tab::open(&site, 7).await];
        let mut other = Tab::open(&site, 8).await;
        site.publish_some(7, 1..=50);
        for tab in &mut tabs {
            tab.expect("hello").await;
            tab.expect_ids(1..=50).await;
        }
        assert_eq!(site.hub.broadcast(ping()), 3);
        other.expect("hello").await;
        other.expect("heartbeat").await;
        site.until(|stats| (stats.events_sent, stats.broadcasts_sent) == (100, 3)).await;
        assert_eq!(site.hub.stats().delivery.count, 100);
    }

    async fn a_broadcast_that_lets_others_run_reaches_every_stream(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tabs = Vec::new();
        for key in 0..150 {
            tabs.push(Tab::open(&site, key).await);
        }
        assert_eq!(site.hub.broadcast_concurrently(ping()).await, 150);
        for tab in &mut tabs {
            tab.expect("hello").await;
            tab.expect("heartbeat").await;
        }
        assert_eq!(site.hub.stats().broadcast.count, 1);
    }

    async fn what_was_sent_is_not_sent_again(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        let mut tab = Tab::resume(&site, 7, Some(10)).await;
        tab.expect("hello").await;
        assert_eq!(site.hub.publish(&7, 10, event(10)), 0, "the client said that it has it");
        assert_eq!(site.hub.publish(&7, 11, event(11)), 1);
        tab.expect_ids([11]).await;
        assert_eq!(site.hub.publish(&7, 11, event(11)), 0);
        assert_eq!(site.hub.publish(&7, 12, event(12)), 1);
        tab.expect_ids([12]).await;
    }

    async fn a_client_that_comes_back_gets_what_it_missed(transport: Transport) {
        let site = Site::start(transport, |_| {}).await;
        site.publish_some(7, 1..=300);
        let mut tab = Tab::resume(&site, 7, Some(100)).await;
        tab.expect("hello").await;
        tab.expect_ids(101..=200).await;
        drop(tab);
        let mut tab = Tab::resume(&site, 7, Some(200)).await;
        site.publish_some(7, 301..=310);
        tab.expect("hello").await;
        tab.expect_ids(201..=310).await;
        site.until(|stats| (stats.connections, stats.left) == (1, 1)).await;
    }

    async fn a_client_that_finds_no_place_is_told_to_come_later(transport: Transport) {
        let site = Site::start(transport, |options| options.total = 1).await;
        let _first = Tab::open(&site, 7).await;
        let mut second = Tab::open(&site, 8).await;
        assert_eq!(second.headers["content-type"], "text/event-stream");
        assert_eq!(second.rest().await, (Vec::new(), End::Clean));
        assert!(second.parser.retry.unwrap() >= seconds(60));
        assert_eq!(site.hub.stats().refused_full, 1);
    }
}
