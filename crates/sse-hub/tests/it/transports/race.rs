//! Replay and live events under many reconnections.

use std::sync::Arc;

use super::wire::Tab;
use super::{Site, Transport, over_each_transport};
use crate::client::{event, ping};

const EVENTS: i64 = 3_000;

/// Reads all events through many connections, each lost after some of them.
async fn read_all(site: Arc<Site>, key: i64) {
    let mut seen = 0;
    let mut hellos = 0;
    let mut step = 1 + key % 7;
    while seen < EVENTS {
        let mut tab = Tab::resume(&site, key, Some(seen)).await;
        tab.expect("hello").await;
        hellos += 1;
        step = step * 13 % 97 + 1;
        let goal = (seen + 3 * step).min(EVENTS);
        while seen < goal {
            let event = tab.next().await.unwrap();
            if event.name == "heartbeat" {
                continue;
            }
            seen += 1;
            assert_eq!(
                event.id,
                Some(seen.to_string()),
                "connection {hellos} of {key}"
            );
        }
    }
}

over_each_transport! {
    async fn replay_and_live_meet_without_gap_and_without_repeat_across_connections(transport: Transport) {
        let site = Arc::new(Site::start(transport, |options| {
            options.queue = 10_000;
            options.per_key = 1_000;
        }).await);
        let readers: Vec<_> = (0..8).map(|key| tokio::spawn(read_all(site.clone(), key))).collect();
        for id in 1..=EVENTS {
            for key in 0..8 {
                site.publish(key, id, event(id));
            }
            if id % 20 == 0 {
                site.hub.broadcast_concurrently(ping()).await;
            }
        }
        for reader in readers {
            reader.await.unwrap();
        }
        site.until(|stats| (stats.connections, stats.on_sockets) == (0, 0)).await;
    }
}
