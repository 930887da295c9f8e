//! How the work of a job ends when it does not end well.

use thiserror::Error;

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
    /// Something else failed; the run is recorded as FAILED with these words.
    #[error("{0}")]
    Failed(String),
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
