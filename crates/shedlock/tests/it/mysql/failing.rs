//! Attempts that are given up, killed, or lose against others.

use std::time::Duration;

use shedlock::{LockError, LockProvider, MySqlLockProvider};
use sqlx::AssertSqlSafe;

use crate::stage::{HOUR, MINUTE, MySqlStage, Stage, lock, row, taken, until};

const NO_TIME: Duration = Duration::ZERO;

/// Lets `attempt` wait behind a locked row until it gives up, and sees that what the database then takes
/// for nobody is given back.
async fn taken_for_nobody(stage: &MySqlStage, attempt: impl Future<Output = ()>) {
    stage.take_away("job").await;
    stage.expire("job").await;
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    attempt.await;
    // The statement still stands in line, and takes the row for a holder that nobody knows.
    until("the attempt to give it back behind it", || async {
        stage.waiting().await.len() == 2
    })
    .await;
    blocker.commit().await.unwrap();
    let provider = stage.provider("b");
    until("the row of the unknown holder, given back", || async {
        let row = row(&*provider, "job").await;
        row.locked_by.starts_with("hasty:") && !row.held
    })
    .await;
}

#[tokio::test]
async fn an_acquisition_without_an_answer_is_not_held_and_is_given_back() {
    let stage = MySqlStage::new().await;
    let hasty = MySqlLockProvider::new(stage.pool.clone(), "hasty")
        .with_timeout(Duration::from_millis(300));
    taken_for_nobody(&stage, async {
        let error = hasty.try_lock(&lock("job", HOUR, HOUR)).await.unwrap_err();
        assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
        assert!(error.is_transient());
    })
    .await;
}

#[tokio::test]
async fn an_acquisition_whose_caller_stopped_waiting_is_given_back() {
    let stage = MySqlStage::new().await;
    let hasty = stage.provider("hasty");
    let config = lock("job", HOUR, HOUR);
    taken_for_nobody(&stage, async {
        tokio::select! {
            _ = hasty.try_lock(&config) => panic!("the row is locked"),
            () = until("the attempt in line", || stage.somebody_waits()) => {}
        }
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_was_given_up_does_not_keep_its_connection() {
    let stage = MySqlStage::new().await;
    stage.take_away("job").await;
    stage.expire("job").await;
    let pool = stage.pool_with(1, "DO 1").await;
    let config = lock("job", MINUTE, NO_TIME);
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    let hasty = MySqlLockProvider::new(pool, "a").with_timeout(Duration::from_millis(300));
    for _ in 0..3 {
        let error = hasty.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
        // The only connection of this pool would still wait for the row.
        let patient = hasty.clone().with_timeout(Duration::from_secs(20));
        assert_eq!(row(&patient, "job").await.locked_by, "thief");
    }
    blocker.rollback().await.unwrap();
}

/// Ends an attempt that waits for the row by `kill`.
async fn killed_by(kill: &str) {
    let stage = MySqlStage::new().await;
    let pool = stage.pool_with(1, "DO 1").await;
    let provider = MySqlLockProvider::new(pool, "a").with_timeout(Duration::from_secs(20));
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    stage.expire("job").await;
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        until("a victim", || stage.somebody_waits()).await;
        let kill = format!("{kill} {}", stage.waiting().await[0]);
        let kill = sqlx::raw_sql(AssertSqlSafe(kill)).execute(&stage.pool);
        kill.await.unwrap();
    });
    let error = attempt.unwrap_err();
    assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
    blocker.commit().await.unwrap();
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_an_error_and_the_next_attempt_reconnects() {
    killed_by("KILL").await;
}

#[tokio::test]
async fn a_statement_that_was_killed_is_an_error_and_may_be_tried_again() {
    killed_by("KILL QUERY").await;
}

#[tokio::test]
async fn a_deadlock_is_not_acquired_and_may_be_tried_again() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&*provider, &config).await.unlock().await.unwrap();
    stage.run("CREATE TABLE work (n INT)").await;
    let mut other = stage.pool.begin().await.unwrap();
    // Who has written more is not the victim.
    let weight =
        "INSERT INTO work SELECT seq FROM (SELECT 1 AS seq UNION SELECT 2 UNION SELECT 3) AS three";
    for sql in [
        weight,
        weight,
        "UPDATE shedlock_fence SET token = token + 1",
    ] {
        sqlx::query(sql).execute(&mut *other).await.unwrap();
    }
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        until("the attempt in line", || stage.somebody_waits()).await;
        sqlx::query("UPDATE shedlock SET locked_by = 'other'")
            .execute(&mut *other)
            .await
            .unwrap();
        other.commit().await.unwrap();
    });
    let error = attempt.unwrap_err();
    assert!(matches!(error, LockError::Contended(_)), "{error:?}");
    assert!(error.is_transient());
    taken(&*provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn a_lock_wait_timeout_is_not_acquired_and_may_be_tried_again() {
    let stage = MySqlStage::new().await;
    let pool = stage.pool_with(1, "SET innodb_lock_wait_timeout = 1").await;
    let provider = MySqlLockProvider::new(pool, "a").with_timeout(Duration::from_secs(20));
    let config = lock("job", MINUTE, NO_TIME);
    taken(&provider, &config).await.unlock().await.unwrap();
    let mut other = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *other)
        .await
        .unwrap();
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Contended(_)), "{error:?}");
    other.commit().await.unwrap();
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn a_server_that_may_not_write_is_an_error_that_passes_with_its_connection() {
    let stage = MySqlStage::new().await;
    let config = lock("job", MINUTE, NO_TIME);
    taken(&*stage.provider("a"), &config)
        .await
        .unlock()
        .await
        .unwrap();
    // As after a failover, for one session.
    let pool = stage.pool_with(1, "DO 1").await;
    let read_only = sqlx::query("SET SESSION TRANSACTION READ ONLY");
    read_only.execute(&pool).await.unwrap();
    let provider = MySqlLockProvider::new(pool, "a");
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
    // That connection is left. The pool has room for one: the next is a new one.
    taken(&provider, &config).await.unlock().await.unwrap();
}
