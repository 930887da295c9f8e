//! The metrics of a hub.

use metrics_exporter_prometheus::PrometheusBuilder;
use sse_hub::{Hub, HubOptions};

use crate::client::{Client, event, ping};

#[test]
fn what_happens_is_counted_in_stats_and_metrics_alike() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let options = HubOptions {
        per_key: 2,
        total: 3,
        queue: 3,
        ..HubOptions::default()
    };
    let hub: Hub<i64> = metrics::with_local_recorder(&recorder, || Hub::new(options));

    let mut tab = Client::open(&hub, 7);
    let slow = Client::open(&hub, 8);
    let leaving = Client::open(&hub, 9);
    assert!(hub.subscribe(10).is_err());
    drop(leaving);
    for id in 1..=4 {
        hub.publish(&8, id, event(id));
    }
    hub.publish(&7, 1, event(1));
    hub.broadcast(ping());
    tab.read();

    let stats = hub.stats();
    assert_eq!((stats.connections, stats.keys), (2, 1));
    assert_eq!((stats.events_sent, stats.broadcasts_sent), (1, 1));
    assert_eq!(
        (stats.left, stats.dropped.too_slow, stats.refused_full),
        (1, 1, 1)
    );

    let text = recorder.handle().render();
    for line in [
        "sse_connections 2",
        "sse_events_sent_total{kind=\"event\"} 1",
        "sse_events_sent_total{kind=\"broadcast\"} 1",
        "sse_dropped_total{reason=\"too_slow\"} 1",
        "sse_dropped_total{reason=\"stalled\"} 0",
        "sse_refused_total{reason=\"full\"} 1",
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "{line} is missing from\n{text}"
        );
    }
    drop(slow);
    assert!(recorder.handle().render().contains("sse_connections 1"));
}
