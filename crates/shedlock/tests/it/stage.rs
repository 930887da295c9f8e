//! Where the suite plays: a provider, and somebody who changes its rows behind its back.

mod memory;
mod mysql;
mod pgbouncer;
mod postgres;
mod redis;
mod sqlite;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shedlock::{LockConfiguration, LockGuard, LockProvider};

pub(crate) use self::redis::{RedisStage, redis_url, unique};
pub(crate) use memory::MemoryStage;
pub(crate) use mysql::MySqlStage;
pub(crate) use pgbouncer::PgBouncerStage;
pub(crate) use postgres::PostgresStage;
pub(crate) use sqlite::{SqliteStage, sqlite_pool};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn lock(name: &str, at_most: Duration, at_least: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most, at_least).unwrap()
}

pub(crate) async fn taken(provider: &dyn LockProvider, c: &LockConfiguration) -> LockGuard {
    provider
        .try_lock(c)
        .await
        .unwrap()
        .expect("the lock is free")
}

/// Waits for something that nobody announces.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}

#[async_trait]
pub(crate) trait Stage: Send + Sync + 'static {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider>;
    /// Whether a row is still there when its lease is over.
    fn keeps_rows(&self) -> bool {
        true
    }
    /// Moves the end of the lease into the past.
    async fn expire(&self, name: &str);
    /// Lets another program take the lock, whoever has it.
    async fn take_away(&self, name: &str);
    /// Deletes the row.
    async fn delete(&self, name: &str);
}

/// The row, which must be there.
pub(crate) async fn row(provider: &dyn LockProvider, name: &str) -> shedlock::LockInfo {
    provider.lock_info(name).await.unwrap().expect("a row")
}

/// Whether somebody holds the lock; its row may be there or not.
pub(crate) async fn is_held(provider: &dyn LockProvider, name: &str) -> bool {
    let row = provider.lock_info(name).await.unwrap();
    row.is_some_and(|row| row.held)
}

/// Whether two instants are within a few seconds: what a slow machine needs.
pub(crate) fn about(left: DateTime<Utc>, right: DateTime<Utc>) -> bool {
    (left - right).abs() < chrono::TimeDelta::seconds(15)
}
