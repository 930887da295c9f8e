//! Publishing a stream of many events.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use futures::{FutureExt, stream};
use outbox::{
    Bulk, BulkError, BulkReport, Connection, EventQuery, Fence, FenceError, NewEvent, Statements,
    TraceParent, publish_select, trace,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Outbox, Wire, report, run};

const RESETS: EventQuery = EventQuery {
    postgres: "SELECT 'member:' || n AS aggregate_key, -n AS place,
            jsonb_build_object('version', 1, 'memberId', n, 'week', $3::text) AS payload
        FROM generate_series($1::int, $2::int) AS numbers (n)",
    sqlite:
        "WITH RECURSIVE numbers (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
        SELECT 'member:' || n AS aggregate_key, -n AS place,
            json_object('version', 1, 'memberId', n, 'week', $3) AS payload
        FROM numbers",
};

fn events(count: usize) -> impl Iterator<Item = NewEvent> {
    (0..count).map(|n| NewEvent::new("A", "k", json!({ "n": n })))
}

/// Vouches so many times.
struct Times(AtomicU64);

#[async_trait]
impl Fence for Times {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        let left = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| FenceError::Lost)
    }
}

testkit::on_each_database! {
    async fn what_a_query_gives_is_published_in_its_order_with_names_made_by_the_database(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("WEEKLY_RESET", wire.to()).build().unwrap();
        let values = || vec![1.into(), 500.into(), "2026-W47".into()];
        let current = TraceParent::new();
        let mut tx = outbox.db.begin().await.unwrap();
        let publishing = publish_select(&mut tx, "WEEKLY_RESET", RESETS, values(), outbox.now());
        assert_eq!(trace::scope(current, publishing).await.unwrap(), 500);
        tx.commit().await.unwrap();
        let stored = outbox.stored().await;
        let keys: Vec<_> = stored.iter().map(|event| event.aggregate_key.clone()).collect();
        let expected: Vec<_> = (1..=500).rev().map(|n| format!("member:{n}")).collect();
        assert_eq!(keys, expected, "in the order of `place`");

        assert_eq!(run(&relay).await, report(500, 0, 0));
        let calls = wire.calls.lock().unwrap();
        let mut names = std::collections::HashSet::new();
        for event in calls.iter().flatten() {
            assert_eq!(event.event_id.get_version_num(), 7);
            assert_eq!(event.event_id.get_variant(), uuid::Variant::RFC4122);
            assert!(names.insert(event.event_id));
            assert_eq!((event.traceparent, event.created_at), (Some(current), outbox.now()));
            assert_eq!((&event.payload["version"], &event.payload["week"]), (&json!(1), &json!("2026-W47")));
            assert_eq!(event.aggregate_key, format!("member:{}", event.payload["memberId"]));
        }
    }

    async fn a_query_that_is_rolled_back_publishes_nothing(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let mut tx = outbox.db.begin().await.unwrap();
        let values = vec![1.into(), 10.into(), "w".into()];
        publish_select(&mut tx, "A", RESETS, values, outbox.now()).await.unwrap();
        tx.rollback().await;
        assert_eq!(outbox.stored_ids().await, [0; 0]);
    }

    async fn a_stream_is_published_in_transactions_of_bounded_rows(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock()).at_once(1000, usize::MAX);
        let mut told = Vec::new();
        let done = bulk.publish(stream::iter(events(2500)), |n| told.push(n)).await.unwrap();
        assert_eq!(done, BulkReport { published: 2500, complete: true });
        assert_eq!(told, [1000, 2000, 2500]);

        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        run(&relay).await;
        let calls = wire.calls.lock().unwrap();
        let order = calls.iter().flatten().map(|event| event.payload["n"].as_u64().unwrap());
        assert!(order.eq(0..2500));
    }

    async fn and_of_bounded_bytes_whatever_one_event_takes(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let big = || NewEvent::new("A", "k", json!("x".repeat(6000)));
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock()).at_once(1000, 10_000);
        let mut told = Vec::new();
        bulk.publish(stream::iter((0..5).map(|_| big())), |n| told.push(n)).await.unwrap();
        assert_eq!(told, [2, 4, 5]);
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock()).at_once(1000, 0);
        told.clear();
        bulk.publish(stream::iter([big(), big()]), |n| told.push(n)).await.unwrap();
        assert_eq!(told, [1, 2]);
    }

    async fn a_bulk_that_is_cancelled_tells_what_was_committed(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let cancel = CancellationToken::new();
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock())
            .at_once(100, usize::MAX)
            .cancellation(cancel.clone());
        let stop = |published| if published == 200 { cancel.cancel() };
        let done = bulk.publish(stream::iter(events(1000)), stop).await.unwrap();
        assert_eq!(done, BulkReport { published: 200, complete: false });
        assert_eq!(outbox.stored_ids().await.len(), 200);
        // Not even a stream that has nothing to give keeps it.
        let done = bulk.publish(stream::pending(), |_| ()).now_or_never();
        assert!(!done.unwrap().unwrap().complete);
    }

    async fn a_bulk_whose_guard_does_not_vouch_publishes_no_more(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock())
            .at_once(100, usize::MAX)
              .fence(Arc::new(Times(AtomicU64::new(3))));
        let error = bulk.publish(stream::iter(events(1000)), |_| ()).await.unwrap_err();
        assert!(matches!(error, BulkError::Fence { published: 300, .. }), "{error}");
        assert_eq!(outbox.stored_ids().await.len(), 300);
    }

    async fn a_bulk_that_fails_keeps_whole_transactions(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let refuse = if outbox.is_postgres() {
            "ALTER TABLE outbox_event ADD CHECK (payload -> 'n' < '250')"
        } else {
            "CREATE TRIGGER refuse BEFORE INSERT ON outbox_event WHEN new.payload ->> 'n' >= 250
                BEGIN SELECT RAISE(ABORT, 'refused'); END"
        };
        outbox.db.script(refuse).await.unwrap();
        let bulk = Bulk::new(outbox.db.clone(), outbox.clock()).at_once(100, usize::MAX);
        let error = bulk.publish(stream::iter(events(1000)), |_| ()).await.unwrap_err();
        assert!(matches!(error, BulkError::Outbox { published: 200, .. }), "{error}");
        assert_eq!(outbox.stored_ids().await.len(), 200);
    }
}
