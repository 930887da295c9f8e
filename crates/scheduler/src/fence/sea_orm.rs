//! For users of SeaORM: the fence inside their transactions, and their errors as a job's.

use std::sync::Arc;

use ground::{Fault, FenceError};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, Statement,
    Value,
};

use super::{LeaseFence, POSTGRES_STILL_RUNNING, SQLITE_STILL_RUNNING, found};
use crate::error::JobError;

impl LeaseFence {
    /// As [`check`](Self::check), in SeaORM's transaction. One of SQLite must have begun with `SqliteTransactionMode::Immediate`.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn check_sea_orm(&self, tx: &DatabaseTransaction) -> Result<(), FenceError> {
        self.still_trusted()?;
        let (still_running, holds_lock) = match tx.get_database_backend() {
            DbBackend::Postgres => (POSTGRES_STILL_RUNNING, shedlock::fence::POSTGRES_CHECK),
            DbBackend::Sqlite => (SQLITE_STILL_RUNNING, shedlock::fence::SQLITE_CHECK),
            other => return Err(ground::unexpected(format!("{other:?} has no fence")).into()),
        };
        if let Some(id) = self.run_id() {
            ask(tx, still_running, [id.into()]).await?;
        }
        if let Some((name, owner)) = self.lock() {
            ask(tx, holds_lock, [name.into(), owner.into()]).await?;
        }
        Ok(())
    }
}

async fn ask<const N: usize>(
    tx: &DatabaseTransaction,
    sql: &str,
    values: [Value; N],
) -> Result<(), FenceError> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    found(tx.query_one_raw(statement).await.map_err(drivers_own)?)
}

/// The driver's own error, so that whoever asks [`Fault::of`] it gets the same answer.
fn drivers_own(error: DbErr) -> sqlx::Error {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(driver))
        | DbErr::Exec(RuntimeErr::SqlxError(driver))
        | DbErr::Query(RuntimeErr::SqlxError(driver)) => {
            // It comes straight from the statement: nobody else has it.
            Arc::try_unwrap(driver).unwrap_or_else(|shared| ground::unexpected(shared.to_string()))
        }
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => sqlx::Error::PoolTimedOut,
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => sqlx::Error::PoolClosed,
        other => ground::unexpected(other.to_string()),
    }
}

/// A conflict when the database says so, as from [`sqlx::Error`], or when an entity's update found its row gone or changed
/// ([`DbErr::RecordNotUpdated`]); else a failure.
impl From<DbErr> for JobError {
    fn from(error: DbErr) -> Self {
        if is_conflict(&error) {
            Self::conflict(error)
        } else {
            Self::failed(error)
        }
    }
}

fn is_conflict(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(driver))
        | DbErr::Exec(RuntimeErr::SqlxError(driver))
        | DbErr::Query(RuntimeErr::SqlxError(driver)) => Fault::of(driver) == Fault::Conflict,
        DbErr::RecordNotUpdated => true,
        _ => false,
    }
}
