//! Leases that are kept alive, and what happens when they cannot be.

use std::{sync::Arc, time::Duration};

use shedlock::{LockError, LockProvider};

use crate::stage::{
    MINUTE, MemoryStage, MySqlStage, PostgresStage, RedisStage, SqliteStage, Stage, is_held, lock,
    row, taken, until,
};

/// Short enough to wait for, long enough for a busy machine.
const LEASE: Duration = Duration::from_secs(3);

async fn moves_on(provider: &Arc<dyn LockProvider>) {
    let before = row(&**provider, "job").await.lock_until;
    until("an extension", || async {
        row(&**provider, "job").await.lock_until > before
    })
    .await;
}

async fn a_kept_lease_is_extended_until_its_unlock(stage: impl Stage) {
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("job", LEASE, Duration::ZERO)).await;
    let (owner, token) = (guard.locked_by().to_owned(), guard.fencing_token());
    let kept = guard.keep_alive();
    moves_on(&provider).await;
    moves_on(&provider).await;
    assert!(kept.is_trusted() && !kept.lost().is_cancelled());
    assert_eq!((kept.name(), kept.locked_by()), ("job", &*owner));
    assert_eq!(kept.fencing_token(), token);
    let lost = kept.lost();
    kept.unlock().await.unwrap();
    assert!(!lost.is_cancelled());
    assert!(!is_held(&*provider, "job").await);
}

async fn a_lock_that_was_taken_away_is_told_to_its_holder(stage: impl Stage) {
    let provider = stage.provider("a");
    let kept = taken(&*provider, &lock("job", LEASE, Duration::ZERO))
        .await
        .keep_alive();
    stage.take_away("job").await;
    kept.lost().cancelled().await;
    assert!(!kept.is_trusted());
    let before = row(&*provider, "job").await;
    let error = kept.unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(row(&*provider, "job").await, before);
}

async fn a_kept_lock_that_is_dropped_is_told_to_its_holder(stage: impl Stage) {
    let provider = stage.provider("a");
    let kept = taken(&*provider, &lock("job", MINUTE, Duration::ZERO))
        .await
        .keep_alive();
    let lost = kept.lost();
    drop(kept);
    assert!(lost.is_cancelled());
}

macro_rules! on_every_provider {
    ($($test:ident,)*) => {
        $(
            mod $test {
                use super::{MemoryStage, MySqlStage, PostgresStage, RedisStage, SqliteStage};

                #[tokio::test]
                async fn memory() {
                    super::$test(MemoryStage::new().await).await;
                }

                #[tokio::test]
                async fn sqlite() {
                    super::$test(SqliteStage::new().await).await;
                }

                #[tokio::test]
                async fn postgres() {
                    super::$test(PostgresStage::new().await).await;
                }

                #[tokio::test]
                async fn mysql() {
                    super::$test(MySqlStage::new().await).await;
                }

                #[tokio::test]
                async fn redis() {
                    super::$test(RedisStage::new().await).await;
                }
            }
        )*
    };
}

on_every_provider! {
    a_kept_lease_is_extended_until_its_unlock,
    a_lock_that_was_taken_away_is_told_to_its_holder,
    a_kept_lock_that_is_dropped_is_told_to_its_holder,
}

async fn rename(stage: &PostgresStage, sql: &'static str) {
    sqlx::query(sql).execute(&stage.pool).await.unwrap();
}

#[tokio::test]
async fn a_database_that_comes_back_in_time_costs_nothing() {
    let stage = PostgresStage::new().await;
    let provider = stage.provider("a");
    let kept = taken(&*provider, &lock("job", 3 * LEASE, Duration::ZERO))
        .await
        .keep_alive();
    let before = row(&*provider, "job").await.lock_until;
    // Every connection dies, and the table is gone when the first extension comes.
    rename(&stage, "ALTER TABLE shedlock RENAME TO away").await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    rename(&stage, kill).await;
    let failed = "SELECT count(*) > 0 FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'UPDATE shedlock%'";
    until("an extension that fails", || async {
        // Prepared anew or not, the statement is seen once it was tried.
        sqlx::query_scalar::<_, bool>(failed)
            .fetch_one(&stage.pool)
            .await
            .unwrap_or(false)
    })
    .await;
    rename(&stage, "ALTER TABLE away RENAME TO shedlock").await;
    until("an extension", || async {
        row(&*provider, "job").await.lock_until > before
    })
    .await;
    assert!(kept.is_trusted());
    kept.unlock().await.unwrap();
}

#[tokio::test]
async fn a_database_that_stays_away_ends_the_trust_before_the_lease_ends() {
    let stage = PostgresStage::new().await;
    let provider = stage.provider("a");
    // Its margin is what a busy machine may take to tell.
    let kept = taken(&*provider, &lock("job", 3 * LEASE, Duration::ZERO))
        .await
        .keep_alive();
    let end = row(&*provider, "job").await.lock_until;
    // The row is locked: extensions are sent and never answered.
    let mut blocker = stage.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM shedlock FOR UPDATE")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    kept.lost().cancelled().await;
    let told = chrono::Utc::now();
    assert!(!kept.is_trusted());
    assert_eq!(row(&*provider, "job").await.lock_until, end);
    assert!(told < end);
    blocker.rollback().await.unwrap();
}

#[test]
fn work_that_blocks_its_runtime_cannot_starve_a_lease_kept_on_another() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let (blocked, free) = (runtime(), runtime());
    let provider = shedlock::MemoryLockProvider::new("a");
    let config = lock("job", LEASE, Duration::ZERO);
    let guard = blocked.block_on(taken(&provider, &config));
    let first_end = guard.locked_at() + LEASE;
    // From here on nobody drives the runtime that took the lock.
    let kept = guard.keep_alive_on(free.handle());
    free.block_on(until("a lease beyond the first", || async {
        row(&provider, "job").await.lock_until > first_end
    }));
    assert!(kept.is_trusted());
    free.block_on(kept.unlock()).unwrap();
}
