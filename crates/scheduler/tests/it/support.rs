//! A cluster in one process: nodes that share a database and, unless said otherwise, a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Database, Dialect, Row, Statements, Value, time_text};
use scheduler::testkit::{ManualClock, Signals};
use scheduler::{
    Clock, Event, Job, JobBuilder, JobContext, JobError, Passed, Run, RunStatus, Scheduler, Trigger,
};
use shedlock::{LockProvider, PostgresLockProvider, SqliteLockProvider};
use sqlx::AssertSqlSafe;
use tokio::sync::Semaphore;

/// Ten to four in Seoul, on a Monday.
pub(crate) const TEN_TO_FOUR: &str = "2026-11-22T18:50:00Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Four o'clock of that day: the slot of [`daily`].
pub(crate) fn four() -> DateTime<Utc> {
    at(TEN_TO_FOUR) + TimeDelta::minutes(10)
}

pub(crate) fn daily(name: &str) -> JobBuilder {
    Job::builder(
        name,
        Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul).unwrap(),
    )
}

pub(crate) struct World {
    pub(crate) database: testkit::Database,
    pub(crate) db: Database,
    pub(crate) clock: ManualClock,
}

impl World {
    pub(crate) async fn new(database: testkit::Database) -> Self {
        let db = database.connect().await;
        let schemas = match db.dialect() {
            Dialect::Postgres => [shedlock::schema::POSTGRES, scheduler::schema::POSTGRES],
            _ => [shedlock::schema::SQLITE, scheduler::schema::SQLITE],
        };
        // Twice, because every node does it.
        for statement in schemas.iter().chain(&schemas).copied().flatten() {
            db.script(statement).await.unwrap();
        }
        Self {
            database,
            db,
            clock: ManualClock::at(at(TEN_TO_FOUR)),
        }
    }

    pub(crate) async fn node(&self, name: &str, jobs: impl IntoIterator<Item = Job>) -> Scheduler {
        self.node_at(name, self.clock.clone(), jobs).await
    }

    /// A node whose lock provider is `wrap`ped.
    pub(crate) async fn node_with_locks(
        &self,
        name: &str,
        wrap: impl FnOnce(Arc<dyn LockProvider>) -> Arc<dyn LockProvider>,
        jobs: impl IntoIterator<Item = Job>,
    ) -> Scheduler {
        let db = self.database.connect().await;
        Scheduler::builder()
            .cluster_locks(wrap(self.locks(&db, name)))
            .database(db)
            .clock(Arc::new(self.clock.clone()))
            .node_id(name)
            .jobs(jobs)
            .build()
            .unwrap()
    }

    pub(crate) async fn node_at(
        &self,
        name: &str,
        clock: ManualClock,
        jobs: impl IntoIterator<Item = Job>,
    ) -> Scheduler {
        self.node_on(name, Arc::new(clock), jobs).await
    }

    pub(crate) async fn node_on(
        &self,
        name: &str,
        clock: Arc<dyn Clock>,
        jobs: impl IntoIterator<Item = Job>,
    ) -> Scheduler {
        let db = self.database.connect().await;
        Scheduler::builder()
            .cluster_locks(self.locks(&db, name))
            .database(db)
            .clock(clock)
            .node_id(name)
            .jobs(jobs)
            .build()
            .unwrap()
    }

    pub(crate) fn locks(&self, db: &Database, node: &str) -> Arc<dyn LockProvider> {
        match db.postgres() {
            Some(pool) => Arc::new(PostgresLockProvider::new(pool.clone(), node)),
            None => Arc::new(SqliteLockProvider::new(db.sqlite().unwrap().clone(), node)),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.db.dialect() == Dialect::Sqlite
    }

    pub(crate) async fn execute(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> u64 {
        let statement = AssertSqlSafe(sql.to_owned());
        let values = values.into_iter().collect();
        self.db.run(statement, values).await.unwrap()
    }

    pub(crate) async fn query(&self, sql: &str) -> Vec<Row> {
        let statement = AssertSqlSafe(sql.to_owned());
        self.db.raw_rows(statement, vec![]).await.unwrap()
    }

    /// The text of a time as the table stores it.
    fn sql_time(&self, t: DateTime<Utc>) -> String {
        if self.is_sqlite() {
            format!("'{}'", time_text(t))
        } else {
            format!("TIMESTAMPTZ '{}'", t.to_rfc3339())
        }
    }

    fn lock_time(&self, t: DateTime<Utc>) -> String {
        if self.is_sqlite() {
            self.sql_time(t)
        } else {
            format!("TIMESTAMP '{}'", t.format("%Y-%m-%d %H:%M:%S%.6f"))
        }
    }

    pub(crate) fn lock_statement(
        &self,
        name: &str,
        locked_by: &str,
        locked_at: DateTime<Utc>,
        lock_until: DateTime<Utc>,
    ) -> String {
        let (locked_at, lock_until) = (self.lock_time(locked_at), self.lock_time(lock_until));
        format!(
            "INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ('{name}', {lock_until}, {locked_at}, '{locked_by}') \
             ON CONFLICT (name) DO UPDATE SET lock_until = excluded.lock_until, locked_at = excluded.locked_at, locked_by = excluded.locked_by"
        )
    }

    /// Writes the lock row as another process would.
    pub(crate) async fn lock_row(
        &self,
        name: &str,
        locked_by: &str,
        locked_at: DateTime<Utc>,
        lock_until: DateTime<Utc>,
    ) {
        self.execute(
            &self.lock_statement(name, locked_by, locked_at, lock_until),
            [],
        )
        .await;
    }

    /// Lets whatever holds the lock run out.
    pub(crate) async fn lapse(&self, name: &str) {
        let past = self.lock_time(at("2000-01-01T00:00:00Z"));
        assert_eq!(
            self.execute(
                &format!("UPDATE shedlock SET lock_until = {past} WHERE name = $1"),
                [name.into()]
            )
            .await,
            1
        );
    }

    pub(crate) fn run_statement(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        status: &str,
        finished_at: Option<DateTime<Utc>>,
    ) -> String {
        let (slot, finished) = (
            self.sql_time(slot),
            finished_at.map_or("NULL".to_owned(), |t| self.sql_time(t)),
        );
        format!(
            "INSERT INTO job_run (job_name, scheduled_at, started_at, finished_at, node, attempt, status, cause, affected, retries, error) \
             VALUES ('{name}', {slot}, {slot}, {finished}, 'script', 1, '{status}', 'SCHEDULE', 0, 0, NULL)"
        )
    }

    /// Writes a run in the contract's columns, as an operator's script would.
    pub(crate) async fn run_row(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        status: &str,
        finished_at: Option<DateTime<Utc>>,
    ) {
        self.execute(&self.run_statement(name, slot, status, finished_at), [])
            .await;
    }

    /// Scheduled time, cause, attempt and status of every run, oldest first.
    pub(crate) async fn runs(&self, name: &str) -> Vec<(DateTime<Utc>, String, i32, String)> {
        let rows = self.query(&format!("SELECT scheduled_at, cause, attempt, status FROM job_run WHERE job_name = '{name}' ORDER BY id")).await;
        rows.iter()
            .map(|row| {
                (
                    row.get("scheduled_at").unwrap(),
                    row.get("cause").unwrap(),
                    row.get("attempt").unwrap(),
                    row.get("status").unwrap(),
                )
            })
            .collect()
    }

    pub(crate) async fn owner_of(&self, name: &str) -> Option<String> {
        let info = self
            .locks(&self.db, "observer")
            .lock_info(name)
            .await
            .unwrap();
        info.filter(|info| info.held).map(|info| info.locked_by)
    }
}

/// A time no test outlives, and one that no lease reaches back to.
pub(crate) fn far() -> DateTime<Utc> {
    at("2100-01-01T00:00:00Z")
}

/// A job that waits inside until it is let out.
#[derive(Clone)]
pub(crate) struct Gate {
    entered: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn job(&self, job: JobBuilder) -> Job {
        let gate = self.clone();
        job.run(move |context: JobContext| {
            let gate = gate.clone();
            async move {
                gate.entered.add_permits(1);
                tokio::select! {
                    open = gate.open.acquire() => {
                        open.unwrap().forget();
                        Ok(7)
                    }
                    () = context.cancellation().cancelled() => Err(JobError::Cancelled),
                }
            }
        })
    }

    pub(crate) async fn entered(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.entered.acquire())
            .await
            .expect("the job runs")
            .unwrap()
            .forget();
    }

    pub(crate) fn times_entered_since(&self) -> usize {
        self.entered.available_permits()
    }

    /// Waits until it is let out, whatever cancels it.
    pub(crate) async fn opened(&self) {
        self.open.acquire().await.unwrap().forget();
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }
}

pub(crate) fn quick(job: JobBuilder) -> Job {
    job.run(|_| async { Ok(7) })
}

/// Waits for a slot to pass without a run here, moving the clock on while the slot waits for a lock.
pub(crate) async fn passed(signals: &mut Signals, clock: &ManualClock) -> (DateTime<Utc>, Passed) {
    loop {
        let step = signals
            .next("a slot that passes", |event| match event {
                Event::Passed { slot, because, .. } => Some(Some((slot, because))),
                Event::Delayed { .. } => Some(None),
                _ => None,
            })
            .await;
        match step {
            Some(passed) => return passed,
            None => clock.advance(TimeDelta::seconds(1)),
        }
    }
}

pub(crate) async fn delayed(signals: &mut Signals) -> String {
    signals
        .next("a slot that waits", |event| match event {
            Event::Delayed { holder, .. } => Some(holder.unwrap_or_default()),
            _ => None,
        })
        .await
}

pub(crate) async fn misfires_checked(signals: &mut Signals) {
    signals
        .next("a check for missed slots", |event| {
            matches!(event, Event::MisfiresChecked { .. }).then_some(())
        })
        .await;
}

pub(crate) fn succeeded(run: &Run) -> bool {
    run.status == RunStatus::Succeeded && run.affected == 7
}
