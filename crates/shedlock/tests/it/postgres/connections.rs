//! Connections that wait for the next statement outside their pool.

use std::time::Duration;

use shedlock::{LockError, LockProvider, PostgresLockProvider};
use tokio::{runtime, time::timeout};

use crate::stage::{MINUTE, PostgresStage, lock, taken, until};

const NO_TIME: Duration = Duration::ZERO;

#[tokio::test]
async fn a_connection_that_waits_for_the_next_statement_goes_back_to_its_pool() {
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(2, "SELECT 1").await;
    let provider = PostgresLockProvider::new(pool.clone(), "a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&provider, &config).await.unlock().await.unwrap();
    assert_eq!(pool.size(), 1, "both statements used the same one");
    // Others need both, at once and without anything else being locked.
    let both = async { tokio::try_join!(pool.acquire(), pool.acquire()) };
    let both = tokio::time::timeout(MINUTE, both).await.unwrap().unwrap();
    drop(both);
    taken(&provider, &config).await.unlock().await.unwrap();
    until("all connections in the pool", || async {
        pool.num_idle() == pool.size() as usize
    })
    .await;
}

#[tokio::test]
async fn a_connection_to_a_server_that_takes_no_writes_any_more_is_left() {
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(1, "SELECT 1").await;
    let provider = PostgresLockProvider::new(pool.clone(), "a");
    // As one that was made before a failover.
    let read_only = sqlx::query("SET default_transaction_read_only = on");
    read_only.execute(&pool).await.unwrap();
    let config = lock("job", MINUTE, NO_TIME);
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Unavailable(_)), "{error:?}");
    // The pool has room for one: the next is a new one.
    taken(&provider, &config).await.unlock().await.unwrap();
}

#[test]
fn a_provider_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let provider = runtime.block_on(async {
        let stage = PostgresStage::new().await;
        let provider = PostgresLockProvider::new(stage.pool_with(2, "SELECT 1").await, "a");
        let guard = taken(&provider, &lock("job", MINUTE, NO_TIME)).await;
        guard.unlock().await.unwrap();
        provider
    });
    drop(runtime);
    drop(provider);
}

#[tokio::test]
async fn a_pool_that_is_closed_gets_its_connections_back_from_a_busy_provider() {
    let stage = PostgresStage::new().await;
    let pool = stage.pool_with(2, "SELECT 1").await;
    let provider = PostgresLockProvider::new(pool.clone(), "a");
    let config = lock("job", MINUTE, NO_TIME);
    taken(&provider, &config).await.unlock().await.unwrap();
    let busy = tokio::spawn(async move {
        while let Ok(Some(guard)) = provider.try_lock(&config).await {
            if guard.unlock().await.is_err() {
                return;
            }
        }
    });
    timeout(Duration::from_secs(20), pool.close())
        .await
        .unwrap();
    busy.await.unwrap();
}

/// `afterwards`: what the runtime still does after its only statement.
fn a_runtime_ends<F: Future<Output = ()>>(afterwards: impl Fn() -> F) {
    let lasting = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let passing = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pool, provider) = lasting.block_on(async {
        let stage = PostgresStage::new().await;
        let pool = stage.pool_with(2, "SELECT 1").await;
        (pool.clone(), PostgresLockProvider::new(pool, "a"))
    });
    passing.block_on(async {
        assert!(provider.locks().await.unwrap().is_empty());
        afterwards().await;
    });
    drop(passing);
    let closed = async { timeout(Duration::from_secs(20), pool.close()).await };
    lasting.block_on(closed).unwrap();
}

#[test]
fn a_runtime_that_ends_leaves_no_connection_waiting() {
    // Before and after it began to watch over the connection.
    a_runtime_ends(|| async {});
    a_runtime_ends(tokio::task::yield_now);
}
