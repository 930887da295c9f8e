//! What goes into the tables and comes out of them.

use chrono::{DateTime, Utc};

use crate::event::Passed;
use crate::job::Progress;
use crate::model::{Run, RunRequest};

/// A job's schedule on a node.
#[derive(Debug, Clone)]
pub(crate) struct Schedule<'a> {
    pub(crate) job: &'a str,
    pub(crate) text: String,
}

/// A [`Schedule`] as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeSchedule {
    pub(crate) job: String,
    pub(crate) text: String,
    pub(crate) node: String,
}

/// What an operator sees of a job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    pub(crate) paused: bool,
    /// The run that began last.
    pub(crate) last_run: Option<Run>,
    /// How far its RUNNING run has come.
    pub(crate) progress: Option<Progress>,
}

/// A job and those of its slots that may have been missed.
#[derive(Debug, Clone)]
pub(crate) struct SlotQuery<'a> {
    pub(crate) job: &'a str,
    /// The newest first, at least one.
    pub(crate) slots: Vec<DateTime<Utc>>,
}

/// What the tables say of the slots of a [`SlotQuery`]. Runs by hand do not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) row: JobRow,
    /// The oldest slot of the job that has a run.
    pub(crate) oldest: Option<DateTime<Utc>>,
    /// The newest slot with a run that was not asked for and is newer than the oldest one asked for.
    pub(crate) newest_other: Option<DateTime<Utc>>,
    /// The runs of the slots asked for.
    pub(crate) runs: Vec<Run>,
    /// The last change of the job's schedule.
    pub(crate) change: Option<ScheduleChange>,
}

/// A job got another schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScheduleChange {
    pub(crate) since: DateTime<Utc>,
    pub(crate) previous: String,
}

/// A row of `job`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct JobRow {
    pub(crate) paused: bool,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) resumed_at: Option<DateTime<Utc>>,
    /// The newest slot that a foreign holder is known to have run.
    pub(crate) foreign_slot: Option<DateTime<Utc>>,
}

/// A run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRun<'a> {
    pub(crate) job: &'a str,
    pub(crate) request: RunRequest,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) node: &'a str,
    /// Who owns the job's lock for it.
    pub(crate) lock_owner: &'a str,
}

/// What became of a [`NewRun`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewRunOutcome {
    /// Its row's id.
    Row(i64),
    /// There is nothing to run.
    Passed(Passed),
    LostLock,
}
