//! Both column types that exist in the wild, in sessions of several time zones, beside Java.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use shedlock::{LockError, LockProvider, MySqlLockProvider, fence};
use sqlx::MySqlPool;

use crate::stage::{HOUR, MINUTE, MySqlStage, Stage, about, lock, row, taken};

const TIMESTAMP: &[&str] = &[
    "ALTER TABLE shedlock MODIFY lock_until TIMESTAMP(3) NOT NULL DEFAULT '2000-01-01'",
    "ALTER TABLE shedlock MODIFY locked_at TIMESTAMP(3) NOT NULL DEFAULT '2000-01-01'",
];
const MICROSECONDS: &[&str] = &[
    "ALTER TABLE shedlock MODIFY lock_until TIMESTAMP(6) NOT NULL DEFAULT '2000-01-01'",
    "ALTER TABLE shedlock MODIFY locked_at DATETIME(6) NOT NULL DEFAULT '2000-01-01'",
];
/// As Java's drivers leave their sessions. The server of the tests is not in UTC.
const JAVA: &str = "SET time_zone = @@global.time_zone";

async fn stage_with(columns: &[&'static str]) -> MySqlStage {
    let stage = MySqlStage::new().await;
    for statement in columns {
        stage.run(statement).await;
    }
    stage
}

/// `(lock_until - locked_at, lock_until - now)` as Java's statements see them, in microseconds.
async fn spans(java: &MySqlPool) -> (i64, i64) {
    let sql = "SELECT TIMESTAMPDIFF(MICROSECOND, locked_at, lock_until),
        TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), lock_until) FROM shedlock";
    sqlx::query_as(sql).fetch_one(java).await.unwrap()
}

/// A whole life of a lock as seen from sessions in `zone`, checked by the UTC sessions of the stage and by
/// Java's.
async fn a_life_in(zone: &'static str, columns: &[&'static str]) {
    let stage = stage_with(columns).await;
    let pool = stage.pool_with(2, zone).await;
    let java = stage.pool_with(1, JAVA).await;
    let (here, utc) = (
        MySqlLockProvider::new(pool.clone(), "here").with_timeout(Duration::from_secs(20)),
        stage.provider("utc"),
    );
    let config = lock("job", MINUTE, 10 * MINUTE);
    let by_hand = lock("job", MINUTE, MINUTE);

    // The row is new, then it is one that exists.
    for _ in 0..2 {
        let mut guard = taken(&here, &config).await;
        assert!(about(guard.locked_at(), Utc::now()));
        let seen = row(&*utc, "job").await;
        assert_eq!(seen, row(&here, "job").await);
        assert!(seen.held);
        assert_eq!(seen.locked_at, guard.locked_at());
        assert_eq!(seen.lock_until - seen.locked_at, TimeDelta::minutes(1));
        let (lease, left) = spans(&java).await;
        assert_eq!(lease, 60_000_000);
        assert!(left > 45_000_000 && left <= 60_000_000, "{left}");
        assert!(utc.try_lock(&config).await.unwrap().is_none());
        assert!(here.try_lock(&config).await.unwrap().is_none());
        for sessions in [&pool, &stage.pool] {
            let check = sqlx::query(fence::MYSQL_CHECK);
            let check = check.bind("job").bind(guard.locked_by().to_owned());
            assert!(check.fetch_optional(sessions).await.unwrap().is_some());
        }

        guard.extend(2 * MINUTE).await.unwrap();
        let (_, left) = spans(&java).await;
        assert!(left > 105_000_000 && left <= 120_000_000, "{left}");

        let (at, owner) = (guard.locked_at(), guard.locked_by().to_owned());
        guard.unlock().await.unwrap();
        let tail = at + TimeDelta::minutes(10);
        assert_eq!(row(&*utc, "job").await.lock_until, tail);
        let over = utc.try_lock_over(&by_hand, &owner);
        let over = over.await.unwrap().unwrap();
        let owner = over.locked_by().to_owned();
        over.unlock().await.unwrap();
        let over = here.try_lock_over(&by_hand, &owner);
        over.await.unwrap().unwrap().unlock().await.unwrap();
        assert_eq!(row(&*utc, "job").await.lock_until, tail);

        // Over since a second, as Java would have it: less than any zone makes of it.
        let end = "UPDATE shedlock SET lock_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND";
        sqlx::query(end).execute(&java).await.unwrap();
        for (provider, sessions) in [(&here as &dyn LockProvider, &pool), (&*utc, &stage.pool)] {
            let over = row(provider, "job").await;
            assert!(!over.held);
            let check = sqlx::query(fence::MYSQL_CHECK);
            let check = check.bind("job").bind(over.locked_by);
            assert!(check.fetch_optional(sessions).await.unwrap().is_none());
        }
    }
}

macro_rules! zones {
    ($($module:ident: $zone:literal,)*) => {
        $(
            mod $module {
                const ZONE: &str = concat!("SET time_zone = '", $zone, "'");

                #[tokio::test]
                async fn datetime() {
                    super::a_life_in(ZONE, &[]).await;
                }

                #[tokio::test]
                async fn timestamp() {
                    super::a_life_in(ZONE, super::TIMESTAMP).await;
                }

                #[tokio::test]
                async fn one_of_each() {
                    super::a_life_in(ZONE, &super::TIMESTAMP[..1]).await;
                    super::a_life_in(ZONE, &super::TIMESTAMP[1..]).await;
                }

                #[tokio::test]
                async fn microseconds() {
                    super::a_life_in(ZONE, super::MICROSECONDS).await;
                }

                #[tokio::test]
                async fn java_and_rust_exclude_each_other() {
                    super::java_and_rust(ZONE, &[]).await;
                    super::java_and_rust(ZONE, super::TIMESTAMP).await;
                }
            }
        )*
    };
}

// Asia/Seoul and America/New_York, which need tables that not every server has.
zones! {
    utc: "+00:00",
    seoul: "+09:00",
    new_york: "-05:00",
}

/// What Java ShedLock sends with `usingDbTime`, in sessions of the server's zone.
async fn java_and_rust(zone: &'static str, columns: &[&'static str]) {
    const INSERT: &str = "INSERT IGNORE INTO shedlock(name, lock_until, locked_at, locked_by)
        VALUES('job', TIMESTAMPADD(MICROSECOND, 60000000, UTC_TIMESTAMP(3)), UTC_TIMESTAMP(3), 'java-host')";
    const UPDATE: &str = "UPDATE shedlock SET
        lock_until = TIMESTAMPADD(MICROSECOND, 60000000, UTC_TIMESTAMP(3)),
        locked_at = UTC_TIMESTAMP(3), locked_by = 'java-host'
        WHERE name = 'job' AND lock_until <= UTC_TIMESTAMP(3)";
    const EXTEND: &str = "UPDATE shedlock SET
        lock_until = TIMESTAMPADD(MICROSECOND, 120000000, UTC_TIMESTAMP(3))
        WHERE name = 'job' AND locked_by = 'java-host' AND lock_until > UTC_TIMESTAMP(3)";
    const UNLOCK: &str = "UPDATE shedlock SET lock_until = IF(
        TIMESTAMPADD(MICROSECOND, 0, locked_at) > UTC_TIMESTAMP(3),
        TIMESTAMPADD(MICROSECOND, 0, locked_at), UTC_TIMESTAMP(3))
        WHERE name = 'job' AND locked_by = 'java-host'";
    let stage = stage_with(columns).await;
    let java = stage.pool_with(1, JAVA).await;
    let rust = MySqlLockProvider::new(stage.pool_with(2, zone).await, "rust")
        .with_timeout(Duration::from_secs(20));
    let config = lock("job", MINUTE, Duration::ZERO);
    let java = async |sql: &'static str| {
        let done = sqlx::query(sql).execute(&java).await.unwrap();
        done.rows_affected()
    };
    assert_eq!(java(INSERT).await, 1);
    for _ in 0..3 {
        assert!(rust.try_lock(&config).await.unwrap().is_none());
        let held = row(&rust, "job").await;
        assert_eq!(held.locked_by, "java-host");
        assert!(held.held && about(held.locked_at, Utc::now()));
        assert_eq!(java(EXTEND).await, 1);
        assert!(rust.try_lock(&config).await.unwrap().is_none());
        assert_eq!(java(UNLOCK).await, 1);
        let guard = taken(&rust, &config).await;
        assert_eq!(java(INSERT).await, 0);
        assert_eq!(java(UPDATE).await, 0);
        guard.unlock().await.unwrap();
        assert_eq!(java(UPDATE).await, 1);
    }
    // Java's at-least tail is respected as well.
    assert_eq!(java(UNLOCK).await, 1);
    let guard = taken(&rust, &lock("job", MINUTE, MINUTE)).await;
    guard.unlock().await.unwrap();
    assert_eq!(java(UPDATE).await, 0);
}

#[tokio::test]
async fn a_column_type_that_changes_under_way_is_noticed() {
    let stage = MySqlStage::new().await;
    let pool = stage.pool_with(1, "SET time_zone = '+09:00'").await;
    let provider = MySqlLockProvider::new(pool, "a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&provider, &config).await.unlock().await.unwrap();
    for columns in [TIMESTAMP, MICROSECONDS] {
        for statement in columns {
            stage.run(statement).await;
        }
        stage.expire("job").await;
        let guard = taken(&provider, &config).await;
        assert!(about(guard.locked_at(), Utc::now()));
        let seen = row(&*stage.provider("b"), "job").await;
        assert_eq!(seen.locked_at, guard.locked_at());
        assert!(seen.held);
        guard.unlock().await.unwrap();
        assert!(!row(&*stage.provider("b"), "job").await.held);
    }
}

const NO_TIME: Duration = Duration::ZERO;

#[tokio::test]
async fn a_lease_beyond_the_end_of_timestamp_is_held_until_then() {
    let stage = stage_with(TIMESTAMP).await;
    // A session that is not strict stores a time that does not fit as zero.
    let pool = stage
        .pool_with(1, "SET sql_mode = '', time_zone = '-05:00'")
        .await;
    let provider = MySqlLockProvider::new(pool, "a");
    let config = lock("job", 20 * 366 * 24 * HOUR, NO_TIME);
    let mut guard = taken(&provider, &config).await;
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    guard.extend(30 * 366 * 24 * HOUR).await.unwrap();
    assert!(provider.try_lock(&config).await.unwrap().is_none());
    guard.unlock().await.unwrap();
}

#[tokio::test]
async fn columns_that_follow_every_update_keep_their_times() {
    let stage = stage_with(
        &["ALTER TABLE shedlock MODIFY locked_at TIMESTAMP(3) NOT NULL
            DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)"],
    )
    .await;
    let provider = stage.provider("a");
    let mut guard = taken(&*provider, &lock("job", MINUTE, HOUR)).await;
    let at = guard.locked_at();
    guard.extend(HOUR).await.unwrap();
    assert_eq!(row(&*provider, "job").await.locked_at, at);
    guard.unlock().await.unwrap();
    let seen = row(&*provider, "job").await;
    assert_eq!(seen.locked_at, at);
    assert_eq!(seen.lock_until, at + TimeDelta::hours(1));
}

#[tokio::test]
async fn a_column_that_holds_no_time_is_refused() {
    let stage = stage_with(&["ALTER TABLE shedlock MODIFY lock_until VARCHAR(40)"]).await;
    let provider = stage.provider("a");
    let error = provider.try_lock(&lock("job", MINUTE, NO_TIME)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
}
