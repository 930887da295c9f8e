//! What the scheduler announces: for tests to wait on instead of sleeping, and for a console.

use chrono::{DateTime, Utc};

use crate::model::{Cause, Progress, Run, ScheduleOn};

/// A step of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A run began.
    Started {
        /// The job.
        job: String,
        /// Its slot.
        slot: DateTime<Utc>,
        /// Why.
        cause: Cause,
    },
    /// A run met a conflict and waits to be tried again.
    Retrying {
        /// The job.
        job: String,
        /// How many conflicts it has met.
        retries: u32,
        /// When it is tried again.
        at: DateTime<Utc>,
        /// What it met, with its causes.
        error: String,
    },
    /// A run has used up its time and is cancelled; it ends when its function has.
    TimedOut {
        /// The job.
        job: String,
        /// Its slot.
        slot: DateTime<Utc>,
    },
    /// How far a run has come was written for other processes to see.
    Progressed {
        /// The job.
        job: String,
        /// The run's row.
        run_id: i64,
        /// How far.
        progress: Progress,
    },
    /// A run ended and its lock is given back.
    Finished(Run),
    /// A slot is behind us without a run by this node.
    Passed {
        /// The job.
        job: String,
        /// Its slot.
        slot: DateTime<Utc>,
        /// Why.
        because: Passed,
    },
    /// A slot waits, and is tried again while it is the newest.
    Delayed {
        /// The job.
        job: String,
        /// Its slot.
        slot: DateTime<Utc>,
        /// Who holds the lock in its way; nobody when the lock slipped away or the database failed.
        holder: Option<String>,
    },
    /// A run was found dead.
    Abandoned(Run),
    /// A look for dead runs ended.
    Scanned,
    /// A look for missed slots of this job ended, and what it was found to owe has run. A look at very many jobs announces only
    /// those that owed a run.
    LookedBack {
        /// The job.
        job: String,
    },
    /// This node said that it lives, and compared its schedules with those of the others.
    Renewed,
    /// Living nodes have different schedules for a job, or no longer.
    ScheduleConflict {
        /// The job.
        job: String,
        /// What they are now; none when they agree again.
        schedules: Vec<ScheduleOn>,
    },
}

/// Why a slot has no run by this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passed {
    /// It has a run in `job_run` already.
    AlreadyRan,
    /// A foreign holder took the lock at the slot's time or later.
    RanElsewhere,
    /// The job is paused.
    Paused,
    /// It was noticed too late.
    TooLate,
    /// A newer slot came while it waited.
    Superseded,
}
