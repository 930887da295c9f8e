//! A database of its own for every test, on the server of the test run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shedlock::{LockProvider, PostgresLockProvider};
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::Stage;

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
