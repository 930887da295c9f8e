//! Errors that say what to do next.

use std::error::Error;

use chrono::{DateTime, Utc};
use ground::{Fault, FenceError};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How a job failed, which decides what the scheduler does next.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Somebody else changed the same data first: tried again by the job's [`Retry`](crate::Retry).
    #[error("conflict with another writer")]
    Conflict(#[source] BoxError),
    /// Trying again at once would not help: the run fails.
    #[error("the job failed")]
    Failed(#[source] BoxError),
    /// This run is no longer the run of record. Nothing may be written any more.
    #[error("the run lost its lease; it must not write any more")]
    LeaseLost,
    /// The job stopped because it was asked to.
    #[error("the run was cancelled before it was done")]
    Cancelled,
}

impl JobError {
    /// A conflict with another writer, such as a version mismatch; to be retried.
    pub fn conflict(error: impl Into<BoxError>) -> Self {
        Self::Conflict(error.into())
    }

    /// A failure that ends the run.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

/// A conflict when the database says so, else a failure. [`Fault::Conflict`] is a serialization failure, a deadlock, a lock
/// that is not given up, or SQLite busy or locked.
impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Conflict => Self::conflict(error),
            _ => Self::failed(error),
        }
    }
}

impl From<FenceError> for JobError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::Lost => Self::LeaseLost,
            FenceError::Database(error) => error.into(),
        }
    }
}

/// The scheduler could not do its own work.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// No job of this name is registered here.
    #[error("there is no job named `{0}`; `jobs list` shows the names")]
    UnknownJob(String),
    /// The database refused or was out of reach; the same call may work later.
    #[error("the scheduler's tables could not be read or written")]
    Store(#[from] sqlx::Error),
    /// The lock could not be asked; the same call may work later.
    #[error("the lock could not be asked")]
    Lock(#[source] BoxError),
}

/// Why a job did not run by hand.
#[derive(Debug, thiserror::Error)]
pub enum RunNowError {
    /// No job of this name is registered here.
    #[error("there is no job named `{0}`; `jobs list` shows the names")]
    UnknownJob(String),
    /// Another run holds the lock; try again when it ended.
    #[error("`{job}` is locked by {holder} until {until}")]
    Locked {
        /// The job.
        job: String,
        /// Who holds the lock.
        holder: String,
        /// When the lock lapses unless it is extended.
        until: DateTime<Utc>,
    },
    /// The lock was lost before the run could begin; nothing ran.
    #[error("the lock of `{0}` was lost before the run began; nothing ran, try again")]
    LostLock(String),
    /// This scheduler is stopping.
    #[error("the scheduler is stopping and starts no new runs")]
    Stopping,
    /// The scheduler itself failed.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
}

impl From<sqlx::Error> for RunNowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Scheduler(SchedulerError::Store(error))
    }
}

/// Why a scheduler cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A part is missing.
    #[error("the scheduler needs a {0}")]
    Missing(&'static str),
    /// Two jobs share a name, and with it a lock.
    #[error("two jobs are named `{0}`; the name is the lock, so it must be unique")]
    DuplicateJob(String),
    /// A job asks for things that exclude each other.
    #[error("job `{job}`: {problem}")]
    Job {
        /// The job.
        job: String,
        /// What to change.
        problem: String,
    },
    /// Name, lease or minimum hold cannot make a lock.
    #[error("job `{job}` cannot be locked")]
    Lock {
        /// The job.
        job: String,
        /// What the lock says.
        #[source]
        source: BoxError,
    },
}
