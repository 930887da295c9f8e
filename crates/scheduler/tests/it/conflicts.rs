//! Conflicts: which errors are some, and how they are retried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Event, JobError, Retry, RunStatus};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::support::*;

fn is_conflict(error: impl Into<JobError>) -> bool {
    matches!(error.into(), JobError::Conflict(_))
}

async fn mode(world: &World, mode: Option<SqliteTransactionMode>) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: mode,
        ..TransactionOptions::default()
    };
    world.db.begin_with_options(options).await.unwrap()
}

#[tokio::test]
async fn two_postgres_transactions_that_wait_for_each_other_conflict() {
    let world = World::new(testkit::Database::postgres().await).await;
    world
        .db
        .execute_unprepared("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)")
        .await
        .unwrap();
    let (one, two) = (mode(&world, None).await, mode(&world, None).await);
    let update = |n: u32| format!("UPDATE t SET n = n WHERE n = {n}");
    one.execute_unprepared(&update(1)).await.unwrap();
    two.execute_unprepared(&update(2)).await.unwrap();
    let (first, second) = (update(2), update(1));
    let (first, second) = tokio::join!(one.execute_unprepared(&first), async {
        let done = two.execute_unprepared(&second).await;
        // Lets the other one through, whichever is refused.
        two.rollback().await.unwrap();
        done
    });
    let refused = [first.err(), second.err()].into_iter().flatten();
    let refused: Vec<_> = refused.map(is_conflict).collect();
    assert_eq!(refused, [true], "one of them is the victim");
}

#[tokio::test]
async fn a_sqlite_transaction_that_read_before_another_wrote_conflicts_when_it_writes() {
    let world = World::new(testkit::Database::sqlite()).await;
    let other = world.database.connect().await;
    other
        .execute_unprepared("CREATE TABLE t (n INTEGER)")
        .await
        .unwrap();
    let reader = mode(&world, Some(SqliteTransactionMode::Deferred)).await;
    reader
        .execute_unprepared("SELECT count(*) FROM t")
        .await
        .unwrap();
    other
        .execute_unprepared("INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let error = reader.execute_unprepared("INSERT INTO t VALUES (2)").await;
    assert!(is_conflict(error.unwrap_err()));
}

#[test]
fn an_update_that_found_its_row_changed_conflicts_and_a_missing_row_does_not() {
    assert!(is_conflict(DbErr::RecordNotUpdated));
    assert!(!is_conflict(DbErr::RecordNotFound("member 7".to_owned())));
}

testkit::on_each_database! {
    async fn the_drivers_own_errors_are_told_apart_as_well(db: testkit::Database) {
        use sea_orm::sqlx;
        let world = World::new(db).await;
        let error = match world.db.get_database_backend() {
            DbBackend::Sqlite => {
                let other = world.database.connect().await;
                other.execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();
                let _writer = mode(&world, Some(SqliteTransactionMode::Immediate)).await;
                sqlx::query("CREATE TABLE u (n INTEGER)").execute(other.get_sqlite_connection_pool()).await.unwrap_err()
            }
            _ => {
                world.db.execute_unprepared("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
                let mut tx = world.db.get_postgres_connection_pool().begin().await.unwrap();
                sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await.unwrap();
                sqlx::query("SELECT n FROM t").execute(&mut *tx).await.unwrap();
                world.db.execute_unprepared("UPDATE t SET n = 2").await.unwrap();
                sqlx::query("UPDATE t SET n = 3").execute(&mut *tx).await.unwrap_err()
            }
        };
        assert!(is_conflict(error));
        assert!(!is_conflict(sqlx::Error::PoolTimedOut));
    }

    async fn growing_pauses_are_kept_on_the_schedulers_clock_and_every_attempt_is_told(db: testkit::Database) {
        let world = World::new(db).await;
        let calls = Arc::new(AtomicU32::new(0));
        let retry = Retry::exponential(4, Duration::from_secs(10), Duration::from_secs(25));
        let job = daily("job").retry(retry).run(move |context| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                assert_eq!(context.retry(), call);
                Err::<u64, _>(JobError::conflict(format!("version {call}")))
            }
        });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        let run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await.unwrap() } });
        let mut now = at(TEN_TO_FOUR);
        for (n, full) in [(1, 10), (2, 20), (3, 25)] {
            let (retries, again, error) = signals.next("a retry", |event| match event {
                Event::Retrying { retries, at, error, .. } => Some((retries, at, error)),
                _ => None,
            }).await;
            assert_eq!((retries, error), (n, format!("version {}", n - 1)));
            let pause = again - now;
            assert!(pause <= TimeDelta::seconds(full) && pause >= TimeDelta::seconds(full) / 2, "{pause}");
            now = again;
            world.clock.set(now);
        }
        let run = run.await.unwrap();
        assert_eq!((run.status, run.retries), (RunStatus::Failed, 3));
        assert_eq!(
            run.error.as_deref(),
            Some("conflict with another writer in each of 4 attempts: 1: version 0; 2: version 1; 3: version 2; 4: version 3")
        );
    }
}
