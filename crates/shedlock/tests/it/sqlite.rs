//! What is particular to SQLite.

use std::time::Duration;

use shedlock::{LockError, LockProvider, SchemaError, SqliteLockProvider, fence};

use crate::stage::{HOUR, MINUTE, SqliteStage, Stage, lock, sqlite_pool, taken};

const NO_TIME: Duration = Duration::ZERO;

#[tokio::test]
async fn times_are_iso_8601_text_with_microseconds_in_utc() {
    let stage = SqliteStage::new().await;
    let provider = stage.provider("a");
    let config = lock("job", Duration::from_micros(90_061_001_001), 48 * HOUR);
    let guard = taken(&*provider, &config).await;
    let times = || async {
        let sql = "SELECT locked_at, lock_until FROM shedlock";
        sqlx::query_as::<_, (String, String)>(sql)
            .fetch_one(&stage.pool)
            .await
            .unwrap()
    };
    let text = |time: chrono::DateTime<chrono::Utc>| {
        time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
    };
    let (at, end) = times().await;
    assert_eq!(at, text(guard.locked_at()));
    // 1 day, 1 hour, 1 minute and 1.001001 seconds, rounded up to the millisecond.
    let lease = chrono::TimeDelta::milliseconds(90_061_002);
    assert_eq!(end, text(guard.locked_at() + lease));
    let tail = text(guard.locked_at() + chrono::TimeDelta::hours(48));
    guard.unlock().await.unwrap();
    assert_eq!(times().await, (at, tail));
}

#[tokio::test]
async fn a_pool_of_one_connection_is_enough() {
    let stage = SqliteStage::new().await;
    let one = sqlite_pool(&stage.folder, 1).await;
    let provider = SqliteLockProvider::new(one, "a");
    let config = lock("job", MINUTE, MINUTE);
    let guard = taken(&provider, &config).await;
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    let owner = guard.locked_by().to_owned();
    guard.unlock().await.unwrap();
    let over = provider.try_lock_over(&config, &owner).await;
    over.unwrap().unwrap().unlock().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_no_transaction_behind_in_the_pool() {
    let stage = SqliteStage::new().await;
    let pool = sqlite_pool(&stage.folder, 1).await;
    let provider = SqliteLockProvider::new(pool.clone(), "a");
    // No page is left: a new lock needs one sooner or later.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&pool)
        .await
        .unwrap();
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::raw_sql(limit).execute(&pool).await.unwrap();
    let mut refused = 0;
    for number in 0..500 {
        let config = lock(&format!("job-{number}-{}", "x".repeat(50)), MINUTE, NO_TIME);
        match provider.try_lock(&config).await {
            Ok(guard) => drop(guard),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                refused += 1;
                break;
            }
        }
    }
    assert_eq!(refused, 1, "the disk was never full");
    // There is room again, and whoever uses the pool next begins a transaction of their own.
    let limit = "PRAGMA max_page_count = 1073741823";
    sqlx::raw_sql(limit).execute(&pool).await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("CREATE TABLE other (n INTEGER)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    taken(&provider, &lock("job", MINUTE, NO_TIME))
        .await
        .unlock()
        .await
        .unwrap();
}

#[tokio::test]
async fn two_processes_on_one_file_exclude_each_other() {
    let stage = SqliteStage::new().await;
    let other = SqliteLockProvider::new(sqlite_pool(&stage.folder, 1).await, "b");
    let config = lock("job", MINUTE, NO_TIME);
    let guard = taken(&*stage.provider("a"), &config).await;
    assert!(other.try_lock(&config).await.unwrap().is_none());
    guard.unlock().await.unwrap();
    taken(&other, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn the_fence_holds_while_the_lock_is_ours_and_only_then() {
    let stage = SqliteStage::new().await;
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
    let is_ours = |locked_by: String| {
        let pool = stage.pool.clone();
        async move {
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            let check = sqlx::query(fence::SQLITE_CHECK).bind("job").bind(locked_by);
            let row = check.fetch_optional(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            row.is_some()
        }
    };
    let ours = guard.locked_by().to_owned();
    assert!(is_ours(ours.clone()).await);
    assert!(!is_ours("a:somebody-else".to_owned()).await);
    stage.expire("job").await;
    assert!(!is_ours(ours.clone()).await);
    stage.take_away("job").await;
    assert!(!is_ours(ours).await);
}

#[tokio::test]
async fn a_database_that_stays_busy_is_not_acquired_and_may_be_tried_again() {
    let stage = SqliteStage::new().await;
    let impatient = sqlite_pool(&stage.folder, 1).await;
    sqlx::query("PRAGMA busy_timeout = 0")
        .execute(&impatient)
        .await
        .unwrap();
    let provider = SqliteLockProvider::new(impatient, "a");
    let config = lock("job", MINUTE, NO_TIME);
    let writer = stage.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Contended(_)), "{error:?}");
    writer.rollback().await.unwrap();
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[tokio::test]
async fn the_check_names_everything_that_is_wrong_with_the_tables() {
    let stage = SqliteStage::new().await;
    for statement in [
        "DROP TABLE shedlock_fence",
        "DROP TABLE shedlock",
        "CREATE TABLE shedlock (name TEXT, lock_until TEXT, locked_at TEXT)",
    ] {
        sqlx::query(statement).execute(&stage.pool).await.unwrap();
    }
    let provider = stage.provider("a");
    let Err(SchemaError::Unusable(found)) = provider.check_schema().await else {
        panic!("the tables are wrong");
    };
    assert_eq!(
        found,
        [
            "table shedlock has no primary key on name: create it anew",
            "column shedlock.locked_by is missing: add it",
            "table shedlock_fence is missing: create it as in shedlock::schema::SQLITE",
        ]
    );
    let error = provider.try_lock(&lock("job", MINUTE, NO_TIME)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
}
