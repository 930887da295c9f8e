//! The trace of an event, from its publish to its delivery.

use outbox::{NewEvent, Statements, TraceParent, trace};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Outbox, Wire, report, run};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn read(text: &str) -> Option<TraceParent> {
    text.parse().ok()
}

#[test]
fn what_is_read_is_written_again() {
    let trace = read(TRACE).unwrap();
    assert_eq!(trace.to_string(), TRACE);
    assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let unsampled = TRACE.replace("-01", "-00");
    assert_eq!(read(&unsampled).unwrap().to_string(), unsampled);
    // Flags that the standard does not define are not handed on.
    let flagged = read(&TRACE.replace("-01", "-ff")).unwrap();
    assert_eq!(flagged, trace);
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known_and_written_as_version_00() {
    let trace = read(TRACE).unwrap();
    for later in [
        TRACE.replacen("00", "01", 1),
        TRACE.replacen("00", "cc", 1) + "-what-the-future-holds",
        TRACE.replacen("00", "fe", 1) + "-",
    ] {
        assert_eq!(read(&later), Some(trace), "{later}");
    }
}

#[test]
fn what_the_standard_calls_invalid_is_refused() {
    let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    let zero_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
    let bad = [
        String::new(),
        zero_trace.to_owned(),
        zero_parent.to_owned(),
        TRACE.to_uppercase(),
        TRACE.replacen("00", "ff", 1),
        TRACE.replacen("00", "0", 1),
        TRACE.replacen("00", "0x", 1),
        TRACE.to_owned() + "-more",
        TRACE.replacen("00", "cc", 1) + ".more",
        TRACE.replacen("00", "cc", 1)[..54].to_owned(),
        TRACE.replace('-', "_"),
        TRACE.replace("-01", "-0g"),
        format!(" {TRACE}"),
        TRACE.replace("4b", "한"),
    ];
    for text in bad {
        assert_eq!(read(&text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,60}", version in "[0-9a-f]{2}") {
        let _read = read(&text);
        let _read = read(&format!("{version}-{text}"));
    }
}

#[test]
fn a_child_is_another_step_of_the_same_trace() {
    let (one, other) = (TraceParent::new(), TraceParent::new());
    assert_ne!(one.trace_id(), other.trace_id());
    assert_eq!(read(&one.to_string()), Some(one));
    let child = one.child();
    assert_eq!(child.trace_id(), one.trace_id());
    assert_ne!(child, one);
}

#[tokio::test]
async fn a_spawned_task_is_in_the_trace_only_if_it_inherits_it() {
    let outer = TraceParent::new();
    assert_eq!(trace::current(), None);
    trace::scope(outer, async {
        assert_eq!(trace::current(), Some(outer));
        let plain = tokio::spawn(async { trace::current() });
        assert_eq!(plain.await.unwrap(), None);
        let inherited = tokio::spawn(trace::inherit(async { trace::current() }));
        assert_eq!(inherited.await.unwrap(), Some(outer));
        trace::scope(None, async { assert_eq!(trace::current(), None) }).await;
    })
    .await;
    assert_eq!(trace::current(), None);
}

testkit::on_each_database! {
    async fn an_event_carries_its_own_trace_or_that_of_its_publisher(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let (own, current) = (TraceParent::new(), TraceParent::new());
        let event = || NewEvent::new("A", "k", json!({}));
        let publish_each = async || {
            for event in [event(), event().with_trace(own)] {
                outbox.publish_at(event, outbox.now()).await;
            }
            let all = vec![event(), event().with_trace(own)];
            outbox.publish_all_at(all, outbox.now()).await;
        };
        publish_each().await;
        trace::scope(current, publish_each()).await;
        let stored = outbox.stored().await;
        assert_eq!((&stored[0].trace_id, &stored[4].trace_id), (&None, &Some(current.trace_id())));

        assert_eq!(run(&relay).await, report(8, 0, 0));
        let calls = wire.calls.lock().unwrap();
        let traces: Vec<_> = calls.iter().flatten().map(|event| event.traceparent).collect();
        let (own, current) = (Some(own), Some(current));
        assert_eq!(traces, [None, own, None, own, current, own, current, own]);
    }

    async fn a_trace_that_cannot_be_read_does_not_stop_its_event(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.publish("A", "k").await;
        outbox.execute("UPDATE outbox_event SET traceparent = 'nonsense'").await;
        assert_eq!(outbox.stored().await[0].trace_id, None);
        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(wire.calls.lock().unwrap()[0][0].traceparent, None);
    }

    async fn a_table_of_an_earlier_version_gets_the_column_and_keeps_its_events(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;
        outbox.db.script("ALTER TABLE outbox_event DROP COLUMN traceparent").await.unwrap();
        outbox::schema::create_tables(&outbox.db).await.unwrap();
        run(&relay).await;
        assert_eq!(wire.asked(), [id]);
    }
}
