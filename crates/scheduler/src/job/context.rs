//! What a running job is given.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use shedlock::LeaseTrust;
use tokio_util::sync::CancellationToken;

use super::progress::ProgressCell;
use crate::clock::Clock;
use crate::fence::LeaseFence;

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
    pub(crate) fence: LeaseFence,
    pub(crate) trust: Option<LeaseTrust>,
}

impl JobContext {
    /// Cancelled when the scheduler stops, the lease is lost or the run's time is over. A job that then goes on is cut off.
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

    /// Whether the run's lease can be relied on at this instant. Always true for a job without a lock.
    ///
    /// Ask right before each step outside the database that must not happen twice. A process that was stopped may
    /// take such a step before it learns of its cancellation. The clock behind the answer goes on while the process is
    /// stopped or the machine sleeps.
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

    /// Says how far the run has come; `total` 0 when unknown. So cheap that it may be called for each item.
    ///
    /// [`list`](crate::Scheduler::list) shows it while the run lasts: in this process at once, in every other within
    /// about a second. Other processes do not see it for runs that are recorded only at their end.
    pub fn progress(&self, done: u64, total: u64) {
        self.progress.set(done, total);
    }

    /// The check that every writing transaction of the job makes before it commits.
    #[must_use]
    pub fn fence(&self) -> LeaseFence {
        self.fence.clone()
    }
}
