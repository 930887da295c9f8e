//! The order of events within a key.

use std::time::Duration;

use outbox::{NewEvent, publish};
use serde_json::json;

use crate::support::{Ledger, Outbox, Wire, bad_apply, bad_delivery, report, run};

testkit::on_each_database! {
    async fn order_is_by_id_whatever_the_publishers_clocks_say(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let mut ids = Vec::new();
        for minutes in [5, -5, 0, 60] {
            let published = outbox.now() + chrono::TimeDelta::minutes(minutes);
            outbox.publish_at(NewEvent::new("A", "k", json!({})), published).await;
            ids.push(outbox.number("SELECT MAX(id) AS n FROM outbox_event").await);
        }
        assert_eq!(run(&relay).await, report(4, 0, 0));
        assert_eq!(wire.asked(), ids);
    }

    async fn a_failing_delivery_holds_back_its_own_key_only(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let bad = outbox.publish("A", "bad").await;
        let good = outbox.publish("A", "good").await;
        let behind = [outbox.publish("A", "bad").await, outbox.publish("A", "bad").await];
        let more = outbox.publish("A", "good").await;

        assert_eq!(run(&relay).await, report(2, 1, 0));
        assert_eq!(wire.asked(), [bad, good, more]);
        assert_eq!(outbox.stored_ids().await, [bad, behind[0], behind[1]]);
        let attempts: Vec<i32> = outbox.stored().await.iter().map(|event| event.attempts).collect();
        assert_eq!(attempts, [1, 0, 0]);
    }

    async fn a_failing_projection_holds_back_its_own_key_only(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let ledger = Ledger::failing("ledger", bad_apply);
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
        let bad = outbox.publish("A", "bad").await;
        let good = outbox.publish("A", "good").await;
        let behind = [outbox.publish("A", "bad").await, outbox.publish("A", "bad").await];
        let more = outbox.publish("A", "good").await;

        assert_eq!(run(&relay).await, report(2, 1, 0));
        assert_eq!(outbox.effects().await, [good, more]);
        assert_eq!(outbox.stored_ids().await, [bad, behind[0], behind[1]]);
    }

    async fn events_before_the_failing_one_of_a_key_are_delivered(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let first = outbox.publish("A", "k").await;
        let second = outbox.publish("A", "k").await;
        let third = outbox.publish("A", "k").await;
        let ledger = Ledger::failing("ledger", move |event| {
            (event.id == second).then(|| outbox::ApplyError::Failed("no".to_owned()))
        });
        let relay = outbox.relay().route("A", ledger.to()).build().unwrap();

        assert_eq!(run(&relay).await, report(1, 1, 0));
        assert_eq!(outbox.effects().await, [first]);
        assert_eq!(outbox.stored_ids().await, [second, third]);
    }

    async fn what_waits_behind_a_failing_event_goes_when_it_succeeds(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", |event| {
            (event.attempts == 0 && event.aggregate_key == "shy")
                .then(|| outbox::DeliveryError::Failed("not yet".to_owned()))
        });
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let first = outbox.publish("A", "shy").await;
        let second = outbox.publish("A", "calm").await;
        run(&relay).await;
        // Published while its predecessor waits.
        let third = outbox.publish("A", "shy").await;
        assert_eq!(run(&relay).await, report(0, 0, 0));
        outbox.advance(Duration::from_secs(10));
        run(&relay).await;

        // The third never failed before, so its own first attempt fails once too.
        assert_eq!(wire.asked(), [first, second, first, third]);
    }

    async fn a_key_keeps_its_order_across_destinations(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let ledger = Ledger::new();
        let relay =
            outbox.relay().route("OUT", wire.to()).route("IN", ledger.to()).build().unwrap();
        let mut bad = Vec::new();
        let mut good = Vec::new();
        for event_type in ["IN", "OUT", "IN", "OUT", "IN"] {
            bad.push(outbox.publish(event_type, "bad").await);
            good.push(outbox.publish(event_type, "good").await);
        }
        assert_eq!(run(&relay).await, report(6, 1, 0));
        assert_eq!(outbox.effects().await, [bad[0], good[0], good[2], good[4]]);
        assert_eq!(wire.asked(), [bad[1], good[1], good[3]]);
        assert_eq!(outbox.stored_ids().await, bad[1..]);
    }

    async fn a_hundred_poisoned_events_in_front_do_not_stop_the_good_ones(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let ledger = Ledger::failing("ledger", bad_apply);
        let relay = outbox
            .relay()
            .route("OUT", wire.to())
            .route("IN", ledger.to())
            .batch_size(20)
            .build()
            .unwrap();
        for n in 0..50 {
            outbox.publish("OUT", &format!("bad-out-{n}")).await;
            outbox.publish("IN", &format!("bad-in-{n}")).await;
        }
        outbox.publish("OUT", "good").await;
        let good = outbox.publish("IN", "good").await;

        assert_eq!(run(&relay).await, report(2, 100, 0));
        assert_eq!(outbox.effects().await, [good]);
        assert_eq!(outbox.stored().await.len(), 100);
    }

    async fn a_long_queue_behind_a_failing_event_does_not_hide_the_events_after_it(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::failing("wire", bad_delivery);
        let relay = outbox.relay().route("A", wire.to()).batch_size(10).build().unwrap();
        let bad = outbox.publish("A", "bad").await;
        let queue = (0..3000).map(|_| NewEvent::new("A", "bad", json!({}))).collect();
        outbox.publish_all_at(queue, outbox.now()).await;
        let good = outbox.publish("A", "good").await;

        assert_eq!(run(&relay).await, report(1, 1, 0));
        assert_eq!(wire.asked(), [bad, good]);
    }

    async fn gaps_in_the_ids_are_no_end(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).batch_size(10).build().unwrap();
        let mut ids = vec![1_000_000, 3, -5, i64::MAX - 1, i64::MIN + 1];
        for id in &ids {
            let event_id = uuid::Uuid::now_v7();
            outbox
                .execute(&format!(
                    "INSERT INTO outbox_event (id, event_id, event_type, aggregate_key, payload)
                     VALUES ({id}, '{event_id}', 'A', 'k', '{{}}')"
                ))
                .await;
        }
        assert_eq!(run(&relay).await, report(5, 0, 0));
        ids.sort_unstable();
        assert_eq!(wire.asked(), ids);
    }

    async fn an_event_put_off_by_its_publisher_waits_and_holds_back_its_key(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        let wire = Wire::new();
        let relay = outbox.relay().route("A", wire.to()).build().unwrap();
        let before = outbox.publish("A", "k").await;
        let later = outbox.publish("A", "k").await;
        let after = outbox.publish("A", "k").await;
        let other = outbox.publish("A", "other").await;
        let at = if outbox.is_postgres() { "2026-11-22T11:00:00Z" } else { "2026-11-22T11:00:00.000000+00:00" };
        outbox.execute(&format!("UPDATE outbox_event SET next_attempt_at = '{at}' WHERE id = {later}")).await;

        run(&relay).await;
        assert_eq!(wire.asked(), [before, other]);
        outbox.advance(Duration::from_secs(3600));
        run(&relay).await;
        assert_eq!(wire.asked(), [before, other, later, after]);
    }
}

#[tokio::test]
async fn a_smaller_id_that_commits_later_is_not_missed() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let ledger = Ledger::new();
    let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
    let mut early = outbox.db.begin().await.unwrap();
    publish(&mut early, NewEvent::new("A", "k", json!({})), outbox.now())
        .await
        .unwrap();
    let late = outbox.publish("A", "k").await;

    assert_eq!(run(&relay).await, report(1, 0, 0));
    assert_eq!(outbox.effects().await, [late]);
    early.commit().await.unwrap();
    assert_eq!(run(&relay).await, report(1, 0, 0));
    assert_eq!(outbox.effects().await, [late, late - 1]);
}

/// A deletion that is rolled back leaves its mark in the row, and costs as much as one that is not.
#[tokio::test]
async fn while_an_event_waits_no_run_takes_it_out_and_puts_it_back() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let ledger = Ledger::failing("ledger", bad_apply);
    let relay = outbox.relay().route("A", ledger.to()).build().unwrap();
    outbox.publish("A", "bad").await;
    assert_eq!(run(&relay).await, report(0, 1, 0));
    assert_eq!(run(&relay).await, report(0, 0, 0));
    let touched = "SELECT MAX(xmax::text::bigint) AS n FROM outbox_event";
    assert_eq!(outbox.number(touched).await, 0);
}
