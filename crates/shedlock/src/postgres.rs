//! PostgreSQL, beside Java ShedLock.

mod check;
mod statements;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    Connection as _, PgConnection, PgPool, Row,
    postgres::{PgArguments, PgRow},
};

use crate::{
    LockError, LockInfo,
    connection::{Connections, GivenUp},
    core::{Core, Store, Taken, provider_from_core},
    database::{lock_error, micros, time_from_micros},
};
use statements::{EXTEND, FREE, LOCK_INFO, LOCKS, RELEASE, TAKE, TAKE_OVER};

/// Locks in a table of PostgreSQL, shared with Java ShedLock. See [`crate::schema::POSTGRES`].
#[derive(Debug, Clone)]
pub struct PostgresLockProvider {
    core: Core,
}

provider_from_core!(PostgresLockProvider);

impl PostgresLockProvider {
    /// Uses connections of `pool`, one at a time, each for one statement outside any transaction. `node`
    /// begins the `locked_by` of its locks; make it unique per process.
    pub fn new(pool: PgPool, node: impl Into<String>) -> Self {
        Self::of(pool, node, Way::Direct)
    }

    /// As [`new`](Self::new), for a pool whose connections lead through a pooler in transaction mode (such
    /// as PgBouncer): each statement is sent in a transaction, because two messages outside one may reach
    /// two servers, and none is prepared under a name. Give
    /// the pool's options `extra_float_digits(None)`: PgBouncer refuses that parameter by default.
    pub fn through_transaction_pooler(pool: PgPool, node: impl Into<String>) -> Self {
        Self::of(pool, node, Way::TransactionPooler)
    }

    fn of(pool: PgPool, node: impl Into<String>, way: Way) -> Self {
        let store = Postgres {
            connections: Connections::new(pool, GivenUp::Close),
            way,
        };
        Self {
            core: Core::new(Arc::new(store), node),
        }
    }

    /// Changes how long one statement may take, waiting for a connection included. Three seconds at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self
    }
}

#[derive(Debug)]
struct Postgres {
    connections: Connections<sqlx::Postgres>,
    way: Way,
}

/// What stands between a connection and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    TransactionPooler,
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

impl Way {
    async fn rows(
        self,
        connection: &mut PgConnection,
        query: Query<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self == Self::Direct {
            return query.fetch_all(connection).await;
        }
        let mut tx = connection.begin().await?;
        let rows = query.persistent(false).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    async fn changed(
        self,
        connection: &mut PgConnection,
        query: Query<'_>,
    ) -> Result<u64, sqlx::Error> {
        if self == Self::Direct {
            return Ok(query.execute(connection).await?.rows_affected());
        }
        let mut tx = connection.begin().await?;
        let done = query.persistent(false).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

fn taken(row: Option<&PgRow>) -> Result<Option<Taken>, LockError> {
    row.map(|row| {
        Ok(Taken {
            locked_at: time_from_micros(row.try_get("at")?),
            token: row.try_get("token")?,
        })
    })
    .transpose()
    .map_err(lock_error)
}

fn info(row: &PgRow) -> Result<LockInfo, sqlx::Error> {
    Ok(LockInfo {
        name: row.try_get("name")?,
        locked_at: time_from_micros(row.try_get("at")?),
        lock_until: time_from_micros(row.try_get("until")?),
        locked_by: row.try_get("locked_by")?,
        held: row.try_get("held")?,
    })
}

impl Postgres {
    async fn rows(&self, query: Query<'_>) -> Result<Vec<PgRow>, LockError> {
        let mut connection = self.connections.one().await?;
        let rows = self.way.rows(connection.begin(), query).await;
        connection.done(rows)
    }

    async fn changed(&self, query: Query<'_>) -> Result<u64, LockError> {
        let mut connection = self.connections.one().await?;
        let changed = self.way.changed(connection.begin(), query).await;
        connection.done(changed)
    }
}

#[async_trait]
impl Store for Postgres {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let query = sqlx::query(TAKE)
            .bind(name)
            .bind(locked_by)
            .bind(micros(at_most));
        taken(self.rows(query).await?.first())
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        let query = sqlx::query(TAKE_OVER)
            .bind(&tail.name)
            .bind(locked_by)
            .bind(micros(at_most))
            .bind(&tail.locked_by)
            .bind(tail.lock_until.timestamp_micros());
        taken(self.rows(query).await?.first())
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
            .bind(micros(at_most));
        Ok(self.changed(query).await? == 1)
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
            .bind(not_before.timestamp_micros());
        Ok(self.changed(query).await? == 1)
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        let query = sqlx::query(FREE)
            .bind(&held.name)
            .bind(&held.locked_by)
            .bind(held.lock_until.timestamp_micros());
        Ok(self.changed(query).await? == 1)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let rows = self.rows(sqlx::query(LOCKS)).await?;
        rows.iter()
            .map(info)
            .collect::<Result<_, _>>()
            .map_err(lock_error)
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let rows = self.rows(sqlx::query(LOCK_INFO).bind(name)).await?;
        rows.first().map(info).transpose().map_err(lock_error)
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        let columns = self.rows(sqlx::query(check::COLUMNS)).await?;
        let keys = self.rows(sqlx::query(check::KEYS)).await?;
        check::problems(&columns, &keys).map_err(lock_error)
    }
}
