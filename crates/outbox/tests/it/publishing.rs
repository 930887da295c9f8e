//! Publishing in the transaction of the caller.

use std::time::Duration;

use outbox::{NewEvent, Signal, publish, publish_all};
use serde_json::{Value, json};

use crate::support::{Ledger, Outbox, Wire, report, run};

testkit::on_each_database! {
    async fn a_published_event_is_applied_once_and_deleted(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::new();
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        let id = outbox.publish("A", "k").await;

        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(run(&relay).await, report(0, 0, 0));
        assert_eq!(outbox.effects().await, [id]);
        assert_eq!(outbox.stored_ids().await, [0; 0]);
        assert_eq!(*ledger.committed.lock().unwrap(), [id]);
    }

    async fn a_publish_that_is_rolled_back_is_never_delivered(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let mut tx = outbox.db.begin().await.unwrap();
        publish(&mut tx, NewEvent::new("A", "k", json!({})), outbox.now()).await.unwrap();
        tx.rollback().await;

        assert_eq!(run(&relay).await, report(0, 0, 0));
        assert_eq!(wire.asked(), [0; 0]);
    }

    async fn a_bulk_keeps_its_order_over_several_statements(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).batch_size(700).build().unwrap();
        let events = (0..2500)
            .map(|n| NewEvent::new("A", format!("k{}", n % 7), json!({ "n": n })))
            .collect();
        let mut tx = outbox.db.begin().await.unwrap();
        assert_eq!(publish_all(&mut tx, events, outbox.now()).await.unwrap(), 2500);
        tx.commit().await.unwrap();

        assert_eq!(run(&relay).await, report(2500, 0, 0));
        let calls = wire.calls.lock().unwrap();
        for key in 0..7 {
            let key = format!("k{key}");
            let of_key: Vec<i64> = calls
                .iter()
                .flatten()
                .filter(|event| event.aggregate_key == key)
                .map(|event| event.payload["n"].as_i64().unwrap())
                .collect();
            assert!(of_key.is_sorted() && of_key.len() > 300, "{key}: {of_key:?}");
        }
    }

    async fn a_payload_arrives_as_it_was_published(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let payloads: Vec<Value> = vec![
            json!({ "제목": "한국어 \"인용\" \\ \n", "n": 9_007_199_254_740_993_i64, "nested": [1, null, { "x": 0.5 }] }),
            json!("text"),
            json!(7),
            json!(null),
            json!([]),
        ];
        let mut tx = outbox.db.begin().await.unwrap();
        let mut ids = Vec::new();
        for payload in &payloads {
            let event = NewEvent::new("A", "single", payload.clone());
            ids.push(publish(&mut tx, event, outbox.now()).await.unwrap());
        }
        let bulk = payloads.iter().map(|payload| NewEvent::new("A", "bulk", payload.clone()));
        publish_all(&mut tx, bulk.collect(), outbox.now()).await.unwrap();
        tx.commit().await.unwrap();
        run(&relay).await;

        let calls = wire.calls.lock().unwrap();
        for key in ["single", "bulk"] {
            let arrived: Vec<_> =
                calls.iter().flatten().filter(|event| event.aggregate_key == key).collect();
            let found: Vec<Value> = arrived.iter().map(|event| event.payload.clone()).collect();
            assert_eq!(found, payloads);
            assert!(arrived.iter().all(|event| event.created_at == outbox.now()));
        }
        let found: Vec<_> = calls
            .iter()
            .flatten()
            .filter(|event| event.aggregate_key == "single")
            .map(|event| event.event_id)
            .collect();
        assert_eq!(found, ids);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    async fn nothing_published_is_no_error(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        assert_eq!(outbox.publish_all_at(vec![], outbox.now()).await, 0);
    }

    async fn an_id_is_not_given_again_after_its_event_is_gone(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox.relay().route("A", Wire::new().to()).build().unwrap();
        let first = outbox.publish("A", "k").await;
        run(&relay).await;
        assert!(outbox.publish("A", "k").await > first);
    }

    async fn the_backlog_is_counted_with_its_age(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox.relay().max_attempts(1).build().unwrap();
        outbox.publish("NOWHERE", "k").await;
        run(&relay).await;
        let published = outbox.now();
        outbox.publish("A", "k").await;
        outbox.advance(Duration::from_secs(90));
        outbox.publish("A", "k").await;

        let backlog = outbox::backlog(&outbox.db).await.unwrap();
        assert_eq!((backlog.pending.count, backlog.dead.count), (2, 1));
        assert_eq!(backlog.pending.oldest_created_at, Some(published));
        assert_eq!(backlog.oldest_age(outbox.now()), Duration::from_secs(90));
    }

    async fn a_backlog_is_counted_up_to_a_hundred_thousand(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let event_id = if outbox.is_postgres() { "gen_random_uuid()" } else { "n" };
        outbox.execute(&format!(
            "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status)
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100010)
             SELECT {event_id}, 'A', 'k', '{{}}', CASE WHEN n < 4 THEN 'DEAD' ELSE 'PENDING' END FROM numbers"
        )).await;
        let backlog = outbox::backlog(&outbox.db).await.unwrap();
        assert_eq!((backlog.pending.count, backlog.dead.count), (100_000, 3));
    }
}

#[tokio::test]
async fn a_signal_before_the_wait_is_not_lost_and_many_are_one() {
    let signal = Signal::new();
    signal.notify();
    signal.clone().notify();
    signal.notified().await;
    let mut again = std::pin::pin!(signal.notified());
    assert!(futures::poll!(again.as_mut()).is_pending());
    signal.notify();
    again.await;
}
