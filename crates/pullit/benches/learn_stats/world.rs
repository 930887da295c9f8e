//! A node on a database full of members, at four o'clock on a Monday in Seoul.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use futures::future::BoxFuture;
use ground::{Dialect, Sql, Statements, Value};
use pullit::app::{App, Outside};
use pullit::platform::config::Config;
use pullit::seed::{Seed, plant};
use pullit::server::{Roles, Running};
use scheduler::{Clock, RunStatus, SystemClock};
use tempfile::TempDir;
use testkit::Database;

use super::bare;
use super::reads::Reads;

/// Who may read everybody's stats.
pub(crate) const OPERATOR: &str = "operator@example.com";
const STREAKS: &str = "validateConsecutiveLearning";
const WEEKLY: &str = "triggerWeeklyResetAndRecalibration";
/// Monday 04:00 in Seoul; the members have learned until Sunday.
const MONDAY: &str = "2026-11-23";
const NOW: &str = "2026-11-22T19:00:00Z";
/// How often the end of the deliveries is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// The computer's clock, moved.
#[derive(Debug)]
struct Moved(TimeDelta);

impl Clock for Moved {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let there = t.checked_sub_signed(self.0);
        SystemClock.sleep_until(there.unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

fn monday() -> NaiveDate {
    MONDAY.parse().unwrap()
}

pub(crate) struct World {
    app: App,
    running: Running,
    reads: Reads,
    planted: Duration,
    _database: Database,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn begin(database: Database, members: u32, days: u32) -> Self {
        let folder = TempDir::with_prefix("pullit-bench-").unwrap();
        let mut config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        config.database.url = database.url().trim_end_matches("?mode=rwc").to_owned();
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let outside = Outside {
            clock: Arc::new(Moved(now - Utc::now())),
            generator: None,
            program: PathBuf::from("pullit"),
        };
        let app = App::build(config, outside).await.unwrap();
        let seed = Seed {
            members,
            days,
            seed: 1,
            until: monday() - Days::new(1),
            zone: app.config.zone,
            beside_others: false,
        };
        let began = Instant::now();
        let stats = &app.rooms.learn_stats;
        plant(&app.db, stats, &seed, &mut |_, _| ()).await.unwrap();
        let planted = began.elapsed();
        let operator = format!(
            "INSERT INTO member (name, email, role) VALUES ('Operator', '{OPERATOR}', 'ADMIN')"
        );
        let db = app.db.write();
        db.script(&operator).await.unwrap();
        let member = "INSERT INTO learn_stats (member_id) SELECT max(id) FROM member";
        db.script(member).await.unwrap();
        db.script("CREATE TABLE kept AS SELECT * FROM learn_stats")
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let roles = Roles {
            api: true,
            scheduler: false,
            relay: true,
            worker: false,
        };
        let running = Running::start(app.clone(), roles, listener).await.unwrap();
        let link = async || {
            let link = app.auth.make_link(OPERATOR, "bench").await.unwrap();
            format!("/auth/link?token={}", link.token)
        };
        let links = [link().await, link().await];
        let reads = Reads::begin(&format!("http://{}", running.address), members, links);
        Self {
            app,
            running,
            reads,
            planted,
            _database: database,
            _folder: folder,
        }
    }

    async fn sql(&self, sql: &str) {
        let done = self.app.db.write().script(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let number = self.app.db.read().scalar(sql, Vec::new()).await.unwrap();
        number.unwrap_or_default()
    }

    /// One statement in a transaction of its own, with its commit.
    async fn timed<S: Sql>(&self, sql: S, values: Vec<Value>) -> Duration {
        let began = Instant::now();
        let mut tx = self.app.db.begin().await.unwrap();
        tx.run(sql, values).await.unwrap();
        tx.commit().await.unwrap();
        began.elapsed()
    }

    pub(crate) async fn size(&self) -> String {
        format!(
            "{} members, {} days learned, {} answers marked, planted in {:.1?}",
            self.number("SELECT count(*) FROM member").await,
            self.number("SELECT count(*) FROM learn_stats_daily").await,
            self.number("SELECT count(*) FROM marking_result").await,
            self.planted
        )
    }

    /// The stats as they were planted, and no rest of an earlier measurement in the way of the next.
    pub(crate) async fn restore(&self) {
        let empty = match self.app.db.dialect() {
            Dialect::Postgres => "TRUNCATE learn_stats",
            _ => "DELETE FROM learn_stats",
        };
        self.sql(empty).await;
        self.sql("INSERT INTO learn_stats SELECT * FROM kept ORDER BY member_id")
            .await;
        if self.app.db.dialect() == Dialect::Postgres {
            self.sql("VACUUM ANALYZE learn_stats").await;
            self.sql("VACUUM ANALYZE outbox_event").await;
            self.sql("CHECKPOINT").await;
        } else {
            self.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
    }

    pub(crate) async fn bare_streaks(&self) -> Duration {
        let yesterday = monday() - Days::new(1);
        self.timed(bare::STREAKS, vec![yesterday.into()]).await
    }

    async fn run(&self, job: &str) -> u64 {
        let run = self.app.scheduler.run_now(job).await.unwrap();
        assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
        run.affected
    }

    pub(crate) async fn check_streaks(&self) -> (Duration, u64) {
        self.reads.count(true);
        let began = Instant::now();
        let broken = self.run(STREAKS).await;
        let took = began.elapsed();
        self.reads.count(false);
        (took, broken)
    }

    /// Publishes, applies, deletes and recalibrates, each in one go.
    pub(crate) async fn bare_week(&self) -> Vec<(&'static str, Duration)> {
        let now = (self.app.now)();
        let (monday, yesterday) = (monday(), monday() - Days::new(1));
        // The relay would carry what is not its own.
        let mut tx = self.app.db.begin().await.unwrap();
        let mut parts = Vec::new();
        let mut began = Instant::now();
        let mut part = |what| {
            parts.push((what, began.elapsed()));
            began = Instant::now();
        };
        tx.run(bare::PUBLISH, vec!["2026-W48".into(), now.into()])
            .await
            .unwrap();
        part("publish");
        tx.run(bare::APPLY, vec![monday.into()]).await.unwrap();
        part("apply");
        tx.run(bare::DELETE, Vec::new()).await.unwrap();
        part("delete");
        let days = vec![monday.into(), monday.into(), yesterday.into()];
        tx.run(bare::RECALIBRATE, days).await.unwrap();
        part("recalibrate");
        tx.commit().await.unwrap();
        part("commit");
        parts
    }

    /// The job: its run, and until the last of its events has been applied.
    pub(crate) async fn reset_week(&self) -> (Duration, Duration) {
        self.reads.count(true);
        let began = Instant::now();
        self.run(WEEKLY).await;
        let run = began.elapsed();
        while self
            .number("SELECT count(*) FROM (SELECT 1 FROM outbox_event LIMIT 1) AS waiting")
            .await
            > 0
        {
            tokio::time::sleep(LOOK).await;
        }
        let took = began.elapsed();
        self.reads.count(false);
        (run, took)
    }

    pub(crate) async fn keep_expected(&self) {
        self.sql("DROP TABLE IF EXISTS expected").await;
        self.sql("CREATE TABLE expected AS SELECT * FROM learn_stats")
            .await;
    }

    /// The job must have left what the bare statements left.
    pub(crate) async fn compare_with_expected(&self) {
        let differ = "SELECT count(*) FROM (SELECT * FROM learn_stats EXCEPT SELECT * FROM expected) AS differ";
        assert_eq!(self.number(differ).await, 0);
        assert_eq!(
            self.number("SELECT count(*) FROM learn_stats").await,
            self.number("SELECT count(*) FROM expected").await
        );
    }

    pub(crate) async fn end(self) -> String {
        let said = self.reads.end().await;
        self.running.stop().await;
        said
    }
}
