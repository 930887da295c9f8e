//! The tables in PostgreSQL or SQLite.

mod batch;
mod begin_run;
mod row;
mod sql;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ground::{Database, Statements};

use self::row::count;
use super::contract::Store;
use super::rows::{
    History, JobRow, NewRun, NewRunOutcome, NodeSchedule, Overview, Schedule, SlotQuery,
};
use crate::job::Progress;
use crate::model::{Run, RunStatus};

/// Reads and writes the tables.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseStore {
    db: Database,
}

impl DatabaseStore {
    pub(crate) fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl Store for DatabaseStore {
    async fn register_jobs(&self, names: &[&str], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        self.insert_jobs(names, now).await
    }

    async fn save_plans(
        &self,
        plans: &[Schedule<'_>],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        self.upsert_plans(plans, now).await
    }

    async fn register_node(&self, node: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let values = vec![node.into(), now.into()];
        self.db.run(sql::REGISTER_NODE, values).await.map(drop)
    }

    async fn save_schedules(
        &self,
        node: &str,
        schedules: &[Schedule<'_>],
    ) -> Result<(), sqlx::Error> {
        self.replace_schedules(node, schedules).await
    }

    async fn forget_schedules(&self, node: &str) -> Result<(), sqlx::Error> {
        let values = vec![node.into()];
        self.db.run(sql::FORGET_SCHEDULES, values).await.map(drop)
    }

    async fn schedule_conflicts(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<NodeSchedule>, sqlx::Error> {
        let values = vec![since.into(), until.into()];
        self.db.rows(sql::SCHEDULE_CONFLICTS, values).await
    }

    async fn is_known_node(&self, node: &str) -> Result<bool, sqlx::Error> {
        let row = self.db.raw_row(sql::KNOWN_NODE, vec![node.into()]).await?;
        Ok(row.is_some())
    }

    async fn pause(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let values = vec![name.into(), now.into()];
        self.db.run(sql::PAUSE, values).await.map(drop)
    }

    async fn resume(&self, name: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let values = vec![name.into(), now.into()];
        self.db.run(sql::RESUME, values).await.map(drop)
    }

    async fn ran_elsewhere(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let values = vec![name.into(), slot.into(), now.into()];
        self.db.run(sql::RAN_ELSEWHERE, values).await.map(drop)
    }

    async fn job(&self, name: &str) -> Result<Option<JobRow>, sqlx::Error> {
        self.db.row(sql::JOB, vec![name.into()]).await
    }

    async fn run(&self, id: i64) -> Result<Option<Run>, sqlx::Error> {
        self.db.row(sql::RUN, vec![id.into()]).await
    }

    async fn overview(&self, names: &[&str]) -> Result<Vec<Overview>, sqlx::Error> {
        self.overviews(names).await
    }

    async fn slot_runs(&self, name: &str, slot: DateTime<Utc>) -> Result<Vec<Run>, sqlx::Error> {
        self.db
            .rows(sql::SLOT_RUNS, vec![name.into(), slot.into()])
            .await
    }

    async fn histories(&self, asked: &[SlotQuery<'_>]) -> Result<Vec<History>, sqlx::Error> {
        self.histories_of(asked).await
    }

    async fn owner(&self, name: &str, owner: &str) -> Result<Option<RunStatus>, sqlx::Error> {
        self.db
            .scalar(sql::OWNER, vec![name.into(), owner.into()])
            .await
    }

    async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, sqlx::Error> {
        let below = before_id.unwrap_or(i64::MAX);
        let values = vec![name.into(), below.into(), count(limit)];
        self.db.rows(sql::HISTORY, values).await
    }

    async fn begin_run(&self, run: &NewRun<'_>) -> Result<NewRunOutcome, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let outcome = begin_run::write(&mut tx, run).await;
        match outcome {
            Ok(NewRunOutcome::Row(_)) => tx.commit().await?,
            _ => tx.rollback().await,
        }
        outcome
    }

    async fn running_jobs(&self) -> Result<Vec<String>, sqlx::Error> {
        self.db.scalars(sql::RUNNING_JOBS, vec![]).await
    }

    async fn abandon_dead(&self, now: DateTime<Utc>, why: &str) -> Result<Vec<Run>, sqlx::Error> {
        if self.running_jobs().await?.is_empty() {
            return Ok(Vec::new());
        }
        self.db
            .rows(sql::ABANDON, vec![now.into(), why.into()])
            .await
    }

    async fn prune(&self, older_than: DateTime<Utc>, batch: u64) -> Result<u64, sqlx::Error> {
        let values = vec![older_than.into(), count(batch)];
        self.db.run(sql::PRUNE, values).await
    }

    async fn prune_leftovers(&self, seen_before: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let nodes = self.db.run(sql::PRUNE_NODES, vec![seen_before.into()]);
        nodes.await?;
        self.db.run(sql::PRUNE_SCHEDULES, vec![]).await?;
        self.db.run(sql::PRUNE_PROGRESS, vec![]).await?;
        Ok(())
    }

    async fn save_progress(
        &self,
        run_id: i64,
        progress: Progress,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let values = vec![
            run_id.into(),
            count(progress.done),
            count(progress.total),
            now.into(),
        ];
        self.db.run(sql::SAVE_PROGRESS, values).await.map(drop)
    }

    async fn end_progress(&self, run_id: i64) -> Result<(), sqlx::Error> {
        let values = vec![run_id.into()];
        self.db.run(sql::END_PROGRESS, values).await.map(drop)
    }

    async fn finish(&self, run: &Run) -> Result<bool, sqlx::Error> {
        let values = vec![
            run.id.into(),
            run.finished_at.into(),
            run.status.as_str().into(),
            count(run.affected),
            i64::from(run.retries).into(),
            run.error.clone().into(),
        ];
        Ok(self.db.run(sql::FINISH, values).await? == 1)
    }

    async fn insert_finished(
        &self,
        run: &Run,
        slot_node: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        let values = vec![
            run.job_name.as_str().into(),
            run.scheduled_at.into(),
            run.started_at.into(),
            run.node.as_str().into(),
            i64::from(run.attempt).into(),
            run.cause.as_str().into(),
            slot_node.into(),
            run.finished_at.into(),
            run.status.as_str().into(),
            count(run.affected),
            i64::from(run.retries).into(),
            run.error.clone().into(),
        ];
        self.db.scalar(sql::INSERT_FINISHED, values).await
    }
}
