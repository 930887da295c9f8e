//! What the database itself does wrong, and runs that end anywhere.

use std::{collections::HashSet, pin::pin, sync::Arc, task::Poll};

use async_trait::async_trait;
use outbox::{
    ApplyError, Connection, Destination, Event, NewEvent, Projection, RelayError, RelayReport,
    Statements,
};
use serde_json::json;

use crate::support::{Ledger, Outbox, Wire, long_run, report, run};

/// Runs a statement in place of an effect.
struct Script(&'static str);

#[async_trait]
impl Projection for Script {
    fn name(&self) -> &str {
        "script"
    }

    async fn apply(&self, tx: &mut Connection<'_>, _events: &[Event]) -> Result<(), ApplyError> {
        tx.script(self.0).await?;
        Ok(())
    }
}

async fn error_of(outbox: &Outbox, sql: &'static str) -> RelayError {
    let script = Destination::Projection(Arc::new(Script(sql)));
    let relay = outbox.relay().route("A", script).build().unwrap();
    relay.run(&long_run()).await.unwrap_err()
}

#[tokio::test]
async fn postgres_conflicts_are_known_as_such() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    outbox.publish("A", "k").await;
    for conflict in [
        "DO $$ BEGIN RAISE EXCEPTION 'serialization' USING ERRCODE = '40001'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'lock' USING ERRCODE = '55P03'; END $$",
    ] {
        let error = error_of(&outbox, conflict).await;
        assert!(error.is_conflict(), "{error:?}");
    }
    assert_eq!(outbox.stored().await[0].attempts, 0);
}

#[tokio::test]
async fn a_lost_connection_is_no_events_fault_and_the_next_run_has_a_new_one() {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    let id = outbox.publish("A", "k").await;
    let error = error_of(&outbox, "SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert!(matches!(error, RelayError::Database(_)), "{error:?}");
    assert_eq!(outbox.stored().await[0].attempts, 0);
    let relay = outbox
        .relay()
        .route("A", Ledger::new().to())
        .build()
        .unwrap();
    assert_eq!(run(&relay).await, report(1, 0, 0));
    assert_eq!(outbox.effects().await, [id]);
}

#[tokio::test]
async fn a_busy_sqlite_database_is_a_conflict() {
    let outbox = Outbox::new(testkit::Database::sqlite()).await;
    outbox.publish("A", "k").await;
    outbox.execute("PRAGMA busy_timeout = 0").await;
    let other = outbox.database.connect().await;
    let mut writer = other.begin().await.unwrap();
    writer
        .script("INSERT INTO effect (seq, event, key) VALUES (-1, 0, 'other')")
        .await
        .unwrap();
    let relay = outbox
        .relay()
        .route("A", Ledger::new().to())
        .build()
        .unwrap();
    let error = relay.run(&long_run()).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    writer.rollback().await;
    assert_eq!(run(&relay).await, report(1, 0, 0));
}

/// Polls a future so many times and then drops it, as a crash would.
async fn dropped_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

testkit::on_each_database! {
    async fn a_run_that_ends_anywhere_loses_nothing_and_applies_nothing_twice(
        db: testkit::Database,
    ) {
        let outbox = Outbox::new(db).await;
        let (ledger, wire) = (Ledger::new(), Wire::new());
        let relay = outbox
            .relay()
            .route("IN", ledger.to())
            .route("OUT", wire.to())
            .route("BOTH", wire.to())
            .route("BOTH", ledger.to())
            .batch_size(7)
            .build()
            .unwrap();
        let mut cut = 0;
        for round in 0..60 {
            let events = (0..10)
                .map(|n| NewEvent::new(["IN", "OUT", "BOTH"][n % 3], format!("k{}", n % 4), json!({})))
                .collect();
            outbox.publish_all_at(events, outbox.now()).await;
            let all = long_run();
            let ended: Option<Result<RelayReport, _>> =
                dropped_after(1 + round, relay.run(&all)).await;
            cut += u32::from(ended.is_none());
        }
        run(&relay).await;

        assert!(cut > 30, "only {cut} runs were cut short");
        assert_eq!(outbox.stored_ids().await, [0; 0]);
        let effects = outbox.effects().await;
        let applied: HashSet<i64> = effects.iter().copied().collect();
        // Of ten events, four are IN and three are BOTH; three are OUT.
        assert_eq!((effects.len(), applied.len()), (60 * 7, 60 * 7));
        let calls = wire.calls.lock().unwrap();
        let mut first = HashSet::new();
        let mut order = std::collections::HashMap::<String, i64>::new();
        for event in calls.iter().flatten().filter(|event| first.insert(event.id)) {
            let last = order.insert(event.aggregate_key.clone(), event.id);
            assert!(last.is_none_or(|last| last < event.id), "{event:?} after {last:?}");
        }
        assert_eq!(first.len(), 60 * 6);
    }
}

#[tokio::test]
async fn a_transaction_begun_ahead_of_a_slow_projection_is_not_used_when_the_server_may_have_ended_it()
 {
    let mut outbox = Outbox::new(testkit::Database::postgres().await).await;
    outbox
        .db
        .script(
            "CREATE SEQUENCE turn;
             DO $$ BEGIN EXECUTE format(
                 'ALTER DATABASE %I SET idle_in_transaction_session_timeout = 2500', current_database()); END $$",
        )
        .await
        .unwrap();
    // Sessions that begin from now on.
    outbox.db = outbox.database.connect().await;
    for _ in 0..3 {
        outbox.publish("A", "k").await;
    }
    // The third range's transaction waits while the second is at work.
    let slow = Script("SELECT CASE WHEN nextval('turn') = 2 THEN pg_sleep(3) END");
    let slow = Destination::Projection(Arc::new(slow));
    let relay = outbox.relay().route("A", slow).batch_size(1).build();
    assert_eq!(run(&relay.unwrap()).await.delivered, 3);
}
