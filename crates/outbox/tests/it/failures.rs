//! Failing deliveries: retries, backoff and dead events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use outbox::{
    ApplyError, DeliveryError, Destination, Event, EventStatus, RelayError, RouteError, Transport,
    audit, dead,
};

use crate::support::{Ledger, Outbox, Wire, bad_apply, bad_delivery, long_run, report, run};

testkit::on_each_database! {
    async fn a_failing_event_backs_off_exponentially_then_is_dead_and_releases_its_key(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", |event| {
            (event.payload == serde_json::json!({}) && event.id == 1)
                .then(|| DeliveryError::Failed("no luck".to_owned()))
        });
        let relay = outbox.relay().route("A", wire.to()).max_attempts(5).build().unwrap();
        let bad = outbox.publish("A", "k").await;
        let behind = outbox.publish("A", "k").await;

        for wait in [10, 20, 40, 60] {
            assert_eq!(run(&relay).await, report(0, 1, 0));
            let stored = &outbox.stored().await[0];
            let expected = outbox.now() + chrono::TimeDelta::seconds(wait);
            assert_eq!(stored.next_attempt_at, expected);
            outbox.advance(Duration::from_secs(wait.unsigned_abs() - 1));
            assert_eq!(run(&relay).await, report(0, 0, 0));
            outbox.advance(Duration::from_secs(1));
        }
        assert_eq!(run(&relay).await, report(1, 0, 1));
        assert_eq!(wire.asked(), [bad, bad, bad, bad, bad, behind]);
        let stored = outbox.stored().await;
        assert_eq!(stored.len(), 1);
        assert_eq!((stored[0].status, stored[0].attempts), (EventStatus::Dead, 5));
        assert_eq!(stored[0].last_error.as_deref(), Some("wire: no luck"));
    }

    async fn half_of_a_backoff_is_random(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let relay = outbox
            .relay()
            .jitter(Arc::new(|| 0.0))
            .route("A", wire.to())
            .build()
            .unwrap();
        outbox.publish("A", "bad").await;
        run(&relay).await;
        let stored = &outbox.stored().await[0];
        assert_eq!(stored.next_attempt_at, outbox.now() + chrono::TimeDelta::seconds(5));
    }

    async fn an_outage_of_a_destination_never_makes_an_event_dead(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let down = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&down);
        let wire = Wire::failing("wire", move |_| {
            state.load(Ordering::SeqCst).then(|| DeliveryError::Unavailable("refused".to_owned()))
        });
        let relay = outbox.relay().route("A", wire.to()).max_attempts(2).build().unwrap();
        let ids = [outbox.publish("A", "k").await, outbox.publish("A", "k").await];
        for wait in [10, 20, 30, 30, 30] {
            assert_eq!(run(&relay).await, report(0, 1, 0));
            let stored = &outbox.stored().await[0];
            assert_eq!((stored.status, stored.attempts), (EventStatus::Pending, 0));
            outbox.advance(Duration::from_secs(wait - 1));
            assert_eq!(run(&relay).await, report(0, 0, 0));
            outbox.advance(Duration::from_secs(1));
        }
        down.store(false, Ordering::SeqCst);
        assert_eq!(run(&relay).await, report(2, 0, 0));
        assert_eq!(wire.asked()[5..], ids);
    }

    async fn a_refused_event_is_dead_at_once(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire =
            Wire::failing("wire", |_| Some(DeliveryError::Refused("no such queue".to_owned())));
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.publish("A", "k").await;
        assert_eq!(run(&relay).await, report(0, 0, 1));
        assert_eq!(outbox.stored().await[0].status, EventStatus::Dead);
    }

    async fn an_event_of_an_unknown_type_backs_off_and_holds_its_key_back(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let old = outbox.relay().route("A", wire.to()).build().unwrap();
        let unknown = outbox.publish("NEW", "k").await;
        let next = outbox.publish("A", "k").await;
        let other = outbox.publish("A", "another").await;

        assert_eq!(run(&old).await, report(1, 1, 0));
        assert_eq!(wire.asked(), [other]);
        let stored = outbox.stored().await;
        assert_eq!((stored[0].id, stored[0].status, stored[0].attempts), (unknown, EventStatus::Pending, 1));
        assert_eq!(stored[0].last_error.as_deref(), Some("no route for event type \"NEW\""));

        // A newer program, which knows the type, delivers both in their order.
        let new = outbox.relay().route("A", wire.to()).route("NEW", wire.to()).build().unwrap();
        outbox.advance(Duration::from_secs(3600));
        assert_eq!(run(&new).await, report(2, 0, 0));
        assert_eq!(wire.asked(), [other, unknown, next]);
    }

    async fn two_events_of_an_unknown_type_wait_for_each_other(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox.relay().max_attempts(1).build().unwrap();
        outbox.publish("NEW", "k").await;
        outbox.publish("NEW", "k").await;
        assert_eq!(run(&relay).await, report(0, 0, 2));
        let stored = outbox.stored().await;
        assert!(stored.iter().all(|event| event.status == EventStatus::Dead && event.attempts == 1));
    }

    async fn a_batch_with_one_poisoned_event_is_applied_without_it(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", bad_apply);
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        let mut good = Vec::new();
        for n in 0..200 {
            good.push(outbox.publish("A", &format!("k{}", n % 50)).await);
            if n == 120 {
                outbox.publish("A", "bad").await;
            }
        }
        assert_eq!(run(&relay).await, report(200, 1, 0));
        let mut effects = outbox.effects().await;
        effects.sort_unstable();
        assert_eq!(effects, good);
        // Found by halving, not one by one.
        assert!(ledger.batches.lock().unwrap().len() < 20);
    }

    async fn a_culprit_that_the_projection_names_is_not_searched_for(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", |event| {
            event.aggregate_key.starts_with("bad").then(|| ApplyError::Event {
                id: event.id,
                reason: "unknown member".to_owned(),
            })
        });
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        for n in 0..30 {
            outbox.publish("A", &format!("k{n}")).await;
        }
        outbox.publish("A", "bad").await;
        assert_eq!(run(&relay).await, report(30, 1, 0));
        // The whole run in one transaction; then, read first, the batch, and what is left of it.
        assert_eq!(*ledger.batches.lock().unwrap(), [31, 31, 30]);
    }

    async fn a_broken_constraint_is_the_events_fault(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        outbox.execute("CREATE UNIQUE INDEX one_effect_per_key ON effect (key)").await;
        let relay = outbox.relay().route("A", Ledger::new().to()).build().unwrap();
        let first = outbox.publish("A", "k").await;
        let second = outbox.publish("A", "k").await;
        let other = outbox.publish("A", "other").await;

        assert_eq!(run(&relay).await, report(2, 1, 0));
        assert_eq!(outbox.effects().await, [first, other]);
        let stored = &outbox.stored().await[0];
        assert_eq!((stored.id, stored.attempts), (second, 1));
        assert!(stored.last_error.as_ref().unwrap().to_lowercase().contains("unique"));
    }

    async fn a_conflict_ends_the_run_and_counts_no_attempt(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", |_| Some(ApplyError::Conflict("version".to_owned())));
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        outbox.publish("A", "k").await;

        let error = relay.run(&long_run()).await.unwrap_err();
        assert!(error.is_conflict(), "{error:?}");
        assert_eq!(outbox.stored().await[0].attempts, 0);
        assert_eq!(outbox.effects().await, [0; 0]);
    }

    async fn an_outage_of_the_database_counts_no_attempt(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", |_| {
            Some(sqlx::Error::PoolClosed.into())
        });
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        outbox.publish("A", "k").await;
        let error = relay.run(&long_run()).await.unwrap_err();
        assert!(matches!(error, RelayError::Database(_)), "{error:?}");
        assert_eq!(outbox.stored().await[0].attempts, 0);
    }

    async fn a_panic_is_the_events_fault_and_stops_nobody(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", |event| {
            assert!(event.aggregate_key != "bad", "cannot divide");
            None
        });
        let ledger = Ledger::failing("ledger", |event| {
            assert!(event.aggregate_key != "bad", "cannot divide");
            None
        });
        let relay =
            outbox.relay().route("OUT", wire.to()).route("IN", ledger.to()).build().unwrap();
        outbox.publish("IN", "bad").await;
        let good = outbox.publish("IN", "good").await;
        run(&relay).await;
        assert_eq!(outbox.effects().await, [good]);
        outbox.execute("DELETE FROM outbox_event").await;
        outbox.publish("OUT", "bad").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        let error = outbox.stored().await[0].last_error.clone().unwrap();
        assert_eq!(error, "wire: panicked: cannot divide");
    }

    async fn an_error_text_that_cannot_be_stored_does_not_stop_the_relay(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", |_| {
            Some(DeliveryError::Failed(format!("nul \0 and {}", "long ".repeat(10_000))))
        });
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        outbox.publish("A", "k").await;
        assert_eq!(run(&relay).await, report(0, 1, 0));
        let error = outbox.stored().await[0].last_error.clone().unwrap();
        assert!(error.starts_with("wire: nul  and") && error.chars().count() == 2000);
    }

    async fn a_transport_that_answers_too_little_has_not_confirmed_the_rest(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let relay = outbox
            .relay()
            .route("A", Destination::Transport(Arc::new(Terse)))
            .build()
            .unwrap();
        outbox.publish("A", "k1").await;
        let silent = outbox.publish("A", "k2").await;
        assert_eq!(run(&relay).await, report(1, 1, 0));
        assert_eq!(outbox.stored_ids().await, [silent]);
    }

    async fn two_destinations_of_one_name_are_a_mistake(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let built = outbox.relay().route("A", Wire::new().to()).route("B", Wire::new().to()).build();
        assert!(matches!(built, Err(RouteError::SameName(name)) if name == "wire"));
        let wire = Wire::new();
        assert!(outbox.relay().route("A", wire.to()).route("B", wire.to()).build().is_ok());
    }
}

/// Answers for the first event of a batch only.
struct Terse;

#[async_trait]
impl Transport for Terse {
    fn name(&self) -> &str {
        "terse"
    }

    async fn deliver(&self, _events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        vec![Ok(())]
    }
}

/// The batch is read as one text: none of these must spoil it for the others, nor the list of the dead.
#[tokio::test]
async fn columns_that_are_no_text_in_sqlite_make_their_event_dead_and_stop_nobody() {
    let outbox = Outbox::new(testkit::Database::sqlite()).await;
    let ledger = Ledger::new();
    let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
    let bad = "CAST(x'22ff22' AS TEXT)";
    for (event_type, key, payload) in [
        ("'A'", "'k'", bad),
        (bad, "'k'", "'{}'"),
        ("'A'", bad, "'{}'"),
    ] {
        outbox
            .execute(&format!(
                "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload)
                 VALUES ('{}', {event_type}, {key}, {payload})",
                uuid::Uuid::new_v4()
            ))
            .await;
    }
    let next = outbox.publish("A", "k").await;
    assert_eq!(run(&relay).await, report(1, 0, 3));
    assert_eq!(outbox.effects().await, [next]);
    let given_up = dead::list(&outbox.db, 10, 0).await.unwrap();
    assert_eq!(given_up[1].event_type, "\"\u{fffd}\"");
    assert!(
        dead::replay(&outbox.db, given_up[2].id, "operator", outbox.now())
            .await
            .unwrap()
    );
    assert_eq!(audit::list(&outbox.db, None, 10).await.unwrap().len(), 1);
}
