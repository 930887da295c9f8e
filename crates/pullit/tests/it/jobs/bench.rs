//! A service that is built and not started, on rows that a script could have written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::{FromRow, Row, Statements, time_text};
use pullit::app::{App, Outside};
use pullit::platform::config::Config;
use question_maker::QuestionGenerator;
use scheduler::testkit::ManualClock;
use scheduler::{Cause, Run, RunStatus};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use testkit::Database;
use tokio_util::sync::CancellationToken;

pub(crate) const CLEANUP: &str = "cleanupStalePendingQuestionSets";
pub(crate) const RETRY: &str = "retryFailedQuestionSetGeneration";
pub(crate) const SOURCES: &str = "runSourceCleanup";
pub(crate) const STREAKS: &str = "validateConsecutiveLearning";
pub(crate) const WEEKLY: &str = "triggerWeeklyResetAndRecalibration";
pub(crate) const RELAY: &str = "relayOutboxEvents";
pub(crate) const HEARTBEAT: &str = "sendHeartbeat";
pub(crate) const PRUNE: &str = "pruneHistory";

/// The longest wait for something that nobody announces.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// An instant: `2026-11-22T10:00:00Z`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An instant as both databases read it in a statement.
pub(crate) fn literal(time: DateTime<Utc>) -> String {
    format!("'{}'", time_text(time))
}

/// One node with its hands on the table. Two of the same cluster share database, folder and clock.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    database: Arc<Database>,
    folder: Arc<TempDir>,
}

impl Bench {
    pub(crate) async fn on(database: Database, now: &str) -> Self {
        Self::with(database, now, |_| {}).await
    }

    pub(crate) async fn with(
        database: Database,
        now: &str,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let (database, clock) = (Arc::new(database), ManualClock::at(at(now)));
        let folder = Arc::new(TempDir::with_prefix("pullit-jobs-").unwrap());
        let app = app(&database, &folder, &clock, None, configure).await;
        Self {
            app,
            clock,
            database,
            folder,
        }
    }

    /// Another node of the same cluster.
    pub(crate) async fn another(&self, configure: impl FnOnce(&mut Config)) -> Self {
        self.generating(None, configure).await
    }

    /// Another node, with a generator of the test's own.
    pub(crate) async fn generating(
        &self,
        generator: Option<Arc<dyn QuestionGenerator>>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let app = app(
            &self.database,
            &self.folder,
            &self.clock,
            generator,
            configure,
        )
        .await;
        Self {
            app,
            clock: self.clock.clone(),
            database: Arc::clone(&self.database),
            folder: Arc::clone(&self.folder),
        }
    }

    pub(crate) fn set_clock(&self, now: &str) {
        self.clock.set(at(now));
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(*self.database, Database::Postgres(_))
    }

    /// Runs a job by hand, to a good end; the row that it left says the same.
    pub(crate) async fn run(&self, job: &str) -> Run {
        let run = self.app.scheduler.run_now(job).await.unwrap();
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        self.assert_recorded(&run).await;
        run
    }

    /// The row of a run in `job_run` is the run as it was handed back.
    pub(crate) async fn assert_recorded(&self, run: &Run) {
        let kept = self.app.scheduler.history(&run.job_name, 1, None).await;
        assert_eq!(kept.unwrap(), std::slice::from_ref(run));
        assert_eq!(run.cause, Cause::Manual);
        assert_eq!(run.node, self.app.config.node_id);
        assert!(run.finished_at.is_some());
        let job = &run.job_name;
        let rows = format!(
            "SELECT count(*) FROM job_run WHERE job_name = '{job}' AND id = {} AND status = '{}' AND cause = 'MANUAL'",
            run.id, run.status
        );
        assert_eq!(self.number(&rows).await, 1);
    }

    /// Delivers what is due in the outbox.
    pub(crate) async fn relay(&self) -> u64 {
        let mut delivered = 0;
        loop {
            match self.run(RELAY).await.affected {
                0 => return delivered,
                more => delivered += more,
            }
        }
    }

    /// Lets this node's worker make questions until `done`.
    pub(crate) async fn work_until(&self, what: &str, done: impl AsyncFnMut() -> bool) {
        let cancel = CancellationToken::new();
        let (worker, stop) = (self.app.worker.clone(), cancel.clone());
        let working = tokio::spawn(async move { worker.run(stop).await });
        testkit::wait::until(what, TIMEOUT, done).await;
        cancel.cancel();
        working.await.unwrap();
    }

    /// Works until the queue of requests is empty.
    pub(crate) async fn work(&self) {
        self.work_until("the workers have no work left", async || {
            self.number("SELECT count(*) FROM work_item").await == 0
        })
        .await;
    }

    /// Runs statements.
    pub(crate) async fn sql(&self, sql: &str) {
        let done = self.app.db.write().script(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn query(&self, sql: String) -> Vec<Row> {
        let db = self.app.db.write();
        let rows = db.raw_rows(AssertSqlSafe(sql.clone()), vec![]).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Rows by the names of their columns.
    pub(crate) async fn rows<T: FromRow>(&self, sql: &str) -> Vec<T> {
        let rows = self.query(sql.to_owned()).await;
        rows.iter().map(|row| T::from_row(row).unwrap()).collect()
    }

    /// A whole number, of whatever type.
    pub(crate) async fn number(&self, select: &str) -> i64 {
        let rows = self
            .query(format!("SELECT CAST(({select}) AS BIGINT)"))
            .await;
        rows[0].get(0).unwrap()
    }

    /// One column of numbers.
    pub(crate) async fn numbers(&self, select: &str) -> Vec<i64> {
        let rows = self.query(select.to_owned()).await;
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// One column of texts.
    pub(crate) async fn texts(&self, select: &str) -> Vec<String> {
        let rows = self.query(select.to_owned()).await;
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }
}

async fn app(
    database: &Database,
    folder: &TempDir,
    clock: &ManualClock,
    generator: Option<Arc<dyn QuestionGenerator>>,
    configure: impl FnOnce(&mut Config),
) -> App {
    let mut config = Config {
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    // The service says itself how it opens a file.
    config.database.url = database.url().trim_end_matches("?mode=rwc").to_owned();
    config.database.max_connections = 6;
    configure(&mut config);
    let outside = Outside {
        clock: Arc::new(clock.clone()),
        generator,
        program: PathBuf::from(env!("CARGO_BIN_EXE_pullit")),
    };
    App::build(config, outside).await.unwrap()
}
