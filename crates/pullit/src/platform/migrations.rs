//! The tables of the service, created and changed by numbered scripts.
//!
//! A start looks first. Where nothing is to do it takes no lock and runs no DDL: in PostgreSQL even an idle one waits for every writer
//! of its table, and makes all later writers wait behind it. What is to do, is done a step at a time; a step that does not get its
//! locks within half a second lets the running nodes go on, and tries again.
//!
//! Each script runs once, in a transaction with its own record. Many nodes may start at once: they queue at a lock that ends with the
//! transaction (so it works through poolers), and the later ones find the work done.

use std::collections::HashSet;
use std::time::Duration;

use ground::schema::Existing;
use ground::{Dialects, Fault, Statements, Transaction, unexpected};

use super::db::Db;

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
    "0007": 7 "script_ids",
    "0008": 8 "write_probe",
    "0009": 9 "session",
    "0010": 10 "sign_in_link",
    "0011": 11 "lock_audit",
    "0012": 12 "reading_turns",
};

const CREATE_RECORD: Dialects = Dialects {
    sqlite: "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
             applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'))",
    postgres: "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
               applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
};

const APPLIED: &str = "SELECT version FROM schema_migration";
const RECORD: &str = "INSERT INTO schema_migration (version, name) VALUES ($1, $2)";

/// One node at a time; an arbitrary number that all nodes of all versions share ("pullit" in ASCII). Then a short wait for each lock on
/// a table: as long as DDL waits, so do all writers behind it.
const ALONE: &str = "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(123652741261684); \
                     SET LOCAL lock_timeout = '500ms'";

/// How often a step is tried that does not get its locks, and the pause before it is tried again.
const TRIES: u32 = 150;
const PAUSE: Duration = Duration::from_secs(2);

/// Something to do, in a transaction of its own.
#[derive(Clone, Copy)]
enum Step<'m> {
    /// The tables of the crates that can be used alone: each crate brings its own.
    Libraries,
    Script(&'m Migration),
}

/// Brings the tables up to date. Returns the names of the scripts that this call ran.
///
/// # Errors
/// When the database cannot be reached or a script fails; that script's changes are then undone.
pub async fn migrate(db: &Db) -> Result<Vec<&'static str>, sqlx::Error> {
    let db = &db.patient();
    let mut applied = Vec::new();
    let known = known(db).await?;
    if known.is_none() || !libraries_are_complete(db).await? {
        run(db, Step::Libraries).await?;
    }
    let known = known.unwrap_or_default();
    for migration in MIGRATIONS {
        if !known.contains(&migration.version) && run(db, Step::Script(migration)).await? {
            applied.push(migration.name);
        }
    }
    Ok(applied)
}

/// The scripts that have run; nothing in an empty database.
async fn known(db: &Db) -> Result<Option<HashSet<i32>>, sqlx::Error> {
    if !Existing::look(db.read()).await?.has("schema_migration") {
        return Ok(None);
    }
    let versions = db.read().scalars(APPLIED, Vec::new()).await?;
    Ok(Some(versions.into_iter().collect()))
}

async fn libraries_are_complete(db: &Db) -> Result<bool, sqlx::Error> {
    let existing = Existing::look(db.read()).await?;
    let (shedlock, scheduler) = lock_and_scheduler(db);
    Ok(existing.missing(shedlock).next().is_none()
        && existing.missing(scheduler).next().is_none()
        && outbox::schema::is_complete(&existing, db.dialect()))
}

fn lock_and_scheduler(db: &Db) -> (&'static [&'static str], &'static [&'static str]) {
    if db.dialect().is_postgres() {
        (shedlock::schema::POSTGRES, scheduler::schema::POSTGRES)
    } else {
        (shedlock::schema::SQLITE, scheduler::schema::SQLITE)
    }
}

/// Runs a step, as soon as it gets its locks. Whether there was anything to do.
async fn run(db: &Db, step: Step<'_>) -> Result<bool, sqlx::Error> {
    let mut tries = 1;
    loop {
        match try_once(db, step).await {
            Err(error) if Fault::of(&error) == Fault::Conflict && tries < TRIES => {
                tracing::info!(
                    %error,
                    tries,
                    "a change of the tables waits for running transactions and is tried again"
                );
            }
            outcome => return outcome,
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_once(db: &Db, step: Step<'_>) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let done = in_transaction(db, &mut tx, step).await;
    match done {
        Ok(done) => tx.commit().await.map(|()| done),
        Err(error) => {
            tx.rollback().await;
            Err(error)
        }
    }
}

async fn in_transaction(
    db: &Db,
    tx: &mut Transaction,
    step: Step<'_>,
) -> Result<bool, sqlx::Error> {
    if db.dialect().is_postgres() {
        tx.script(ALONE).await?;
    }
    let existing = Existing::look(&mut *tx).await?;
    match step {
        Step::Libraries => {
            let record = CREATE_RECORD.of(db.dialect());
            let (shedlock, scheduler) = lock_and_scheduler(db);
            let missing = existing
                .missing(shedlock)
                .chain(existing.missing(scheduler));
            for statement in missing.chain(existing.missing(&[record])) {
                tx.script(statement).await?;
            }
            outbox::schema::create_tables(&mut *tx).await?;
            Ok(true)
        }
        Step::Script(migration) => {
            let known: Vec<i32> = tx.scalars(APPLIED, Vec::new()).await?;
            if known.contains(&migration.version) {
                return Ok(false);
            }
            tx.script(migration.script.of(db.dialect())).await?;
            let record = vec![migration.version.into(), migration.name.into()];
            if tx.run(RECORD, record).await? != 1 {
                return Err(unexpected("a script of the tables left no record"));
            }
            Ok(true)
        }
    }
}
