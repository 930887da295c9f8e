//! What is particular to PostgreSQL.

mod connections;

use std::time::Duration;

use shedlock::{LockError, LockProvider, PostgresLockProvider, SchemaError, fence};
use sqlx::{PgConnection, PgPool};

use crate::conformance::fuzz::eight_tasks;
use crate::stage::{HOUR, MINUTE, PostgresStage, Stage, lock, row, taken, until};

const NO_TIME: Duration = Duration::ZERO;

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::query(sql).execute(pool).await.unwrap();
}

async fn is_ours(connection: &mut PgConnection, locked_by: &str) -> bool {
    let check = sqlx::query(fence::POSTGRES_CHECK)
        .bind("job")
        .bind(locked_by);
    check.fetch_optional(connection).await.unwrap().is_some()
}

#[tokio::test]
async fn the_fence_holds_while_the_lock_is_ours_and_only_then() {
    let stage = PostgresStage::new().await;
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    let mut connection = stage.pool.acquire().await.unwrap();
    assert!(is_ours(&mut connection, guard.locked_by()).await);
    assert!(!is_ours(&mut connection, "a:somebody-else").await);
    stage.expire("job").await;
    assert!(!is_ours(&mut connection, guard.locked_by()).await);
    stage.take_away("job").await;
    assert!(!is_ours(&mut connection, guard.locked_by()).await);
}

#[tokio::test]
async fn nobody_takes_the_lock_while_a_fenced_transaction_is_open() {
    let stage = PostgresStage::new().await;
    let provider = stage.provider("a");
    let short = lock("job", Duration::from_millis(500), NO_TIME);
    let guard = taken(&*provider, &short).await;
    let mut writer = stage.pool.begin().await.unwrap();
    assert!(is_ours(&mut writer, guard.locked_by()).await);
    // The lease runs out within the transaction, but the next holder has to wait for its end.
    let other = stage.provider("b");
    let config = lock("job", MINUTE, NO_TIME);
    let next = tokio::spawn(async move { other.try_lock(&config).await });
    until("the next holder at the row", || async {
        let free = sqlx::query_scalar::<_, bool>(
            "SELECT lock_until < timezone('utc', clock_timestamp()) FROM shedlock",
        );
        stage.somebody_waits().await && free.fetch_one(&stage.pool).await.unwrap()
    })
    .await;
    assert!(!next.is_finished());
    let clock = sqlx::query_scalar::<_, chrono::DateTime<chrono::Utc>>("SELECT clock_timestamp()");
    let before_commit = clock.fetch_one(&stage.pool).await.unwrap();
    writer.commit().await.unwrap();
    // It was refused when it came; what counts is what it found after the wait.
    let next = next.await.unwrap().unwrap().unwrap();
    assert!(next.locked_at() >= before_commit);
    let left = row(&*provider, "job").await.lock_until - next.locked_at();
    assert_eq!(left, chrono::TimeDelta::minutes(1));
    next.unlock().await.unwrap();
}

/// Lets `attempt` wait behind a locked row until it gives up, and sees that what the database then takes
/// for nobody is given back.
async fn taken_for_nobody(stage: &PostgresStage, attempt: impl Future<Output = ()>) {
    stage.take_away("job").await;
    stage.expire("job").await;
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    attempt.await;
    // The statement still stands in line, and takes the row for a holder that nobody knows: after the
    // first attempt to give it back.
    until("an attempt to give it back", || async {
        let sql = "SELECT count(*) > 0 FROM pg_stat_activity
            WHERE datname = current_database() AND state = 'idle' AND query LIKE 'UPDATE shedlock%'";
        let tried = sqlx::query_scalar(sql).fetch_one(&stage.pool).await;
        tried.unwrap()
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
    let stage = PostgresStage::new().await;
    let hasty = PostgresLockProvider::new(stage.pool.clone(), "hasty")
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
    let stage = PostgresStage::new().await;
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
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(1, "SELECT 1").await;
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&PostgresLockProvider::new(pool.clone(), "a"), &config).await;
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    let hasty = PostgresLockProvider::new(pool, "a").with_timeout(Duration::from_millis(300));
    for _ in 0..3 {
        let error = hasty.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Timeout(_)), "{error:?}");
        // The only connection of this pool would still wait for the row.
        let patient = hasty.clone().with_timeout(Duration::from_secs(20));
        assert!(row(&patient, "job").await.held);
    }
    blocker.rollback().await.unwrap();
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_an_error_and_the_next_attempt_reconnects() {
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(1, "SET statement_timeout = 0").await;
    let provider = PostgresLockProvider::new(pool.clone(), "a");
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    stage.expire("job").await;
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    let kill = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (attempt, ()) = tokio::join!(
        provider.try_lock(&config),
        until("a victim", || async {
            sqlx::query_scalar::<_, bool>(kill)
                .fetch_one(&stage.pool)
                .await
                .unwrap()
        })
    );
    let error = attempt.unwrap_err();
    assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
    blocker.commit().await.unwrap();
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn a_serialization_failure_is_not_acquired_and_may_be_tried_again() {
    let stage = PostgresStage::new().await;
    let strict = "SET default_transaction_isolation = 'repeatable read'";
    let pool = stage.pool_with(1, strict).await;
    let provider = PostgresLockProvider::new(pool, "a");
    let config = lock("job", MINUTE, NO_TIME);
    stage.take_away("job").await;
    stage.expire("job").await;
    let mut other = stage.pool.begin().await.unwrap();
    sqlx::query("UPDATE shedlock SET locked_by = 'other'")
        .execute(&mut *other)
        .await
        .unwrap();
    let (attempt, ()) = tokio::join!(provider.try_lock(&config), async {
        until("the attempt in line", || stage.somebody_waits()).await;
        other.commit().await.unwrap();
    });
    let error = attempt.unwrap_err();
    assert!(matches!(error, LockError::Contended(_)), "{error:?}");
    assert!(error.is_transient());
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn java_and_rust_exclude_each_other() {
    // What Java ShedLock sends with `usingDbTime`.
    const LOCK: &str = "INSERT INTO shedlock (name, lock_until, locked_at, locked_by)
        VALUES ('job', timezone('utc', CURRENT_TIMESTAMP) + cast('60000 milliseconds' as interval),
                timezone('utc', CURRENT_TIMESTAMP), 'java-host')
        ON CONFLICT (name) DO UPDATE SET lock_until = excluded.lock_until,
            locked_at = excluded.locked_at, locked_by = excluded.locked_by
        WHERE shedlock.lock_until <= timezone('utc', CURRENT_TIMESTAMP)";
    const UNLOCK: &str = "UPDATE shedlock SET lock_until = timezone('utc', CURRENT_TIMESTAMP)
        WHERE name = 'job' AND locked_by = 'java-host'";
    let stage = PostgresStage::new().await;
    let rust = stage.provider("rust");
    let java = stage.pool_with(1, "SET TIME ZONE 'Asia/Seoul'").await;
    let config = lock("job", MINUTE, NO_TIME);
    for _ in 0..3 {
        let done = sqlx::query(LOCK).execute(&java).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        assert!(rust.try_lock(&config).await.unwrap().is_none());
        assert_eq!(row(&*rust, "job").await.locked_by, "java-host");
        let done = sqlx::query(UNLOCK).execute(&java).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        let guard = taken(&*rust, &config).await;
        let done = sqlx::query(LOCK).execute(&java).await.unwrap();
        assert_eq!(done.rows_affected(), 0);
        guard.unlock().await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_until_infinity_blocks_and_is_listed() {
    let stage = PostgresStage::new().await;
    let provider = stage.provider("a");
    stage.take_away("job").await;
    run(&stage.pool, "UPDATE shedlock SET lock_until = 'infinity'").await;
    let config = lock("job", MINUTE, NO_TIME);
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    assert!(provider.locks().await.unwrap()[0].held);
    run(&stage.pool, "UPDATE shedlock SET lock_until = '-infinity'").await;
    assert!(!provider.locks().await.unwrap()[0].held);
    taken(&*provider, &config).await.unlock().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_inside_open_transactions_never_meet() {
    let stage = PostgresStage::new().await;
    run(&stage.pool, "CREATE TABLE work (name TEXT, n BIGINT)").await;
    let pool = stage.pool_with(16, "SELECT 1").await;
    eight_tasks(|task, name, counters| {
        let pool = pool.clone();
        async move {
            let provider = PostgresLockProvider::new(pool.clone(), "a").with_timeout(MINUTE);
            let config = lock(name, MINUTE, NO_TIME);
            for _ in 0..100 {
                let mut open = pool.begin().await.unwrap();
                let insert = sqlx::query("INSERT INTO work VALUES ($1, 1)").bind(name);
                insert.execute(&mut *open).await.unwrap();
                let guard = provider.lock(&config, 2 * MINUTE).await.unwrap().unwrap();
                counters.count(task, guard).await;
                open.commit().await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_check_names_everything_that_is_wrong_with_the_tables() {
    let stage = PostgresStage::empty().await;
    let provider = stage.provider("a");
    let problems = |checked: Result<(), SchemaError>| match checked {
        Err(SchemaError::Unusable(problems)) => problems,
        other => panic!("{other:?}"),
    };
    let found = problems(provider.check_schema().await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("table shedlock is missing"));
    assert!(found[1].starts_with("table shedlock_fence is missing"));
    let config = lock("job", MINUTE, NO_TIME);
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    assert!(!error.is_transient());

    run(
        &stage.pool,
        "CREATE TABLE shedlock (name VARCHAR(20), lock_until TEXT, locked_at TIMESTAMPTZ)",
    )
    .await;
    run(&stage.pool, shedlock::schema::POSTGRES[1]).await;
    let found = problems(provider.check_schema().await);
    assert_eq!(
        found,
        [
            "table shedlock has no primary key on name: add one",
            "column shedlock.name is character varying(20): change it to character varying(64)",
            "column shedlock.lock_until is text: change it to timestamp without time zone",
            "column shedlock.locked_by is missing: add it as character varying(255)",
        ]
    );
}
