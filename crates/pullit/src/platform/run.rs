//! How the work of a job ends when it does not end well.

use ground::FenceError;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

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
    Database(#[from] sqlx::Error),
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

impl From<outbox::RelayError> for RunError {
    fn from(error: outbox::RelayError) -> Self {
        match error {
            outbox::RelayError::Conflict(reason) => Self::Conflict(reason),
            outbox::RelayError::NotOwner => Self::Lost,
            outbox::RelayError::Database(error) => Self::Database(error),
        }
    }
}

impl From<scheduler::SchedulerError> for RunError {
    fn from(error: scheduler::SchedulerError) -> Self {
        match error {
            scheduler::SchedulerError::Store(error) => Self::Database(error),
            error => Self::Failed(error.to_string()),
        }
    }
}
