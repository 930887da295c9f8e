//! MySQL and MariaDB, beside Java ShedLock.

mod check;
mod columns;
mod statements;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{MySql, MySqlPool, Row, mysql::MySqlRow};

use crate::{
    LockError, LockInfo,
    connection::{Connection, Connections, GivenUp},
    core::{Core, Store, Taken, provider_from_core},
    database::{lock_error, millis, time_from_micros},
};
use columns::{Columns, Learnt};
use statements::{ADD_FENCE, ADD_LOCK};

/// How often missing rows are inserted before we say that something is wrong with them.
const INSERTIONS: usize = 3;

const AUTOCOMMIT_IS_OFF: &str = "autocommit is switched off in the sessions of this pool: a lock would be \
     taken back when the transaction that it opened ends; leave autocommit on";

/// Locks in a table of MariaDB (10.6 or later) or MySQL (8.0.17 or later), shared with Java ShedLock. See
/// [`crate::schema::MYSQL`].
#[derive(Debug, Clone)]
pub struct MySqlLockProvider {
    core: Core,
}

provider_from_core!(MySqlLockProvider);

impl MySqlLockProvider {
    /// Uses connections of `pool`, one at a time, for single statements outside any transaction. Sessions
    /// with `autocommit` switched off are refused. `node` begins the `locked_by` of its locks; make it
    /// unique per process.
    ///
    /// MySQL's `caching_sha2_password` needs TLS or a Unix socket, unless sqlx is built with `mysql-rsa`.
    pub fn new(pool: MySqlPool, node: impl Into<String>) -> Self {
        let store = MySqlStore {
            connections: Connections::new(pool, GivenUp::Close),
            learnt: Learnt::default(),
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
struct MySqlStore {
    connections: Connections<MySql>,
    learnt: Learnt,
}

/// What a look at a lock showed.
struct Seen {
    columns: Columns,
    known: bool,
    token: Option<i64>,
    free: bool,
}

/// The columns keep milliseconds.
fn micros(duration: Duration) -> i64 {
    millis(duration).saturating_mul(1_000)
}

fn info(row: &MySqlRow) -> Result<LockInfo, sqlx::Error> {
    // NULL is a legal way to block a lock: nothing is `<=` it.
    let time = |column: &str| {
        let micros = row.try_get::<Option<i64>, _>(column)?;
        Ok::<_, sqlx::Error>(time_from_micros(micros.unwrap_or(i64::MAX)))
    };
    Ok(LockInfo {
        name: row.try_get("name")?,
        locked_at: time("at_micros")?,
        lock_until: time("until_micros")?,
        locked_by: row.try_get("locked_by")?,
        held: row.try_get("held")?,
    })
}

impl MySqlStore {
    async fn connect(&self) -> Result<Connection<'_, MySql>, LockError> {
        self.connections.one().await
    }

    async fn look(
        &self,
        connection: &mut Connection<'_, MySql>,
        name: &str,
    ) -> Result<Seen, LockError> {
        loop {
            let columns = self.learnt.columns();
            let query = sqlx::query(columns.statements().look).bind(name).bind(name);
            let row = query.fetch_one(connection.begin()).await;
            let row = connection.done(row)?;
            if self.learnt.agrees(columns, &row)? {
                if !row.try_get("commits").map_err(lock_error)? {
                    return Err(LockError::Database(AUTOCOMMIT_IS_OFF.into()));
                }
                let seen = || {
                    Ok(Seen {
                        columns,
                        known: row.try_get("known")?,
                        token: row.try_get("token")?,
                        free: row.try_get("free")?,
                    })
                };
                return seen().map_err(lock_error);
            }
        }
    }

    /// Takes the row if it is free, or if it is exactly `tail`.
    async fn acquire(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
        tail: Option<&LockInfo>,
    ) -> Result<Option<Taken>, LockError> {
        let mut connection = self.connect().await?;
        for _ in 0..=INSERTIONS {
            let seen = self.look(&mut connection, name).await?;
            if !seen.known {
                let added = sqlx::query(ADD_LOCK).bind(name);
                let added = added.execute(connection.begin()).await;
                connection.done(added)?;
            }
            let Some(token) = seen.token else {
                let added = sqlx::query(ADD_FENCE).bind(name);
                let added = added.execute(connection.begin()).await;
                connection.done(added)?;
                continue;
            };
            if !seen.known {
                continue;
            }
            if !seen.free && tail.is_none() {
                return Ok(None);
            }
            let statements = seen.columns.statements();
            let statement = match tail {
                None => statements.take,
                Some(_) => statements.take_over,
            };
            let mut query = sqlx::query(statement)
                .bind(micros(at_most))
                .bind(locked_by)
                .bind(name)
                .bind(name)
                .bind(token);
            if let Some(tail) = tail {
                query = query
                    .bind(&tail.locked_by)
                    .bind(tail.lock_until.timestamp_micros());
            }
            let done = query.execute(connection.begin()).await;
            let done = connection.done(done)?;
            if done.rows_affected() == 0 {
                return Ok(None);
            }
            let at = i64::try_from(done.last_insert_id()).unwrap_or(i64::MAX);
            return Ok(Some(Taken {
                locked_at: time_from_micros(at),
                token: token + 1,
            }));
        }
        Err(LockError::Schema(
            "a row of this lock was inserted but not found: the name column may have cut its name or \
             replaced characters of it (see check_schema), or somebody keeps deleting it"
                .into(),
        ))
    }

    async fn select(
        &self,
        statement: fn(Columns) -> &'static str,
        name: Option<&str>,
    ) -> Result<Vec<LockInfo>, LockError> {
        let mut connection = self.connect().await?;
        loop {
            let columns = self.learnt.columns();
            let mut query = sqlx::query(statement(columns));
            if let Some(name) = name {
                query = query.bind(name);
            }
            let rows = query.fetch_all(connection.begin()).await;
            let rows = connection.done(rows)?;
            if let Some(row) = rows.first()
                && !self.learnt.agrees(columns, row)?
            {
                continue;
            }
            return rows
                .iter()
                .map(info)
                .collect::<Result<_, _>>()
                .map_err(lock_error);
        }
    }
}

#[async_trait]
impl Store for MySqlStore {
    async fn take(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        self.acquire(name, locked_by, at_most, None).await
    }

    async fn take_over(
        &self,
        tail: &LockInfo,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<Option<Taken>, LockError> {
        self.acquire(&tail.name, locked_by, at_most, Some(tail))
            .await
    }

    async fn extend(
        &self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> Result<bool, LockError> {
        let query = sqlx::query(self.learnt.columns().statements().extend)
            .bind(micros(at_most))
            .bind(name)
            .bind(locked_by);
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
        // Upwards to what the column keeps: the at-least time is a promise.
        let not_before = (not_before.timestamp_micros() + 999).div_euclid(1_000) * 1_000;
        let query = sqlx::query(self.learnt.columns().statements().release)
            .bind(not_before)
            .bind(name)
            .bind(locked_by);
        let mut connection = self.connect().await?;
        let done = query.execute(connection.begin()).await;
        Ok(connection.done(done)?.rows_affected() == 1)
    }

    async fn free(&self, held: &LockInfo) -> Result<bool, LockError> {
        let mut connection = self.connect().await?;
        // Java takes locks without a token.
        let added = sqlx::query(ADD_FENCE).bind(&held.name);
        let added = added.execute(connection.begin()).await;
        connection.done(added)?;
        let query = sqlx::query(self.learnt.columns().statements().free)
            .bind(&held.locked_by)
            .bind(&held.name)
            .bind(&held.name)
            .bind(held.lock_until.timestamp_micros());
        let done = query.execute(connection.begin()).await;
        Ok(connection.done(done)?.rows_affected() > 0)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        self.select(|columns| columns.statements().locks, None)
            .await
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let rows = self.select(|columns| columns.statements().lock_info, Some(name));
        Ok(rows.await?.pop())
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        check::problems(&mut self.connect().await?).await
    }
}
