//! What the scheduler announces: for a console, and for tests to wait on instead of sleeping.

use chrono::{DateTime, TimeDelta, Utc};

use crate::job::Progress;
use crate::model::{Cause, Run, ScheduleOn};

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
    /// A run ended and gave its lock back.
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
        /// Who owns the lock in its way; nobody when the lock was lost or the database failed.
        holder: Option<String>,
    },
    /// A run was found dead.
    Abandoned(Run),
    /// A scan for dead runs ended.
    Scanned,
    /// A check for missed slots of this job ended, and those that it was owed have run. A check of very many jobs
    /// announces only those that were owed a run.
    MisfiresChecked {
        /// The job.
        job: String,
    },
    /// The wall clock was set back, and every slot is planned anew.
    ClockSetBack {
        /// By how much.
        by: TimeDelta,
    },
    /// This node registered itself again, and compared its schedules with those of the others.
    Heartbeat,
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
