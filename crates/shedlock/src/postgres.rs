//! PostgreSQL, beside Java ShedLock.

mod check;
mod statements;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row, postgres::PgRow};

use crate::{
    LockError, LockInfo,
    connection::{Connection, Connections, GivenUp},
    core::{Core, Store, Taken, provider_from_core},
    database::{lock_error, micros, time_from_micros},
};
use statements::{EXTEND, LOCK_INFO, LOCKS, RELEASE, TAKE, TAKE_OVER};

/// Locks in a table of PostgreSQL, shared with Java ShedLock. See [`crate::schema::POSTGRES`].
#[derive(Debug, Clone)]
pub struct PostgresLockProvider {
    core: Core,
}

provider_from_core!(PostgresLockProvider);

impl PostgresLockProvider {
    /// Uses connections of `pool`, one at a time, each for one statement outside any transaction: it
    /// works through poolers in transaction mode. `node` begins the `locked_by` of its locks; make it
    /// unique per process.
    pub fn new(pool: PgPool, node: impl Into<String>) -> Self {
        let store = Postgres {
            connections: Connections::new(pool, GivenUp::Close),
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
}

fn taken(row: Option<PgRow>) -> Result<Option<Taken>, LockError> {
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
    async fn connect(&self) -> Result<Connection<'_, sqlx::Postgres>, LockError> {
        self.connections.one().await
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
        let mut connection = self.connect().await?;
        let row = query.fetch_optional(connection.begin()).await;
        taken(connection.done(row)?)
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
        let mut connection = self.connect().await?;
        let row = query.fetch_optional(connection.begin()).await;
        taken(connection.done(row)?)
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
        let mut connection = self.connect().await?;
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
            .bind(not_before.timestamp_micros());
        let mut connection = self.connect().await?;
        let done = query.execute(connection.begin()).await;
        Ok(connection.done(done)?.rows_affected() == 1)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let query = sqlx::query(LOCKS);
        let mut connection = self.connect().await?;
        let rows = query.fetch_all(connection.begin()).await;
        let rows = connection.done(rows)?;
        rows.iter()
            .map(info)
            .collect::<Result<_, _>>()
            .map_err(lock_error)
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let query = sqlx::query(LOCK_INFO).bind(name);
        let mut connection = self.connect().await?;
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
