//! What a projection may do to the connection that it borrows, and what is left of the promise then.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use outbox::{ApplyError, Connection, Destination, Event, EventStatus, Projection, Statements};
use sqlx::Connection as _;

use crate::support::{Outbox, long_run, run};

const NOTE: &str =
    "INSERT INTO effect (seq, event, key) SELECT COALESCE(MAX(seq), 0) + 1, $1, 'k' FROM effect";

#[derive(Clone, Copy)]
enum Manner {
    /// A savepoint whose `begin` is given up half-way.
    GivenUpSavepoint,
    /// The transaction ended and begun again, by hand.
    EndedByHand,
    /// A savepoint that is never ended.
    ForgottenSavepoint,
    /// A savepoint as it should be.
    Savepoint,
}

struct Borrower(Manner);

impl Borrower {
    #[allow(clippy::mem_forget, reason = "what a borrower may do, wrongly")]
    async fn misbehave(&self, connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
        match self.0 {
            // A quick server may have answered already.
            Manner::GivenUpSavepoint => while connection.begin().now_or_never().is_some() {},
            Manner::EndedByHand => {
                sqlx::raw_sql("COMMIT; BEGIN").execute(connection).await?;
            }
            Manner::ForgottenSavepoint => std::mem::forget(connection.begin().await?),
            Manner::Savepoint => connection.begin().await?.commit().await?,
        }
        Ok(())
    }
}

#[async_trait]
impl Projection for Borrower {
    fn name(&self) -> &str {
        "borrower"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        self.misbehave(tx.postgres()?).await?;
        for event in events {
            sqlx::query(NOTE)
                .bind(event.id)
                .execute(tx.postgres()?)
                .await?;
        }
        Ok(())
    }
}

async fn outbox_with(manner: Manner) -> (Outbox, outbox::Relay) {
    let outbox = Outbox::new(testkit::Database::postgres().await).await;
    for _ in 0..5 {
        outbox.publish("A", "k").await;
    }
    let borrower = Destination::Projection(Arc::new(Borrower(manner)));
    let relay = outbox
        .relay()
        .max_attempts(1)
        .route("A", borrower)
        .build()
        .unwrap();
    (outbox, relay)
}

#[tokio::test]
async fn a_savepoint_that_was_given_up_half_way_applies_nothing_twice() {
    let (outbox, relay) = outbox_with(Manner::GivenUpSavepoint).await;
    for _ in 0..3 {
        drop(relay.run(&long_run()).await);
    }
    assert_eq!(outbox.effects().await, Vec::<i64>::new());
    // Nothing is lost either: they are kept as dead.
    assert_eq!(outbox.stored().await.len(), 5);
    // And the pool is clean.
    outbox.publish("A", "k").await;
    assert_eq!(outbox.stored().await.len(), 6);
}

#[tokio::test]
async fn a_savepoint_that_is_never_ended_commits_nothing() {
    let (outbox, relay) = outbox_with(Manner::ForgottenSavepoint).await;
    drop(relay.run(&long_run()).await);
    assert_eq!(outbox.effects().await, Vec::<i64>::new());
    assert_eq!(outbox.stored().await.len(), 5);
}

#[tokio::test]
async fn a_transaction_that_was_ended_by_hand_is_found_out() {
    let (_outbox, relay) = outbox_with(Manner::EndedByHand).await;
    let report = relay.run(&long_run()).await;
    assert!(
        report.is_err() || report.as_ref().unwrap().delivered == 0,
        "{report:?}"
    );
}

#[tokio::test]
async fn a_savepoint_that_is_ended_in_order_is_as_good_as_any_statement() {
    let (outbox, relay) = outbox_with(Manner::Savepoint).await;
    assert_eq!(run(&relay).await.delivered, 5);
    assert_eq!(outbox.effects().await.len(), 5);
}

/// Adds the event's number to a table whose constraint is checked at the commit.
struct Deferred;

#[async_trait]
impl Projection for Deferred {
    fn name(&self) -> &str {
        "deferred"
    }

    async fn apply(&self, tx: &mut Connection<'_>, events: &[Event]) -> Result<(), ApplyError> {
        for event in events {
            let parent = if event.aggregate_key == "bad" { 2 } else { 1 };
            let add = "INSERT INTO child (event, parent) VALUES ($1, $2)";
            tx.run(add, vec![event.id.into(), parent.into()]).await?;
        }
        Ok(())
    }
}

testkit::on_each_database! {
    async fn a_constraint_that_is_checked_at_the_commit_costs_its_own_event_alone(db: testkit::Database) {
        let outbox = Outbox::new(db).await;
        outbox.execute("CREATE TABLE parent (id BIGINT PRIMARY KEY)").await;
        outbox.execute("INSERT INTO parent VALUES (1)").await;
        outbox.execute("CREATE TABLE child (event BIGINT, parent BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)").await;
        for key in ["a", "bad", "b", "c"] {
            outbox.publish("A", key).await;
        }
        let deferred = Destination::Projection(Arc::new(Deferred));
        let relay = outbox.relay().max_attempts(1).route("A", deferred).build().unwrap();
        let report = run(&relay).await;
        assert_eq!((report.delivered, report.dead), (3, 1));
        let stored = outbox.stored().await;
        assert_eq!((stored.len(), stored[0].status), (1, EventStatus::Dead));
        assert!(stored[0].last_error.as_ref().unwrap().to_lowercase().contains("foreign key"));
    }
}
