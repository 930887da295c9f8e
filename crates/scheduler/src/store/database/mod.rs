//! The tables in PostgreSQL or SQLite.

mod enter;
mod row;
mod sets;
mod sql;
mod value;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};

pub(crate) use self::enter::still_ours;
use self::row::{run_from, word};
use self::sets::job_row_from;
use self::value::{optional_time, time};
use super::{Asked, Entry, History, JobRow, NewRun, NodeSchedule, Overview, Schedule, Store};
use crate::model::{Progress, Run, RunStatus};

/// Reads and writes the tables.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseStore {
    db: DatabaseConnection,
}

impl DatabaseStore {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    fn backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    fn time(&self, t: DateTime<Utc>) -> Value {
        time(self.backend(), t)
    }

    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    async fn execute(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, DbErr> {
        Ok(self
            .db
            .execute_raw(self.statement(sql, values))
            .await?
            .rows_affected())
    }

    async fn one(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<QueryResult>, DbErr> {
        self.db.query_one_raw(self.statement(sql, values)).await
    }

    async fn runs(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Run>, DbErr> {
        self.db
            .query_all_raw(self.statement(sql, values))
            .await?
            .iter()
            .map(run_from)
            .collect()
    }

    /// A transaction that means to write.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        // In a task of its own: dropped while PostgreSQL's BEGIN is under way, it would give the connection back with the transaction
        // open and unknown to the driver (sqlx 0.9), and the next user's writes would be lost.
        let db = self.db.clone();
        let begun = tokio::spawn(async move {
            db.begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
        });
        begun
            .await
            .unwrap_or_else(|error| Err(DbErr::Custom(format!("begin did not finish: {error}"))))
    }
}

#[async_trait]
impl Store for DatabaseStore {
    async fn register_jobs(&self, names: &[&str], now: DateTime<Utc>) -> Result<(), DbErr> {
        self.insert_jobs(names, now).await
    }

    async fn register_node(&self, node: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
        self.execute(sql::REGISTER_NODE, [node.into(), self.time(now)])
            .await
            .map(|_| ())
    }

    async fn save_schedules(&self, node: &str, schedules: &[Schedule<'_>]) -> Result<(), DbErr> {
        self.replace_schedules(node, schedules).await
    }

    async fn forget_schedules(&self, node: &str) -> Result<(), DbErr> {
        self.execute(sql::FORGET_SCHEDULES, [node.into()])
            .await
            .map(|_| ())
    }

    async fn schedule_conflicts(&self, since: DateTime<Utc>) -> Result<Vec<NodeSchedule>, DbErr> {
        self.conflicts_since(since).await
    }

    async fn is_known_node(&self, node: &str) -> Result<bool, DbErr> {
        Ok(self.one(sql::KNOWN_NODE, [node.into()]).await?.is_some())
    }

    async fn pause(&self, name: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
        self.execute(sql::PAUSE, [name.into(), self.time(now)])
            .await
            .map(|_| ())
    }

    async fn resume(&self, name: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
        self.execute(sql::RESUME, [name.into(), self.time(now)])
            .await
            .map(|_| ())
    }

    async fn ran_elsewhere(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        self.execute(
            sql::RAN_ELSEWHERE,
            [name.into(), self.time(slot), self.time(now)],
        )
        .await
        .map(|_| ())
    }

    async fn job(&self, name: &str) -> Result<Option<JobRow>, DbErr> {
        let row = self.one(sql::JOB, [name.into()]).await?;
        row.as_ref().map(job_row_from).transpose()
    }

    async fn run(&self, id: i64) -> Result<Option<Run>, DbErr> {
        self.one(sql::RUN, [id.into()])
            .await?
            .as_ref()
            .map(run_from)
            .transpose()
    }

    async fn overview(&self, names: &[&str]) -> Result<Vec<Overview>, DbErr> {
        self.overviews(names).await
    }

    async fn slot_runs(&self, name: &str, slot: DateTime<Utc>) -> Result<Vec<Run>, DbErr> {
        self.runs(sql::SLOT_RUNS, [name.into(), self.time(slot)])
            .await
    }

    async fn histories(&self, asked: &[Asked<'_>]) -> Result<Vec<History>, DbErr> {
        self.histories_of(asked).await
    }

    async fn owner(&self, name: &str, owner: &str) -> Result<Option<RunStatus>, DbErr> {
        let row = self.one(sql::OWNER, [name.into(), owner.into()]).await?;
        row.map(|row| word(&row, "status")).transpose()
    }

    async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, DbErr> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.runs(
            sql::HISTORY,
            [
                name.into(),
                before_id.unwrap_or(i64::MAX).into(),
                limit.into(),
            ],
        )
        .await
    }

    async fn enter(&self, run: &NewRun<'_>) -> Result<Entry, DbErr> {
        let tx = self.begin().await?;
        let entry = enter::write(&tx, run).await;
        match entry {
            Ok(Entry::Row(_)) => tx.commit().await?,
            _ => tx.rollback().await?,
        }
        entry
    }

    async fn abandon_dead(&self, now: DateTime<Utc>, why: &str) -> Result<Vec<Run>, DbErr> {
        if self.one(sql::ANY_RUNNING, []).await?.is_none() {
            return Ok(Vec::new());
        }
        let sql = match self.backend() {
            DbBackend::Sqlite => sql::ABANDON_SQLITE,
            _ => sql::ABANDON_POSTGRES,
        };
        self.runs(sql, [self.time(now), why.into()]).await
    }

    async fn prune(&self, older_than: DateTime<Utc>, batch: u64) -> Result<u64, DbErr> {
        let batch = i64::try_from(batch).unwrap_or(i64::MAX);
        self.execute(sql::PRUNE, [self.time(older_than), batch.into()])
            .await
    }

    async fn prune_leftovers(&self, seen_before: DateTime<Utc>) -> Result<(), DbErr> {
        self.execute(sql::PRUNE_NODES, [self.time(seen_before)])
            .await?;
        self.execute(sql::PRUNE_SCHEDULES, []).await?;
        self.execute(sql::PRUNE_PROGRESS, []).await?;
        Ok(())
    }

    async fn save_progress(
        &self,
        run_id: i64,
        progress: Progress,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let count = |n| i64::try_from(n).unwrap_or(i64::MAX).into();
        let values = [
            run_id.into(),
            count(progress.done),
            count(progress.total),
            self.time(now),
        ];
        self.execute(sql::SAVE_PROGRESS, values).await.map(|_| ())
    }

    async fn end_progress(&self, run_id: i64) -> Result<(), DbErr> {
        self.execute(sql::END_PROGRESS, [run_id.into()])
            .await
            .map(|_| ())
    }

    async fn finish(&self, run: &Run) -> Result<bool, DbErr> {
        let values = [
            run.id.into(),
            optional_time(self.backend(), run.finished_at),
            run.status.as_str().into(),
            i64::try_from(run.affected).unwrap_or(i64::MAX).into(),
            i64::from(run.retries).into(),
            run.error.clone().into(),
        ];
        Ok(self.execute(sql::FINISH, values).await? == 1)
    }

    async fn insert_finished(&self, run: &Run, slot_node: &str) -> Result<Option<i64>, DbErr> {
        let values = [
            run.job_name.as_str().into(),
            self.time(run.scheduled_at),
            self.time(run.started_at),
            run.node.as_str().into(),
            i64::from(run.attempt).into(),
            run.cause.as_str().into(),
            slot_node.into(),
            optional_time(self.backend(), run.finished_at),
            run.status.as_str().into(),
            i64::try_from(run.affected).unwrap_or(i64::MAX).into(),
            i64::from(run.retries).into(),
            run.error.clone().into(),
        ];
        self.one(sql::INSERT_FINISHED, values)
            .await?
            .map(|row| row.try_get("", "id"))
            .transpose()
    }
}
