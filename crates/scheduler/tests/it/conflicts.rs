//! Conflicts: which errors are some, and how they are retried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use ground::Statements;
use scheduler::testkit::Signals;
use scheduler::{Event, JobError, Retry, RunStatus};
use sqlx::AssertSqlSafe;

use crate::support::*;

fn is_conflict(error: impl Into<JobError>) -> bool {
    matches!(error.into(), JobError::Conflict(_))
}

#[tokio::test]
async fn two_postgres_transactions_that_wait_for_each_other_conflict() {
    let world = World::new(testkit::Database::postgres().await).await;
    world
        .db
        .script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)")
        .await
        .unwrap();
    let mut one = world.db.begin().await.unwrap();
    let mut two = world.db.begin().await.unwrap();
    let update = |n: u32| AssertSqlSafe(format!("UPDATE t SET n = n WHERE n = {n}"));
    one.run(update(1), vec![]).await.unwrap();
    two.run(update(2), vec![]).await.unwrap();
    let (first, second) = tokio::join!(one.run(update(2), vec![]), async {
        let done = two.run(update(1), vec![]).await;
        // Lets the other one through, whichever is refused.
        two.rollback().await;
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
    other.script("CREATE TABLE t (n INTEGER)").await.unwrap();
    let mut reader = world.db.begin_snapshot().await.unwrap();
    let count = reader.raw_row("SELECT count(*) FROM t", vec![]).await;
    count.unwrap();
    other.script("INSERT INTO t VALUES (1)").await.unwrap();
    let error = reader.run("INSERT INTO t VALUES (2)", vec![]).await;
    assert!(is_conflict(error.unwrap_err()));
}

#[tokio::test]
async fn a_postgres_lock_that_another_transaction_holds_conflicts() {
    let world = World::new(testkit::Database::postgres().await).await;
    world.execute("CREATE TABLE t (n INTEGER)", []).await;
    let mut holder = world.db.begin().await.unwrap();
    let lock = "LOCK TABLE t IN EXCLUSIVE MODE NOWAIT";
    holder.run(lock, vec![]).await.unwrap();
    let mut other = world.db.begin().await.unwrap();
    assert!(is_conflict(other.run(lock, vec![]).await.unwrap_err()));
}

testkit::on_each_database! {
    async fn the_drivers_own_errors_are_distinguished_as_well(db: testkit::Database) {
        let world = World::new(db).await;
        let error = match world.db.postgres() {
            None => {
                let other = world.database.connect().await;
                other.script("PRAGMA busy_timeout = 0").await.unwrap();
                let _writer = world.db.begin().await.unwrap();
                sqlx::query("CREATE TABLE u (n INTEGER)").execute(other.sqlite().unwrap()).await.unwrap_err()
            }
            Some(pool) => {
                world.db.script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
                let mut tx = pool.begin().await.unwrap();
                sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await.unwrap();
                sqlx::query("SELECT n FROM t").execute(&mut *tx).await.unwrap();
                world.db.script("UPDATE t SET n = 2").await.unwrap();
                sqlx::query("UPDATE t SET n = 3").execute(&mut *tx).await.unwrap_err()
            }
        };
        assert!(is_conflict(error));
        assert!(!is_conflict(sqlx::Error::PoolTimedOut));
    }

    async fn growing_pauses_follow_the_schedulers_clock_and_every_attempt_is_reported(db: testkit::Database) {
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
