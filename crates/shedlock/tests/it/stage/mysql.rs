//! A database of its own for every test, on the server of the test run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shedlock::{LockProvider, MySqlLockProvider};
use sqlx::{AssertSqlSafe, MySqlPool, Row, mysql::MySqlPoolOptions};

use super::Stage;

pub(crate) struct MySqlStage {
    pub(crate) pool: MySqlPool,
    url: String,
    database: String,
}

impl MySqlStage {
    pub(crate) async fn new() -> Self {
        let stage = Self::empty().await;
        for statement in shedlock::schema::MYSQL {
            sqlx::query(*statement).execute(&stage.pool).await.unwrap();
        }
        stage
    }

    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("PULLIT_TEST_MYSQL_URL")
            .expect("PULLIT_TEST_MYSQL_URL is not set: run ./scripts/test");
        let database = format!(
            "shedlock_{}_{}",
            std::process::id(),
            DATABASES.fetch_add(1, Ordering::SeqCst)
        );
        let admin = MySqlPoolOptions::new().max_connections(1);
        let admin = admin.connect(&server).await.unwrap();
        for statement in [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
        ] {
            let statement = AssertSqlSafe(statement);
            sqlx::query(statement).execute(&admin).await.unwrap();
        }
        admin.close().await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{database}");
        let pool = MySqlPoolOptions::new().max_connections(4);
        Self {
            pool: pool.connect(&url).await.unwrap(),
            url,
            database,
        }
    }

    /// Another pool on the same database, whose sessions are set up by `setup`.
    pub(crate) async fn pool_with(&self, connections: u32, setup: &'static str) -> MySqlPool {
        MySqlPoolOptions::new()
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

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    /// The sessions that wait for a row of this database. (The tables that tell it as well are a cache,
    /// which is never refreshed when it is read often.)
    pub(crate) async fn waiting(&self) -> Vec<i64> {
        let status = sqlx::raw_sql("SHOW ENGINE INNODB STATUS");
        let status = status.fetch_one(&self.pool).await.unwrap();
        let status: String = status.get("Status");
        let of_ours = format!("of table `{}`.", self.database);
        let session = |transaction: &str| {
            let (_, rest) = transaction.split_once(" thread id ")?;
            rest.split(',').next()?.parse().ok()
        };
        status
            .split("---TRANSACTION")
            .filter(|transaction| {
                transaction.contains("\nLOCK WAIT") && transaction.contains(&of_ours)
            })
            .filter_map(session)
            .collect()
    }

    pub(crate) async fn somebody_waits(&self) -> bool {
        !self.waiting().await.is_empty()
    }
}

#[async_trait]
impl Stage for MySqlStage {
    fn provider(&self, node: &str) -> Arc<dyn LockProvider> {
        let provider = MySqlLockProvider::new(self.pool.clone(), node);
        Arc::new(provider.with_timeout(Duration::from_secs(20)))
    }

    async fn expire(&self, name: &str) {
        let sql = "UPDATE shedlock SET lock_until = '2020-02-29 01:02:03' WHERE name = ?";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }

    async fn take_away(&self, name: &str) {
        let sql = "REPLACE INTO shedlock (name, lock_until, locked_at, locked_by)
            VALUES (?, '2037-01-01', '2026-01-01', 'thief')";
        sqlx::query(sql)
            .bind(name)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn delete(&self, name: &str) {
        let sql = "DELETE FROM shedlock WHERE name = ?";
        let done = sqlx::query(sql).bind(name).execute(&self.pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }
}
