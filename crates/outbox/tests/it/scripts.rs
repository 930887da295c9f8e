//! Events that scripts insert by hand.

use outbox::EventStatus;

use crate::support::{Outbox, Wire, report, run};

testkit::on_each_database! {
    async fn a_row_from_a_script_with_the_contracts_columns_is_delivered(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let sql = if outbox.is_postgres() {
            "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status, attempts,
                next_attempt_at, last_error, created_at)
             VALUES (gen_random_uuid(), 'A', 'script', '{\"memberId\": 1}', 'PENDING', 0, now(), NULL, now())"
        } else {
            "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, status, attempts,
                next_attempt_at, last_error, created_at)
             SELECT 'e48c1b0e-0e3c-4f0b-9a3c-6d1f3a2b1c0d', 'A', 'script', '{\"memberId\": 1}', 'PENDING', 0,
                at, NULL, at FROM (SELECT strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now') AS at) AS clock"
        };
        outbox.execute(sql).await;
        // The script's clock is the database's, far from ours; what was never put off is due all the same.
        assert_eq!(run(&relay).await, report(1, 0, 0));
        assert_eq!(wire.calls.lock().unwrap()[0][0].payload["memberId"], 1);
    }

    async fn an_id_given_by_a_script_keeps_its_place(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.publish("A", "k").await;
        outbox.execute("UPDATE outbox_event SET id = 500").await;
        outbox.execute(
            "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload)
             VALUES (400, 'e48c1b0e-0e3c-4f0b-9a3c-6d1f3a2b1c0d', 'A', 'k', '{}')",
        ).await;
        run(&relay).await;
        assert_eq!(wire.asked(), [400, 500]);
    }

    async fn a_row_that_cannot_be_read_is_given_up_and_stops_nobody(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.execute(
            "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
             VALUES ('e48c1b0e-0e3c-4f0b-9a3c-6d1f3a2b1c0d', 'A', 'k', '1e999')",
        ).await;
        let good = outbox.publish("A", "k").await;
        assert_eq!(run(&relay).await, report(1, 0, 1));
        assert_eq!(wire.asked(), [good]);
        let stored = &outbox.stored().await[0];
        assert_eq!(stored.status, EventStatus::Dead);
        assert!(stored.last_error.as_ref().unwrap().contains("payload"));
    }
}
