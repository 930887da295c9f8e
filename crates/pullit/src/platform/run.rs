//! How the work of a job ends when it does not end well.

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::fence::FenceError;

/// Why a run of a job stopped. The scheduler retries conflicts, and records the rest.
#[derive(Debug, Error)]
pub enum RunError {
    /// The run is not the run of record any more; what it was writing was undone.
    #[error("this run has lost its lease; its last write was undone")]
    Lost,
    /// Somebody else changed the same rows first (optimistic lock): try again.
    #[error("{0}")]
    Conflict(String),
    /// The database failed; some of its errors are conflicts too.
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
    /// It was asked to stop before it was done; what it committed stays.
    #[error("the run was stopped before it was done")]
    Stopped,
    /// Something else failed; the run is recorded as FAILED with these words.
    #[error("{0}")]
    Failed(String),
}

impl RunError {
    /// Asked between two transactions: whether to go on.
    ///
    /// # Errors
    /// [`RunError::Stopped`] when not.
    pub fn unless_stopped(cancel: &CancellationToken) -> Result<(), Self> {
        if cancel.is_cancelled() {
            Err(Self::Stopped)
        } else {
            Ok(())
        }
    }
}

impl From<FenceError> for RunError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::Lost => Self::Lost,
            FenceError::Database(error) => Self::Database(error),
        }
    }
}

impl From<outbox::OutboxError> for RunError {
    fn from(error: outbox::OutboxError) -> Self {
        match error {
            outbox::OutboxError::Database(error) => Self::Database(error),
            error => Self::Failed(error.to_string()),
        }
    }
}
