//! The fence: a run that is no longer the run of record cannot write.
//!
//! A job asks [`LeaseFence::check`] inside each of its write transactions, last before the commit. It takes sqlx's
//! transactions and connections as they are. The feature `sea-orm` adds `LeaseFence::check_sea_orm`.
//!
//! # Other drivers, other languages
//! The check is two statements, both of them public. Run them in this order, in the transaction that writes. Each must answer with
//! exactly one row. No row: roll back, and stop the run. An error: roll back.
//!
//! 1. [`POSTGRES_STILL_RUNNING`] or [`SQLITE_STILL_RUNNING`], if the run has an id ([`LeaseFence::run_id`]).
//! 2. [`shedlock::fence::POSTGRES_CHECK`] or [`shedlock::fence::SQLITE_CHECK`], if the run holds a lock in the database
//!    ([`LeaseFence::lock`]). `$1` (text) is the lock's name, `$2` (text) its owner. The one column is `name` (text).
//!
//! In PostgreSQL both rows then stay as they are until the transaction ends. In SQLite they do because nobody else can write: begin the
//! transaction `IMMEDIATE`.

#[cfg(feature = "sea-orm")]
mod sea_orm;

use async_trait::async_trait;
use ground::{Connection, Dialects, Fence, FenceError, Row, Statements};
use tokio_util::sync::CancellationToken;

/// PostgreSQL: whether a run is still RUNNING. `$1` (bigint) is its id. The one column is `running` (integer), always 1.
pub const POSTGRES_STILL_RUNNING: &str =
    "SELECT 1 AS running FROM job_run WHERE id = $1 AND status = 'RUNNING' FOR SHARE";

/// SQLite: whether a run is still RUNNING, in a transaction that began `IMMEDIATE`. `$1` (integer) is its id. The one column is
/// `running` (integer), always 1.
pub const SQLITE_STILL_RUNNING: &str =
    "SELECT 1 AS running FROM job_run WHERE id = $1 AND status = 'RUNNING'";

const STILL_RUNNING: Dialects = Dialects {
    postgres: POSTGRES_STILL_RUNNING,
    sqlite: SQLITE_STILL_RUNNING,
};

const HOLDS_LOCK: Dialects = Dialects {
    postgres: shedlock::fence::POSTGRES_CHECK,
    sqlite: shedlock::fence::SQLITE_CHECK,
};

/// Keeps a run that is no longer the run of record from writing.
#[derive(Debug, Clone)]
pub struct LeaseFence {
    pub(crate) lost: CancellationToken,
    /// Name and owner of the lock row, for a job that locks in the database.
    pub(crate) lock: Option<(String, String)>,
    pub(crate) run_id: Option<i64>,
}

impl LeaseFence {
    /// Asks inside the job's own write transaction, last before its commit: is the run still RUNNING in `job_run`, and the lock row
    /// still ours? In PostgreSQL both rows stay so until the transaction ends. A SQLite transaction must have begun
    /// IMMEDIATE. Keep the transaction shorter than half the lease: the lease cannot be extended meanwhile.
    ///
    /// # Errors
    /// [`FenceError::Lost`] when the run may not write any more, [`FenceError::Database`] when the database did not say. Roll back, and
    /// return it as [`JobError`](crate::JobError).
    pub async fn check(&self, tx: impl Into<Connection<'_>>) -> Result<(), FenceError> {
        self.still_trusted()?;
        self.ask(&mut tx.into()).await
    }

    /// The run's id, if it has a row while it runs.
    #[must_use]
    pub fn run_id(&self) -> Option<i64> {
        self.run_id
    }

    /// Name and owner of the lock, if the job locks in the database.
    #[must_use]
    pub fn lock(&self) -> Option<(&str, &str)> {
        let (name, owner) = self.lock.as_ref()?;
        Some((name, owner))
    }

    /// A lease that is known to be lost needs no question.
    pub(crate) fn still_trusted(&self) -> Result<(), FenceError> {
        if self.lost.is_cancelled() {
            return Err(FenceError::Lost);
        }
        Ok(())
    }

    async fn ask(&self, tx: &mut Connection<'_>) -> Result<(), FenceError> {
        if let Some(id) = self.run_id {
            found(tx.raw_row(STILL_RUNNING, vec![id.into()]).await?)?;
        }
        if let Some((name, owner)) = self.lock() {
            found(lock_row(tx, name, owner).await?)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fence for LeaseFence {
    async fn check(&self, tx: &mut Connection<'_>) -> Result<(), FenceError> {
        self.still_trusted()?;
        self.ask(tx).await
    }
}

/// The lock's row while it is the owner's and has not run out.
pub(crate) async fn lock_row(
    tx: &mut Connection<'_>,
    name: &str,
    owner: &str,
) -> Result<Option<Row>, sqlx::Error> {
    tx.raw_row(HOLDS_LOCK, vec![name.into(), owner.into()])
        .await
}

/// What has no row is not ours any more.
pub(crate) fn found<T>(row: Option<T>) -> Result<(), FenceError> {
    row.map(|_| ()).ok_or(FenceError::Lost)
}
