//! The limit: a timer for each job, and the statements of its claim straight through the driver.

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Database, Dialect, Dialects, Row, Statements, Value};

use crate::late::{EVERY, percentiles};
use crate::{database, number};

#[path = "../../../shedlock/src/postgres/statements.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod postgres;
#[path = "../../src/store/database/sql.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod sql;
#[path = "../../../shedlock/src/sqlite/statements.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod sqlite;

const LEASE_SECONDS: i64 = 120;

const LOCK_INFO: Dialects = Dialects {
    postgres: postgres::LOCK_INFO,
    sqlite: sqlite::LOCK_INFO,
};
const CHECK: Dialects = Dialects {
    postgres: shedlock::fence::POSTGRES_CHECK,
    sqlite: shedlock::fence::SQLITE_CHECK,
};
const RELEASE: Dialects = Dialects {
    postgres: postgres::RELEASE,
    sqlite: sqlite::RELEASE,
};

struct Bare {
    db: Database,
    name: String,
    owner: String,
}

/// Whether there is a row.
fn one(row: Result<Option<Row>, sqlx::Error>) -> bool {
    row.unwrap().is_some()
}

impl Bare {
    fn is_sqlite(&self) -> bool {
        self.db.dialect() == Dialect::Sqlite
    }

    fn name(&self) -> Value {
        Value::from(&self.name)
    }

    fn owner(&self) -> Value {
        Value::from(&self.owner)
    }

    async fn take(&self) {
        let taken = |lease: i64| vec![self.name(), self.owner(), lease.into()];
        if self.is_sqlite() {
            let mut tx = self.db.begin().await.unwrap();
            let lease = taken(LEASE_SECONDS * 1000);
            assert!(one(tx.raw_row(sqlite::TAKE, lease).await));
            one(tx.raw_row(sqlite::COUNT, vec![self.name()]).await);
            tx.commit().await.unwrap();
        } else {
            let lease = taken(LEASE_SECONDS * 1_000_000);
            assert!(one(self.db.raw_row(postgres::TAKE, lease).await));
        }
    }

    /// The statements of a claim.
    async fn claim(&self, slot: DateTime<Utc>) -> i64 {
        let (name, name_and_slot) = (vec![self.name()], vec![self.name(), slot.into()]);
        one(self.db.raw_row(sql::JOB, name.clone()).await);
        one(self.db.raw_row(sql::SLOT_RUNS, name_and_slot).await);
        one(self.db.raw_row(LOCK_INFO, name.clone()).await);
        self.take().await;
        let mut tx = self.db.begin().await.unwrap();
        one(tx.raw_row(sql::PAUSED, name).await);
        let check = vec![self.name(), self.owner()];
        assert!(one(tx.raw_row(CHECK, check).await));
        let values = vec![
            self.name(),
            slot.into(),
            Utc::now().into(),
            "bench".into(),
            1_i64.into(),
            "SCHEDULE".into(),
            self.owner(),
        ];
        let id = tx.scalar(sql::INSERT_RUNNING, values).await.unwrap();
        tx.commit().await.unwrap();
        id.unwrap()
    }

    /// The statements of a run's end.
    async fn end(&self, id: i64) {
        let values = vec![
            id.into(),
            Utc::now().into(),
            "SUCCEEDED".into(),
            0_i64.into(),
            0_i64.into(),
            Option::<String>::None.into(),
        ];
        self.db.run(sql::FINISH, values).await.unwrap();
        let past: Value = match self.is_sqlite() {
            true => "2000-01-01T00:00:00.000000+00:00".into(),
            false => 0_i64.into(),
        };
        let values = vec![self.name(), self.owner(), past];
        self.db.run(RELEASE, values).await.unwrap();
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
