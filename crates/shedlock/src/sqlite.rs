//! SQLite, for processes that share one file.
//!
//! SQLite has no Java counterpart, so the format is ours: see [`crate::schema::SQLITE`]. Its clock has
//! milliseconds; the microseconds of its times are zero, and durations are rounded up to milliseconds.

mod check;
mod stale;
mod statements;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use crate::{
    LockError, LockInfo,
    connection::{Connections, GivenUp},
    core::{Core, Store, Taken, provider_from_core},
    database::{lock_error, millis, time_text},
};
use stale::StaleRows;
use statements::{COUNT, EXTEND, FREE, LOCK_INFO, LOCKS, RELEASE, TAKE, TAKE_OVER};

/// Locks in a table of an SQLite database. See [`crate::schema::SQLITE`].
#[derive(Debug, Clone)]
pub struct SqliteLockProvider {
    core: Core,
}

provider_from_core!(SqliteLockProvider);

impl SqliteLockProvider {
    /// Uses one connection of `pool` at a time. `node` begins the `locked_by` of its locks; make it
    /// unique per process. With several processes on one file set a busy timeout, and WAL. A pool of one
    /// connection will do, but whoever keeps that connection for longer than half a lease keeps its
    /// extension out.
    pub fn new(pool: SqlitePool, node: impl Into<String>) -> Self {
        let store = Sqlite {
            connections: Connections::new(pool, GivenUp::Return),
            stale: StaleRows::default(),
        };
        Self {
            core: Core::new(Arc::new(store), node),
        }
    }

    /// Changes how long one call may take, waiting for a connection included. Three seconds at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self
    }
}

#[derive(Debug)]
struct Sqlite {
    connections: Connections<sqlx::Sqlite>,
    stale: StaleRows,
}

impl Sqlite {
    async fn take_free(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let mut connection = self.connections.one().await?;
        let taken = try_take(connection.begin(), name, locked_by, at_most).await;
        connection.done_in_transaction(taken).await
    }
}

/// The second half of an acquisition: its number.
async fn counted(
    row: Option<SqliteRow>,
    name: &str,
    connection: &mut SqliteConnection,
) -> Result<Option<Taken>, sqlx::Error> {
    let Some(row) = row else {
        return Ok(None);
    };
    let count = sqlx::query(COUNT).bind(name).fetch_one(connection).await?;
    Ok(Some(Taken {
        locked_at: row.try_get("locked_at")?,
        token: count.try_get("token")?,
    }))
}

fn info(row: &SqliteRow) -> Result<LockInfo, sqlx::Error> {
    Ok(LockInfo {
        name: row.try_get("name")?,
        locked_at: row.try_get("locked_at")?,
        lock_until: row.try_get("lock_until")?,
        locked_by: row.try_get("locked_by")?,
        held: row.try_get("held")?,
    })
}

async fn try_take(
    connection: &mut SqliteConnection,
    name: &str,
    locked_by: &str,
    at_most: Duration,
) -> Result<Option<Taken>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let query = sqlx::query(TAKE)
        .bind(name)
        .bind(locked_by)
        .bind(millis(at_most));
    let row = query.fetch_optional(&mut *transaction).await?;
    let taken = counted(row, name, &mut transaction).await?;
    transaction.commit().await?;
    Ok(taken)
}

async fn try_take_over(
    connection: &mut SqliteConnection,
    tail: &LockInfo,
    locked_by: &str,
    at_most: Duration,
) -> Result<Option<Taken>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let query = sqlx::query(TAKE_OVER)
        .bind(&tail.name)
        .bind(locked_by)
        .bind(millis(at_most))
        .bind(&tail.locked_by)
        .bind(time_text(tail.lock_until));
    let row = query.fetch_optional(&mut *transaction).await?;
    let taken = counted(row, &tail.name, &mut transaction).await?;
    transaction.commit().await?;
    Ok(taken)
}

async fn try_free(connection: &mut SqliteConnection, held: &LockInfo) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let query = sqlx::query(FREE)
        .bind(&held.name)
        .bind(&held.locked_by)
        .bind(time_text(held.lock_until));
    let freed = query.execute(&mut *transaction).await?.rows_affected() == 1;
    if freed {
        let count = sqlx::query(COUNT).bind(&held.name);
        count.fetch_one(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(freed)
}

#[async_trait]
impl Store for Sqlite {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let taken = self.take_free(name, locked_by, at_most).await?;
        if taken.is_some() || !self.free_if_stale(name, at_most).await? {
            return Ok(taken);
        }
        self.take_free(name, locked_by, at_most).await
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let mut connection = self.connections.one().await?;
        let taken = try_take_over(connection.begin(), tail, locked_by, at_most).await;
        connection.done_in_transaction(taken).await
    }

    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError> {
        let query = sqlx::query(EXTEND)
            .bind(name)
            .bind(locked_by)
            .bind(millis(at_most));
        let mut connection = self.connections.one().await?;
        let done = query.execute(connection.begin()).await;
        Ok(connection.done(done)?.rows_affected() == 1)
    }

    async fn release(
        &self,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> Result<bool, LockError> {
        let query = sqlx::query(RELEASE)
            .bind(name)
            .bind(locked_by)
            .bind(time_text(not_before));
        let mut connection = self.connections.one().await?;
        let done = query.execute(connection.begin()).await;
        Ok(connection.done(done)?.rows_affected() == 1)
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        let mut connection = self.connections.one().await?;
        let freed = try_free(connection.begin(), held).await;
        connection.done_in_transaction(freed).await
    }

    async fn free_if_stale(&self, name: &str, at_most: Duration) -> Result<bool, LockError> {
        let mut connection = self.connections.one().await?;
        let found = stale::find(connection.begin(), name).await;
        let found = connection.done(found)?;
        let Some(row) = self.stale.is_over(name, found, at_most) else {
            return Ok(false);
        };
        let freed = stale::free(connection.begin(), name, &row).await;
        let freed = connection.done(freed)?;
        if freed {
            self.stale.report_freed(name, &row);
        }
        Ok(freed)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let mut connection = self.connections.one().await?;
        let rows = sqlx::query(LOCKS).fetch_all(connection.begin()).await;
        let rows = connection.done(rows)?;
        rows.iter()
            .map(info)
            .collect::<Result<_, _>>()
            .map_err(lock_error)
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let query = sqlx::query(LOCK_INFO).bind(name);
        let mut connection = self.connections.one().await?;
        let row = query.fetch_optional(connection.begin()).await;
        let row = connection.done(row)?;
        row.as_ref().map(info).transpose().map_err(lock_error)
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        check::problems(self.connections.pool())
            .await
            .map_err(lock_error)
    }
}
