//! What the scheduler asks of its tables.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::rows::{
    History, JobRow, NewRun, NewRunOutcome, NodeSchedule, Overview, Schedule, SlotQuery,
};
use crate::job::Progress;
use crate::model::{Run, RunStatus};

/// The tables of [`schema`](crate::schema), beside the lock table.
///
/// Each call is atomic. An error leaves open whether it acted, and so does a call that is dropped. Times are compared as
/// they are written, to the microsecond. Only the database's own clock says whether a lock has lapsed.
#[async_trait]
pub(crate) trait Store: Send + Sync + Debug {
    /// Adds the rows of the jobs that are missing.
    async fn register_jobs(&self, names: &[&str], now: DateTime<Utc>) -> Result<(), sqlx::Error>;

    /// Notes the schedules of these jobs. One that differs from what was noted is the job's since now, and what was noted
    /// is the previous one.
    async fn save_plans(
        &self,
        plans: &[Schedule<'_>],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error>;

    /// Remembers that the node is one of ours, and when it last said so.
    async fn register_node(&self, node: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error>;

    /// Notes what is the node's schedule of each job, in place of what was noted before.
    async fn save_schedules(
        &self,
        node: &str,
        schedules: &[Schedule<'_>],
    ) -> Result<(), sqlx::Error>;

    /// Forgets the node's schedules.
    async fn forget_schedules(&self, node: &str) -> Result<(), sqlx::Error>;

    /// The schedules of the jobs that nodes seen between these times disagree on, by job, schedule and node.
    async fn schedule_conflicts(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<NodeSchedule>, sqlx::Error>;

    /// Whether the node is one of ours.
    async fn is_known_node(&self, node: &str) -> Result<bool, sqlx::Error>;

    /// Pauses the job, known or not.
    async fn pause(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error>;

    /// Ends a pause and notes when. A job that was not paused stays as it is.
    async fn resume(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error>;

    /// Notes that a foreign holder ran the slot, unless a newer one is noted.
    async fn ran_elsewhere(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error>;

    /// The job's row.
    async fn job(&self, name: &str) -> Result<Option<JobRow>, sqlx::Error>;

    /// One run.
    async fn run(&self, id: i64) -> Result<Option<Run>, sqlx::Error>;

    /// What an operator sees of each of the jobs, in their order.
    async fn overview(&self, names: &[&str]) -> Result<Vec<Overview>, sqlx::Error>;

    /// The runs of a slot, by attempt; those by hand have none.
    async fn slot_runs(&self, name: &str, slot: DateTime<Utc>) -> Result<Vec<Run>, sqlx::Error>;

    /// What the tables say of the slots of each of these jobs, in their order.
    ///
    /// A job's row is read after its runs, and once. A resume that came between two readings would turn skipped slots
    /// into missed ones.
    async fn histories(&self, asked: &[SlotQuery<'_>]) -> Result<Vec<History>, sqlx::Error>;

    /// The status of the run that took the lock under this owner.
    async fn owner(&self, name: &str, owner: &str) -> Result<Option<RunStatus>, sqlx::Error>;

    /// Runs of a job with an id below `before_id`, newest first.
    async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, sqlx::Error>;

    /// Writes the RUNNING row of a run whose lock was just taken, all of it in one step.
    ///
    /// The job must not be paused, unless the run is by hand. The lock must still be the run's own. The slot and attempt
    /// must have no row.
    async fn begin_run(&self, run: &NewRun<'_>) -> Result<NewRunOutcome, sqlx::Error>;

    /// The jobs that have a RUNNING row.
    async fn running_jobs(&self) -> Result<Vec<String>, sqlx::Error>;

    /// Marks every RUNNING row ABANDONED whose lock is not its own any more, and answers with them. A row without
    /// an owner (a script's) is alive while anybody but another run of the job owns the lock.
    async fn abandon_dead(&self, now: DateTime<Utc>, why: &str) -> Result<Vec<Run>, sqlx::Error>;

    /// Ends a RUNNING row. False when it was not RUNNING any more because somebody declared the run dead.
    async fn finish(&self, run: &Run) -> Result<bool, sqlx::Error>;

    /// Writes a run that has ended and had no row. `None` when its slot already has one.
    async fn insert_finished(&self, run: &Run, slot_node: &str)
    -> Result<Option<i64>, sqlx::Error>;

    /// Deletes up to `batch` runs that ended before; the newest of each job stays.
    async fn prune(&self, older_than: DateTime<Utc>, batch: u64) -> Result<u64, sqlx::Error>;

    /// Forgets nodes that were last seen before, schedules of nodes that are forgotten, and the progress of runs
    /// that do not run.
    async fn prune_leftovers(&self, seen_before: DateTime<Utc>) -> Result<(), sqlx::Error>;

    /// Notes how far a run has come.
    async fn save_progress(
        &self,
        run_id: i64,
        progress: Progress,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error>;

    /// Forgets how far a run has come.
    async fn end_progress(&self, run_id: i64) -> Result<(), sqlx::Error>;
}
