//! What a job is given.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use shedlock::LeaseTrust;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error::JobError;
use crate::progress::ProgressCell;
use crate::store::still_ours;

/// What a running job knows of its run.
#[derive(Debug, Clone)]
pub struct JobContext {
    pub(crate) cancellation: CancellationToken,
    pub(crate) attempt: u32,
    pub(crate) retry: u32,
    pub(crate) slot: DateTime<Utc>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fencing_token: i64,
    pub(crate) run_id: Option<i64>,
    pub(crate) progress: Arc<ProgressCell>,
    pub(crate) fence: Fence,
    pub(crate) trust: Option<LeaseTrust>,
}

impl JobContext {
    /// Cancelled when the scheduler stops, the lease is lost or the run's time is over. A job that goes on is cut off.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Which attempt at its slot this run is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many conflicts this run has met and retried.
    #[must_use]
    pub fn retry(&self) -> u32 {
        self.retry
    }

    /// The slot, or for a run by hand when it was asked for.
    #[must_use]
    pub fn slot(&self) -> DateTime<Utc> {
        self.slot
    }

    /// Whether the run's lease can be relied on at this instant, measured on a clock that goes on while the process is
    /// stopped or the machine sleeps. Ask right before each step outside the database that must not happen twice: a process
    /// that was stopped may take the step before it hears of its cancellation. Always true for a job without a lock.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust.as_ref().is_none_or(LeaseTrust::is_trusted)
    }

    /// The scheduler's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Increases with every acquisition of this job's lock; 0 for a job without a lock.
    #[must_use]
    pub fn fencing_token(&self) -> i64 {
        self.fencing_token
    }

    /// The run's row, if it has one while it runs.
    #[must_use]
    pub fn run_id(&self) -> Option<i64> {
        self.run_id
    }

    /// Says how far the run has come; `total` 0 when unknown. Shown by [`list`](crate::Scheduler::list) while the run lasts: in this
    /// process at once, and for a run that has its row from the beginning in every other within about a second.
    /// Costs next to nothing, so it may be called for each item.
    pub fn progress(&self, done: u64, total: u64) {
        self.progress.set(done, total);
    }

    /// The check that every writing transaction of the job makes before it commits.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }
}

/// Keeps a run that is no longer the run of record from writing.
#[derive(Debug, Clone)]
pub struct Fence {
    pub(crate) lost: CancellationToken,
    /// Name and holder of the lock row, for a job that locks in the database.
    pub(crate) lock: Option<(String, String)>,
    pub(crate) run_id: Option<i64>,
}

impl Fence {
    /// Asks inside the job's own write transaction, last before its commit: is the run still RUNNING in `job_run`, and the lock row
    /// still ours? In PostgreSQL both rows stay so until the transaction ends. A SQLite transaction must have begun
    /// IMMEDIATE. Keep the transaction shorter than half the lease: the lease cannot be extended meanwhile.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`]: roll back and return it. Otherwise as [`JobError::from_db`].
    pub async fn check(&self, tx: &DatabaseTransaction) -> Result<(), JobError> {
        if self.lost.is_cancelled() {
            return Err(JobError::LeaseLost);
        }
        let lock = self
            .lock
            .as_ref()
            .map(|(name, owner)| (name.as_str(), owner.as_str()));
        match still_ours(tx, self.run_id, lock).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(JobError::LeaseLost),
            Err(error) => Err(JobError::from_db(error)),
        }
    }
}
