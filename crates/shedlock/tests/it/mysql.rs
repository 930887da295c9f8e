//! What is particular to MySQL and MariaDB.

mod columns;
mod failing;
mod tables;

use std::{collections::BTreeSet, time::Duration};

use shedlock::{LockProvider, MySqlLockProvider, fence};
use sqlx::MySqlConnection;

use crate::conformance::fuzz::eight_tasks;
use crate::stage::{MINUTE, MySqlStage, Stage, lock, row, taken, until};

const NO_TIME: Duration = Duration::ZERO;

async fn is_ours(connection: &mut MySqlConnection, locked_by: &str) -> bool {
    let check = sqlx::query(fence::MYSQL_CHECK).bind("job").bind(locked_by);
    check.fetch_optional(connection).await.unwrap().is_some()
}

#[tokio::test]
async fn the_fence_holds_while_the_lock_is_ours_and_only_then() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    let mut connection = stage.pool.acquire().await.unwrap();
    assert!(is_ours(&mut connection, guard.locked_by()).await);
    for stranger in ["a:somebody-else", &guard.locked_by().to_uppercase()] {
        assert!(!is_ours(&mut connection, stranger).await, "{stranger}");
    }
    assert!(!is_ours(&mut connection, &format!("{} ", guard.locked_by())).await);
    stage.expire("job").await;
    assert!(!is_ours(&mut connection, guard.locked_by()).await);
    stage.take_away("job").await;
    assert!(!is_ours(&mut connection, guard.locked_by()).await);
}

#[tokio::test]
async fn nobody_takes_the_lock_while_a_fenced_transaction_is_open() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let short = lock("job", Duration::from_millis(500), NO_TIME);
    let guard = taken(&*provider, &short).await;
    let mut writer = stage.pool.begin().await.unwrap();
    assert!(is_ours(&mut writer, guard.locked_by()).await);
    // The lease runs out within the transaction, but the next holder has to wait for its end.
    until("the end of the lease", || async {
        !row(&*provider, "job").await.held
    })
    .await;
    let other = stage.provider("b");
    let config = lock("job", MINUTE, NO_TIME);
    let next = tokio::spawn(async move { other.try_lock(&config).await });
    until("the next holder at the row", || stage.somebody_waits()).await;
    assert!(!next.is_finished());
    assert_eq!(row(&*provider, "job").await.locked_by, guard.locked_by());
    writer.commit().await.unwrap();
    let next = next.await.unwrap().unwrap().unwrap();
    let left = row(&*provider, "job").await.lock_until - next.locked_at();
    assert_eq!(left, chrono::TimeDelta::minutes(1));
    next.unlock().await.unwrap();
}

#[tokio::test]
async fn the_fence_sees_the_newest_row_although_the_snapshot_is_old() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    let mut writer = stage.pool.begin().await.unwrap();
    let early = sqlx::query("SELECT locked_by FROM shedlock");
    early.fetch_one(&mut *writer).await.unwrap();
    stage.take_away("job").await;
    assert!(!is_ours(&mut writer, guard.locked_by()).await);
}

#[tokio::test]
async fn what_another_program_takes_between_look_and_leap_stays_its_own() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&*provider, &config).await.unlock().await.unwrap();
    // Free when it is looked at; taken, as Java does, by the time the row can be had.
    let mut java = stage.pool.begin().await.unwrap();
    let take = "UPDATE shedlock SET lock_until = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR, locked_by = 'java-host'";
    sqlx::query(take).execute(&mut *java).await.unwrap();
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        until("the attempt in line", || stage.somebody_waits()).await;
        java.commit().await.unwrap();
    });
    assert!(attempt.unwrap().is_none());
    assert_eq!(row(&*provider, "job").await.locked_by, "java-host");
}

#[tokio::test]
async fn what_was_taken_and_given_back_between_look_and_leap_has_used_up_its_token() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&*provider, &config).await.unlock().await.unwrap();
    // A whole life of the lock, in one transaction so that it falls between the two.
    let mut other = stage.pool.begin().await.unwrap();
    for sql in [
        "UPDATE shedlock SET locked_by = 'b:1'",
        "UPDATE shedlock_fence SET token = token + 1",
    ] {
        sqlx::query(sql).execute(&mut *other).await.unwrap();
    }
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        until("the attempt in line", || stage.somebody_waits()).await;
        other.commit().await.unwrap();
    });
    assert!(attempt.unwrap().is_none());
    let next = taken(&*provider, &config).await;
    assert_eq!(next.fencing_token(), 3);
    next.unlock().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_inside_open_transactions_never_meet() {
    let stage = MySqlStage::new().await;
    stage.run("CREATE TABLE work (name TEXT, n BIGINT)").await;
    let pool = stage.pool_with(16, "DO 1").await;
    eight_tasks(|task, name, counters| {
        let pool = pool.clone();
        async move {
            let provider = MySqlLockProvider::new(pool.clone(), "a").with_timeout(MINUTE);
            let config = lock(name, MINUTE, NO_TIME);
            for _ in 0..100 {
                let mut open = pool.begin().await.unwrap();
                let insert = sqlx::query("INSERT INTO work VALUES (?, 1)").bind(name);
                insert.execute(&mut *open).await.unwrap();
                let guard = provider.lock(&config, 2 * MINUTE).await.unwrap().unwrap();
                counters.count(task, guard).await;
                open.commit().await.unwrap();
            }
        }
    })
    .await;
}

/// In sessions that are set up by `setup`; contention must be all that can go wrong.
async fn eight_tasks_in_sessions_with(setup: &'static str) {
    let stage = MySqlStage::new().await;
    let pool = stage.pool_with(8, setup).await;
    eight_tasks(|task, name, counters| {
        let provider = MySqlLockProvider::new(pool.clone(), "a").with_timeout(MINUTE);
        async move {
            let config = lock(name, MINUTE, NO_TIME);
            for _ in 0..100 {
                let guard = provider.lock(&config, 2 * MINUTE).await.unwrap().unwrap();
                counters.count(task, guard).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_never_meet_at_any_isolation_level() {
    eight_tasks_in_sessions_with("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").await;
    eight_tasks_in_sessions_with("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
    eight_tasks_in_sessions_with("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
    // What MariaDB does by default since 11.6.
    eight_tasks_in_sessions_with("SET innodb_snapshot_isolation = ON").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_acquisitions_have_the_same_token() {
    let stage = MySqlStage::new().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let provider = stage.provider("a");
            tokio::spawn(async move {
                let config = lock("job", MINUTE, NO_TIME);
                let mut tokens = Vec::new();
                for _ in 0..50 {
                    let guard = provider.lock(&config, MINUTE).await.unwrap().unwrap();
                    tokens.push(guard.fencing_token());
                    guard.unlock().await.unwrap();
                }
                tokens
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    for task in tasks {
        let tokens = task.await.unwrap();
        assert!(tokens.is_sorted());
        seen.extend(tokens);
    }
    assert!(seen.into_iter().eq(1..=200));
}

#[tokio::test]
async fn a_change_that_leaves_the_values_as_they_are_counts() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    // The unlock moves the end to where it already is.
    let guard = taken(&*provider, &lock("job", MINUTE, MINUTE)).await;
    let before = row(&*provider, "job").await;
    guard.unlock().await.unwrap();
    assert_eq!(row(&*provider, "job").await, before);
}

#[tokio::test]
async fn leases_are_rounded_up_to_the_millisecond() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let short = Duration::from_micros(60_000_001);
    let guard = taken(&*provider, &lock("job", short, short)).await;
    let end = guard.locked_at() + chrono::TimeDelta::milliseconds(60_001);
    assert_eq!(row(&*provider, "job").await.lock_until, end);
    guard.unlock().await.unwrap();
    assert_eq!(row(&*provider, "job").await.lock_until, end);
}

#[tokio::test]
async fn a_lock_without_an_end_blocks_and_is_listed() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    stage.take_away("job").await;
    for sql in [
        "ALTER TABLE shedlock MODIFY lock_until DATETIME(3) NULL",
        "UPDATE shedlock SET lock_until = NULL",
    ] {
        stage.run(sql).await;
    }
    let config = lock("job", MINUTE, NO_TIME);
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    assert!(provider.locks().await.unwrap()[0].held);
    stage.expire("job").await;
    assert!(!provider.locks().await.unwrap()[0].held);
    taken(&*provider, &config).await.unlock().await.unwrap();
}
