//! The tables of the service, laid and changed by numbered scripts.
//!
//! Each script runs once, in a transaction with its own record. Many nodes may start at once: they queue at a lock that ends with the
//! transaction (so it works through poolers), and the later ones find the work done.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::db::Db;
use super::sql::{Dialects, Sql, SqlExt};

struct Migration {
    version: i32,
    name: &'static str,
    script: Dialects,
}

/// The script of each database, found by the number and the name.
macro_rules! migrations {
    ($($file:literal: $version:literal $name:literal,)+) => {
        &[$(Migration {
            version: $version,
            name: $name,
            script: Dialects {
                sqlite: include_str!(concat!("../../migrations/sqlite/", $file, "_", $name, ".sql")),
                postgres: include_str!(concat!("../../migrations/postgres/", $file, "_", $name, ".sql")),
            },
        },)+]
    };
}

const MIGRATIONS: &[Migration] = migrations! {
    "0001": 1 "service",
    "0002": 2 "work_trace",
    "0003": 3 "learn_stats_walk",
    "0004": 4 "generation_turn",
    "0005": 5 "notification_horizon",
    "0006": 6 "notification_horizon_order",
};

const CREATE_RECORD: Dialects = Dialects {
    sqlite: "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
             applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'))",
    postgres: "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
               applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
};

/// An arbitrary number that all nodes of all versions share ("pullit" in ASCII).
const LOCK: &str = "SELECT pg_advisory_xact_lock(123652741261684)";

/// Brings the tables up to date. Returns the names of the scripts that this call ran.
///
/// # Errors
/// When the database cannot be reached or a script fails; that script's changes are then undone.
pub async fn migrate(db: &Db) -> Result<Vec<&'static str>, DbErr> {
    let mut applied = Vec::new();
    lay_libraries(db).await?;
    for migration in MIGRATIONS {
        let tx = begin(db).await?;
        let known = tx
            .scalar::<i32, _>(
                "SELECT version FROM schema_migration WHERE version = $1",
                vec![migration.version.into()],
            )
            .await?;
        if known.is_none() {
            tx.execute_unprepared(migration.script.text(db.backend()))
                .await?;
            tx.run(
                "INSERT INTO schema_migration (version, name) VALUES ($1, $2)",
                vec![migration.version.into(), migration.name.into()],
            )
            .await?;
            applied.push(migration.name);
        }
        tx.commit().await?;
    }
    Ok(applied)
}

/// The tables of the crates that can be used alone: each crate brings its own, as statements that may be run again.
async fn lay_libraries(db: &Db) -> Result<(), DbErr> {
    let tx = begin(db).await?;
    let statements: [&[&str]; 2] = match db.backend() {
        DbBackend::Postgres => [shedlock::schema::POSTGRES, scheduler::schema::POSTGRES],
        _ => [shedlock::schema::SQLITE, scheduler::schema::SQLITE],
    };
    for statement in statements.into_iter().flatten() {
        tx.execute_unprepared(statement).await?;
    }
    outbox::schema::lay(&tx).await?;
    tx.commit().await
}

async fn begin(db: &Db) -> Result<DatabaseTransaction, DbErr> {
    let tx = db.begin().await?;
    if db.backend() == DbBackend::Postgres {
        tx.execute_unprepared(LOCK).await?;
    }
    tx.execute_unprepared(match db.backend() {
        DbBackend::Postgres => CREATE_RECORD.postgres,
        _ => CREATE_RECORD.sqlite,
    })
    .await?;
    Ok(tx)
}
