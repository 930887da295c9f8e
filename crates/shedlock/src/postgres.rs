//! PostgreSQL, beside Java ShedLock.
//!
//! Two things are unusual in these statements.
//!
//! *The column types.* Both `TIMESTAMP` (in UTC) and `TIMESTAMPTZ` exist in the wild, and a comparison or
//! assignment between the two shifts by the session's time zone. So times are compared as
//! `extract(epoch FROM …)`, which is right for either type in any session, and written as "the epoch, in
//! the type of this column, plus microseconds": inside `COALESCE` an untyped literal takes the type of
//! the column. The interval has only a time part: days would follow the session's daylight saving.
//!
//! *The clock.* `CURRENT_TIMESTAMP` is the start of the transaction. A statement that waited behind
//! another for the row must judge by the time after the wait, or it would refuse a lock that is free and
//! write a lease that is already shorter; hence `clock_timestamp()`, read once per row in a subquery of
//! its own (`OFFSET 0` keeps the planner from reading it twice).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row, postgres::PgRow};

use crate::{
    LockError, LockInfo,
    core::{Core, Store, Taken, provider_from_core},
    database::{lock_error, micros, time_from_micros},
};

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
        Self {
            core: Core::new(Arc::new(Postgres { pool }), node),
        }
    }

    /// Changes how long one statement may take, waiting for a connection included. Three seconds at first.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.core.timeout = timeout;
        self
    }
}

/// Microseconds since 1970 by the database clock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// Microseconds since 1970 of a column of either type, within years 1970 to 9999 (`infinity` is a legal
/// way to block a lock).
macro_rules! micros_of {
    ($column:literal) => {
        concat!(
            "(greatest(least(extract(epoch FROM ",
            $column,
            "), 253402300799), 0) * 1000000)::bigint"
        )
    };
}

/// The four values of a row that is taken now: `$1` name, `$2` holder, `$3` lease in microseconds.
macro_rules! taken_row {
    () => {
        concat!(
            "SELECT epoch.until + (clock.now + $3) * interval '1 microsecond',
            epoch.at + clock.now * interval '1 microsecond',
            $2
       FROM (SELECT ", now!(), " AS now OFFSET 0) AS clock,
            (SELECT COALESCE((SELECT lock_until FROM shedlock WHERE false), '1970-01-01 00:00:00+00') AS until,
                    COALESCE((SELECT locked_at FROM shedlock WHERE false), '1970-01-01 00:00:00+00') AS at
            ) AS epoch"
        )
    };
}

/// Counts the acquisition in the same statement, and answers it.
macro_rules! fenced {
    () => {
        ", fence AS (
    INSERT INTO shedlock_fence AS fence (name, token) SELECT $1, 1 FROM taken
    ON CONFLICT (name) DO UPDATE SET token = fence.token + 1
    RETURNING token
)
SELECT taken.at, fence.token FROM taken, fence"
    };
}

const TAKE: &str = concat!(
    "WITH taken AS (
    INSERT INTO shedlock AS held (lock_until, locked_at, locked_by, name)
    SELECT fresh.*, $1 FROM (",
    taken_row!(),
    ") AS fresh
    ON CONFLICT (name) DO UPDATE SET (lock_until, locked_at, locked_by) = (",
    taken_row!(),
    ")
     WHERE ",
    micros_of!("held.lock_until"),
    " <= ",
    now!(),
    "
    RETURNING ",
    micros_of!("locked_at"),
    " AS at
)",
    fenced!()
);

const TAKE_OVER: &str = concat!(
    "WITH taken AS (
    UPDATE shedlock AS held SET (lock_until, locked_at, locked_by) = (",
    taken_row!(),
    ")
     WHERE name = $1 AND locked_by = $4
       AND ",
    micros_of!("held.lock_until"),
    " = $5
       AND ",
    micros_of!("held.lock_until"),
    " > ",
    now!(),
    "
    RETURNING ",
    micros_of!("locked_at"),
    " AS at
)",
    fenced!()
);

const EXTEND: &str = concat!(
    "UPDATE shedlock
   SET lock_until = lock_until
       + (",
    now!(),
    " + $3 - ",
    micros_of!("lock_until"),
    ") * interval '1 microsecond'
 WHERE name = $1 AND locked_by = $2 AND ",
    micros_of!("lock_until"),
    " > ",
    now!()
);

const RELEASE: &str = concat!(
    "UPDATE shedlock
   SET lock_until = lock_until
       + (greatest(",
    now!(),
    ", $3) - ",
    micros_of!("lock_until"),
    ") * interval '1 microsecond'
 WHERE name = $1 AND locked_by = $2 AND ",
    micros_of!("lock_until"),
    " > ",
    now!()
);

macro_rules! select_info {
    () => {
        concat!(
            "SELECT name, locked_by, ",
            micros_of!("locked_at"),
            " AS at, ",
            micros_of!("lock_until"),
            " AS until, ",
            micros_of!("lock_until"),
            " > ",
            now!(),
            " AS held FROM shedlock"
        )
    };
}

const LOCKS: &str = concat!(select_info!(), " ORDER BY name");
const LOCK_INFO: &str = concat!(select_info!(), " WHERE name = $1");

#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
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
        taken(query.fetch_optional(&self.pool).await.map_err(lock_error)?)
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
        taken(query.fetch_optional(&self.pool).await.map_err(lock_error)?)
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
        let done = query.execute(&self.pool).await.map_err(lock_error)?;
        Ok(done.rows_affected() == 1)
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
        let done = query.execute(&self.pool).await.map_err(lock_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        let rows = sqlx::query(LOCKS).fetch_all(&self.pool).await;
        let rows = rows.map_err(lock_error)?;
        rows.iter()
            .map(info)
            .collect::<Result<_, _>>()
            .map_err(lock_error)
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        let row = sqlx::query(LOCK_INFO)
            .bind(name)
            .fetch_optional(&self.pool)
            .await;
        let row = row.map_err(lock_error)?;
        row.as_ref().map(info).transpose().map_err(lock_error)
    }

    async fn schema_problems(&self) -> Result<Vec<String>, LockError> {
        crate::check::postgres(&self.pool).await.map_err(lock_error)
    }
}
