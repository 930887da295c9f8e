//! What the scheduler asks of its tables.

mod database;

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::DbErr;

pub(crate) use self::database::{DatabaseStore, still_ours};
use crate::event::Passed;
use crate::model::{Run, RunStatus};
use crate::run::claim::Ask;

/// The tables `job`, `job_run` and `job_node`, beside the lock table.
///
/// Each call is atomic, but an error leaves open whether it acted, and so does a call that is dropped. Times are compared as they are written, to the microsecond; whether a lock is held is judged by the
/// database's own clock.
#[async_trait]
pub(crate) trait Store: Send + Sync + Debug {
    /// Adds the job's row if it is missing.
    async fn register_job(&self, name: &str, now: DateTime<Utc>) -> Result<(), DbErr>;

    /// Remembers that the node is one of ours, and when it last said so.
    async fn register_node(&self, node: &str, now: DateTime<Utc>) -> Result<(), DbErr>;

    /// Whether the node is one of ours.
    async fn is_known_node(&self, node: &str) -> Result<bool, DbErr>;

    /// Pauses the job, known or not.
    async fn pause(&self, name: &str, now: DateTime<Utc>) -> Result<(), DbErr>;

    /// Ends a pause and notes when. A job that was not paused stays as it is.
    async fn resume(&self, name: &str, now: DateTime<Utc>) -> Result<(), DbErr>;

    /// Notes that a foreign holder ran the slot, unless a newer one is noted.
    async fn ran_elsewhere(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr>;

    /// The job's row.
    async fn job(&self, name: &str) -> Result<Option<JobRow>, DbErr>;

    /// One run.
    async fn run(&self, id: i64) -> Result<Option<Run>, DbErr>;

    /// The run that began last.
    async fn last_run(&self, name: &str) -> Result<Option<Run>, DbErr>;

    /// The runs of a slot, by attempt; those by hand have none.
    async fn slot_runs(&self, name: &str, slot: DateTime<Utc>) -> Result<Vec<Run>, DbErr>;

    /// Whether an older slot of the job has a run.
    async fn ran_before(&self, name: &str, slot: DateTime<Utc>) -> Result<bool, DbErr>;

    /// Whether a newer slot of the job has a run.
    async fn ran_since(&self, name: &str, slot: DateTime<Utc>) -> Result<bool, DbErr>;

    /// The status of the run that took the lock under this owner.
    async fn owner(&self, name: &str, owner: &str) -> Result<Option<RunStatus>, DbErr>;

    /// Runs of a job with an id below `before_id`, newest first.
    async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, DbErr>;

    /// Writes the RUNNING row of a run whose lock was just taken, if the job is not paused (a run by hand does not
    /// ask), the lock is still the run's own, and its slot and attempt have no row: all of it in one step.
    async fn enter(&self, run: &NewRun<'_>) -> Result<Entry, DbErr>;

    /// Marks every RUNNING row ABANDONED whose lock is not its own any more, and answers with them. A row without
    /// an owner (a script's) is alive while anybody but another run of the job holds the lock.
    async fn abandon_dead(&self, now: DateTime<Utc>, why: &str) -> Result<Vec<Run>, DbErr>;

    /// Ends a RUNNING row. False when it was not RUNNING any more: somebody declared the run dead.
    async fn finish(&self, run: &Run) -> Result<bool, DbErr>;

    /// Writes a run that has ended and had no row. `None` when its slot already has one.
    async fn insert_finished(&self, run: &Run, slot_node: &str) -> Result<Option<i64>, DbErr>;

    /// Deletes up to `batch` runs that ended before; the newest of each job stays.
    async fn prune(&self, older_than: DateTime<Utc>, batch: u64) -> Result<u64, DbErr>;

    /// Forgets nodes that were last seen before.
    async fn prune_nodes(&self, seen_before: DateTime<Utc>) -> Result<u64, DbErr>;
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
    pub(crate) ask: Ask,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) node: &'a str,
    /// Who holds the job's lock for it.
    pub(crate) lock_owner: &'a str,
}

/// What became of a [`NewRun`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Its row's id.
    Row(i64),
    Settled(Passed),
    LostLock,
}
