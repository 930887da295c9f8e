//! One statement on one connection.

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};

use crate::{LockError, database::lock_error};

/// A connection that is closed when its statement is given up.
///
/// A pool would wait for the end of that statement to use the connection again: behind a locked row as
/// long as the row is locked, on a dead network for minutes. A few of those and the pool is empty, just
/// when a lease should be extended.
pub(super) struct Connection {
    pooled: PoolConnection<Postgres>,
    in_statement: bool,
}

impl Connection {
    pub(super) async fn of(pool: &PgPool) -> Result<Self, LockError> {
        Ok(Self {
            pooled: pool.acquire().await.map_err(lock_error)?,
            in_statement: false,
        })
    }

    /// Where the one statement runs; its result goes through [`done`](Self::done).
    pub(super) fn begin(&mut self) -> &mut PgConnection {
        self.in_statement = true;
        &mut self.pooled
    }

    pub(super) fn done<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, LockError> {
        self.in_statement = false;
        result.map_err(lock_error)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.in_statement {
            self.pooled.close_on_drop();
        }
    }
}
