//! The limit: a timer for each job, and the statements of its claim straight through the driver.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};

use crate::late::{EVERY, percentiles};
use crate::{database, number};

#[path = "../../../shedlock/src/postgres/statements.rs"]
#[allow(dead_code)]
mod postgres;
#[path = "../../src/store/database/sql.rs"]
#[allow(dead_code)]
mod sql;
#[path = "../../../shedlock/src/sqlite/statements.rs"]
#[allow(dead_code)]
mod sqlite;

const LEASE_SECONDS: i64 = 120;

struct Bare {
    db: DatabaseConnection,
    backend: DbBackend,
    name: String,
    owner: String,
}

fn time(backend: DbBackend, t: DateTime<Utc>) -> Value {
    match backend {
        DbBackend::Sqlite => t.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string().into(),
        _ => t.into(),
    }
}

impl Bare {
    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    async fn one(
        &self,
        on: &impl ConnectionTrait,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> bool {
        let row = on.query_one_raw(self.statement(sql, values)).await;
        row.unwrap().is_some()
    }

    fn immediate() -> TransactionOptions {
        TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        }
    }

    async fn take(&self) {
        let taken = |lease: i64| {
            [
                self.name.as_str().into(),
                self.owner.as_str().into(),
                lease.into(),
            ]
        };
        if self.backend == DbBackend::Sqlite {
            let tx = self.db.begin_with_options(Self::immediate()).await.unwrap();
            assert!(
                self.one(&tx, sqlite::TAKE, taken(LEASE_SECONDS * 1000))
                    .await
            );
            self.one(&tx, sqlite::COUNT, [self.name.as_str().into()])
                .await;
            tx.commit().await.unwrap();
        } else {
            assert!(
                self.one(&self.db, postgres::TAKE, taken(LEASE_SECONDS * 1_000_000))
                    .await
            );
        }
    }

    /// The statements of a claim.
    async fn claim(&self, slot: DateTime<Utc>) -> i64 {
        let name = || Value::from(self.name.as_str());
        let (info, paused, check) = match self.backend {
            DbBackend::Sqlite => (
                sqlite::LOCK_INFO,
                sql::PAUSED_SQLITE,
                shedlock::fence::SQLITE_CHECK,
            ),
            _ => (
                postgres::LOCK_INFO,
                sql::PAUSED_POSTGRES,
                shedlock::fence::POSTGRES_CHECK,
            ),
        };
        self.one(&self.db, sql::JOB, [name()]).await;
        self.one(&self.db, sql::SLOT_RUNS, [name(), time(self.backend, slot)])
            .await;
        self.one(&self.db, info, [name()]).await;
        self.take().await;
        let tx = self.db.begin_with_options(Self::immediate()).await.unwrap();
        self.one(&tx, paused, [name()]).await;
        assert!(
            self.one(&tx, check, [name(), self.owner.as_str().into()])
                .await
        );
        let values = [
            name(),
            time(self.backend, slot),
            time(self.backend, Utc::now()),
            "bench".into(),
            1_i64.into(),
            "SCHEDULE".into(),
            self.owner.as_str().into(),
        ];
        let insert = self.statement(sql::INSERT_RUNNING, values);
        let row = tx.query_one_raw(insert).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        row.try_get("", "id").unwrap()
    }

    /// The statements of a run's end.
    async fn end(&self, id: i64) {
        let values = [
            id.into(),
            time(self.backend, Utc::now()),
            "SUCCEEDED".into(),
            0_i64.into(),
            0_i64.into(),
            Option::<String>::None.into(),
        ];
        self.db
            .execute_raw(self.statement(sql::FINISH, values))
            .await
            .unwrap();
        let (release, past): (_, Value) = match self.backend {
            DbBackend::Sqlite => (sqlite::RELEASE, "2000-01-01T00:00:00.000000+00:00".into()),
            _ => (postgres::RELEASE, 0_i64.into()),
        };
        let values = [self.name.as_str().into(), self.owner.as_str().into(), past];
        self.db
            .execute_raw(self.statement(release, values))
            .await
            .unwrap();
    }
}

pub(crate) async fn run(kind: &str) {
    let (_database, db) = database(kind).await;
    let (due, rounds) = (number("BENCH_DUE", 100), number("BENCH_ROUNDS", 10));
    let mut late = Vec::new();
    for round in 0..rounds + 2 {
        let next = (Utc::now().timestamp() / EVERY + 1) * EVERY;
        let slot = DateTime::from_timestamp(next, 0).unwrap();
        let tasks = (0..due).map(|n| {
            let bare = Bare {
                backend: db.get_database_backend(),
                db: db.clone(),
                name: format!("job-{n}"),
                owner: format!("bench:{round}-{n}"),
            };
            tokio::spawn(async move {
                let wait = (slot - Utc::now()).to_std().unwrap_or_default();
                tokio::time::sleep(wait).await;
                let id = bare.claim(slot).await;
                let lateness = Utc::now() - slot;
                bare.end(id).await;
                lateness
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            let lateness: TimeDelta = task.await.unwrap();
            // The first two rounds open connections and prepare statements.
            if round >= 2 {
                late.push(lateness);
            }
        }
    }
    println!("{}", percentiles(late));
}
