//! A file of its own for every test.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shedlock::{LockProvider, SqliteLockProvider};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tempfile::TempDir;

use super::Stage;

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
