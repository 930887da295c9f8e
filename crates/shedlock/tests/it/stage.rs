//! Where the suite plays: a provider, and somebody who changes its rows behind its back.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shedlock::{
    LockConfiguration, LockGuard, LockProvider, MemoryLockProvider, PostgresLockProvider,
    SqliteLockProvider,
};
use sqlx::{
    PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tempfile::TempDir;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn lock(name: &str, at_most: Duration, at_least: Duration) -> LockConfiguration {
    LockConfiguration::new(name, at_most, at_least).unwrap()
}

pub(crate) async fn taken(provider: &dyn LockProvider, c: &LockConfiguration) -> LockGuard {
    provider
        .try_lock(c)
        .await
        .unwrap()
        .expect("the lock is free")
}

/// Waits for something that nobody announces.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}

#[async_trait]
pub(crate) trait Stage: Send + Sync + 'static {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider>;
    /// Moves the end of the lease into the past.
    async fn expire(&self, name: &str);
    /// Lets another program take the lock, whoever has it.
    async fn take_away(&self, name: &str);
    /// Deletes the row.
    async fn delete(&self, name: &str);
}

pub(crate) struct MemoryStage {
    provider: MemoryLockProvider,
    offset: Arc<AtomicI64>,
}

impl MemoryStage {
    pub(crate) async fn new() -> Self {
        let offset = Arc::new(AtomicI64::new(0));
        let seconds = offset.clone();
        let provider = MemoryLockProvider::with_clock("stage", move || {
            Utc::now() + chrono::TimeDelta::seconds(seconds.load(Ordering::SeqCst))
        });
        Self { provider, offset }
    }
}

#[async_trait]
impl Stage for MemoryStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.provider.on_node(node))
    }

    async fn expire(&self, name: &str) {
        let row = self.provider.lock_info(name).await.unwrap().unwrap();
        let left = (row.lock_until - Utc::now()).num_seconds() + 1;
        self.offset.store(left, Ordering::SeqCst);
    }

    async fn take_away(&self, name: &str) {
        self.provider.remove(name);
        let thief = self.provider.on_node("thief");
        drop(taken(&thief, &lock(name, HOUR, Duration::ZERO)).await);
    }

    async fn delete(&self, name: &str) {
        self.provider.remove(name);
    }
}

pub(crate) struct SqliteStage {
    pub(crate) pool: SqlitePool,
    pub(crate) folder: TempDir,
}

impl SqliteStage {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = Self {
            pool: sqlite_pool(&folder, 4).await,
            folder,
        };
        for statement in shedlock::schema::SQLITE {
            sqlx::query(*statement).execute(&stage.pool).await.unwrap();
        }
        stage
    }
}

/// A pool of its own on the stage's file, as another process would have.
pub(crate) async fn sqlite_pool(folder: &TempDir, connections: u32) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("locks.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(connections);
    pool.connect_with(options).await.unwrap()
}

#[async_trait]
impl Stage for SqliteStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        let provider = SqliteLockProvider::new(self.pool.clone(), node);
        Arc::new(provider.with_timeout(Duration::from_secs(20)))
    }

    async fn expire(&self, name: &str) {
        let sql =
            "UPDATE shedlock SET lock_until = '2020-02-29T01:02:03.000000+00:00' WHERE name = $1";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }

    async fn take_away(&self, name: &str) {
        let sql = "INSERT INTO shedlock (name, lock_until, locked_at, locked_by)
            VALUES ($1, '2090-01-01T00:00:00.000000+00:00', '2026-01-01T00:00:00.000000+00:00', 'thief')
            ON CONFLICT (name) DO UPDATE SET lock_until = excluded.lock_until,
            locked_at = excluded.locked_at, locked_by = excluded.locked_by";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }

    async fn delete(&self, name: &str) {
        let sql = "DELETE FROM shedlock WHERE name = $1";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }
}

pub(crate) struct PostgresStage {
    pub(crate) pool: PgPool,
    url: String,
}

impl PostgresStage {
    pub(crate) async fn new() -> Self {
        let stage = Self::empty().await;
        for statement in shedlock::schema::POSTGRES {
            sqlx::query(*statement).execute(&stage.pool).await.unwrap();
        }
        stage
    }

    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("PULLIT_TEST_POSTGRES_URL")
            .expect("PULLIT_TEST_POSTGRES_URL is not set: run ./scripts/test");
        let database = format!(
            "shedlock_{}_{}",
            std::process::id(),
            DATABASES.fetch_add(1, Ordering::SeqCst)
        );
        let admin = PgPoolOptions::new().max_connections(1);
        let admin = admin.connect(&server).await.unwrap();
        for statement in [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
        ] {
            let statement = sqlx::AssertSqlSafe(statement);
            sqlx::query(statement).execute(&admin).await.unwrap();
        }
        admin.close().await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{database}");
        let pool = PgPoolOptions::new().max_connections(4);
        Self {
            pool: pool.connect(&url).await.unwrap(),
            url,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Another pool on the same database, whose sessions are set up by `setup`.
    pub(crate) async fn pool_with(&self, connections: u32, setup: &'static str) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::query(setup).execute(connection).await?;
                    Ok(())
                })
            })
            .connect(&self.url)
            .await
            .unwrap()
    }

    /// Whether a session of this database waits for a row.
    pub(crate) async fn somebody_waits(&self) -> bool {
        let sql = "SELECT count(*) > 0 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = sqlx::query_scalar(sql).fetch_one(&self.pool).await;
        waiting.unwrap()
    }

    /// `(lock_until - locked_at, lock_until - now)` as the database sees them in a UTC session, in
    /// microseconds.
    pub(crate) async fn spans(&self, name: &str) -> (i64, i64) {
        let sql = "SELECT (extract(epoch FROM lock_until - locked_at) * 1000000)::bigint,
            (extract(epoch FROM lock_until - timezone('utc', clock_timestamp())) * 1000000)::bigint
            FROM shedlock WHERE name = $1";
        let row = sqlx::query_as(sql).bind(name).fetch_one(&self.pool).await;
        row.unwrap()
    }
}

#[async_trait]
impl Stage for PostgresStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        let provider = PostgresLockProvider::new(self.pool.clone(), node);
        Arc::new(provider.with_timeout(Duration::from_secs(20)))
    }

    async fn expire(&self, name: &str) {
        let sql = "UPDATE shedlock SET lock_until = '2020-02-29 01:02:03' WHERE name = $1";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }

    async fn take_away(&self, name: &str) {
        let sql = "INSERT INTO shedlock (name, lock_until, locked_at, locked_by)
            VALUES ($1, '2090-01-01', '2026-01-01', 'thief')
            ON CONFLICT (name) DO UPDATE SET lock_until = excluded.lock_until,
            locked_at = excluded.locked_at, locked_by = excluded.locked_by";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }

    async fn delete(&self, name: &str) {
        let sql = "DELETE FROM shedlock WHERE name = $1";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }
}

/// The row, which must be there.
pub(crate) async fn row(provider: &dyn LockProvider, name: &str) -> shedlock::LockInfo {
    provider.lock_info(name).await.unwrap().expect("a row")
}

/// Whether two instants are within a few seconds: what a slow machine needs.
pub(crate) fn about(left: DateTime<Utc>, right: DateTime<Utc>) -> bool {
    (left - right).abs() < chrono::TimeDelta::seconds(15)
}
