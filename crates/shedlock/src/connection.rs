//! Statements on one connection of a pool.

use sqlx::{Database, Pool, pool::PoolConnection};

use crate::{LockError, database::lock_error};

/// A connection that is closed when one of its statements is given up.
///
/// A pool would wait for the end of that statement to use the connection again: behind a locked row as
/// long as the row is locked, on a dead network for minutes. A few of those and the pool is empty, just
/// when a lease should be extended.
pub(crate) struct Connection<D: Database> {
    pooled: PoolConnection<D>,
    in_statement: bool,
}

impl<D: Database> Connection<D> {
    pub(crate) async fn of(pool: &Pool<D>) -> Result<Self, LockError> {
        Ok(Self {
            pooled: pool.acquire().await.map_err(lock_error)?,
            in_statement: false,
        })
    }

    /// Where one statement runs; its result goes through [`done`](Self::done).
    pub(crate) fn begin(&mut self) -> &mut D::Connection {
        self.in_statement = true;
        &mut self.pooled
    }

    pub(crate) fn done<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, LockError> {
        self.in_statement = false;
        result.map_err(lock_error)
    }
}

impl<D: Database> Drop for Connection<D> {
    fn drop(&mut self) {
        if self.in_statement {
            self.pooled.close_on_drop();
        }
    }
}
