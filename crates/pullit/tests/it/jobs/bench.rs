//! A service that is built and not started, on rows that a script could have written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pullit::app::{App, Outside};
use pullit::platform::config::Config;
use pullit::platform::sql::sqlite_time;
use pullit::question_set::generator::QuestionGenerator;
use scheduler::testkit::ManualClock;
use scheduler::{Cause, Run, RunStatus};
use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult, Statement};
use serde_json::Value;
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
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An instant: `2026-11-22T10:00:00Z`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An instant as both databases read it in a statement.
pub(crate) fn literal(time: DateTime<Utc>) -> String {
    format!("'{}'", sqlite_time(time))
}

fn nullable(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "NULL".to_owned(), literal)
}

/// One node with its hands on the table. Two of the same cluster share database, folder and clock.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    database: Arc<Database>,
    folder: Arc<TempDir>,
}

/// A row of `question_set`.
pub(crate) struct Set {
    pub(crate) owner: i64,
    pub(crate) status: &'static str,
    pub(crate) length: i32,
    pub(crate) retry_count: i32,
    pub(crate) retryable: bool,
    pub(crate) pending_since: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
}

impl Default for Set {
    fn default() -> Self {
        let long_ago = at("2026-11-01T00:00:00Z");
        Self {
            owner: 1,
            status: "PENDING",
            length: 3,
            retry_count: 0,
            retryable: true,
            pending_since: long_ago,
            created_at: long_ago,
            updated_at: long_ago,
            deleted_at: None,
        }
    }
}

/// What the jobs change in a question set.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub(crate) struct SetRow {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) retry_count: i32,
    pub(crate) retryable: bool,
    pub(crate) failure_reason: Option<String>,
    pub(crate) version: i64,
    pub(crate) pending_since: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// A stored notification.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Told {
    pub(crate) member_id: i64,
    pub(crate) event_name: String,
    pub(crate) payload: Value,
}

/// An event in the outbox.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Published {
    pub(crate) event_type: String,
    pub(crate) aggregate_key: String,
    pub(crate) payload: Value,
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
        testkit::wait::until(what, PATIENCE, done).await;
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
        let done = self.app.db.write().execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn query(&self, sql: String) -> Vec<QueryResult> {
        let db = self.app.db.write();
        let statement = Statement::from_string(self.app.db.backend(), sql.clone());
        let rows = db.query_all_raw(statement).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Rows by the names of their columns.
    pub(crate) async fn rows<T: FromQueryResult>(&self, sql: &str) -> Vec<T> {
        let rows = self.query(sql.to_owned()).await;
        rows.iter()
            .map(|row| T::from_query_result(row, "").unwrap())
            .collect()
    }

    /// A whole number, of whatever type.
    pub(crate) async fn number(&self, select: &str) -> i64 {
        let rows = self
            .query(format!("SELECT CAST(({select}) AS BIGINT)"))
            .await;
        rows[0].try_get_by_index(0).unwrap()
    }

    /// One column of numbers.
    pub(crate) async fn numbers(&self, select: &str) -> Vec<i64> {
        let rows = self.query(select.to_owned()).await;
        rows.iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    /// One column of texts.
    pub(crate) async fn texts(&self, select: &str) -> Vec<String> {
        let rows = self.query(select.to_owned()).await;
        rows.iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    /// Members with these ids.
    pub(crate) async fn members(&self, ids: std::ops::RangeInclusive<i64>) {
        let rows: Vec<_> = ids
            .map(|id| format!("({id}, 'Member {id}', 'member{id}@example.com')"))
            .collect();
        let sql = format!(
            "INSERT INTO member (id, name, email) VALUES {}",
            rows.join(", ")
        );
        self.sql(&sql).await;
    }

    /// A question set with this id, in the columns that every script knows.
    pub(crate) async fn set(&self, id: i64, set: Set) {
        let sql = format!(
            "INSERT INTO question_set (id, owner_id, title, difficulty, type, question_length, status, retry_count, \
             retryable, version, pending_since, created_at, updated_at, deleted_at) \
             VALUES ({id}, {}, 'Set {id}', 'EASY', 'TRUE_FALSE', {}, '{}', {}, {}, 7, {}, {}, {}, {})",
            set.owner,
            set.length,
            set.status,
            set.retry_count,
            set.retryable,
            literal(set.pending_since),
            literal(set.created_at),
            literal(set.updated_at),
            nullable(set.deleted_at),
        );
        self.sql(&sql).await;
    }

    pub(crate) async fn row(&self, set: i64) -> SetRow {
        let sql = format!(
            "SELECT id, status, retry_count, retryable, failure_reason, version, pending_since, updated_at \
             FROM question_set WHERE id = {set}"
        );
        self.rows(&sql).await.remove(0)
    }

    /// A source that is READY with this text.
    pub(crate) async fn source(&self, id: i64, owner: i64, text: &str) {
        self.sql(&format!(
            "INSERT INTO source (id, member_id, original_name, content_type, file_path, file_size_bytes, page_count, status) \
             VALUES ({id}, {owner}, 'notes.txt', 'text/plain', 'sources/{owner}/{id}/notes.txt', 5, 1, 'READY')"
        ))
        .await;
        let text = text.replace('\'', "''");
        self.sql(&format!(
            "INSERT INTO source_text (source_id, content) VALUES ({id}, '{text}')"
        ))
        .await;
    }

    pub(crate) async fn link(&self, set: i64, source: i64) {
        self.sql(&format!(
            "INSERT INTO question_set_source (question_set_id, source_id) VALUES ({set}, {source})"
        ))
        .await;
    }

    /// What members were told, oldest first.
    pub(crate) async fn told(&self) -> Vec<Told> {
        self.rows("SELECT member_id, event_name, payload FROM notification ORDER BY id")
            .await
    }

    /// What waits in the outbox, oldest first.
    pub(crate) async fn outbox(&self) -> Vec<Published> {
        self.rows("SELECT event_type, aggregate_key, payload FROM outbox_event ORDER BY id")
            .await
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
