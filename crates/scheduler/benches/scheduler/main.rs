//! What ten thousand idle jobs cost, and how late the last of a hundred jobs starts that are due in one second.
//!
//!     cargo bench -p scheduler
//!
//! On SQLite in a temporary folder, and on PostgreSQL too when `PULLIT_TEST_POSTGRES_URL` names a server
//! (`scripts/with-servers --durable cargo bench -p scheduler` starts one). Each measurement runs in a process of its own.
//! `BENCH_JOBS` (10,000) jobs idle for `BENCH_SECONDS` (10); `BENCH_DUE` (100) jobs are due together in each of `BENCH_ROUNDS` (10) rounds.

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark lives in real time, and is told of its size and servers by the environment"
)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it prints what it measured"
)]

mod bare;
mod idle;
mod late;

use std::process::Command;
use std::sync::Arc;

use ground::{Database, Dialect, Statements};
use shedlock::{LockProvider, PostgresLockProvider, SqliteLockProvider};

/// A number from the environment.
pub(crate) fn number(name: &str, usual: usize) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().expect(name))
}

/// An empty database with the tables.
pub(crate) async fn database(kind: &str) -> (testkit::Database, Database) {
    let database = match kind {
        "postgres" => testkit::Database::postgres().await,
        _ => testkit::Database::sqlite(),
    };
    let db = database.connect().await;
    let tables = match db.dialect() {
        Dialect::Postgres => [shedlock::schema::POSTGRES, scheduler::schema::POSTGRES],
        _ => [shedlock::schema::SQLITE, scheduler::schema::SQLITE],
    };
    for statement in tables.into_iter().flatten() {
        db.script(statement).await.unwrap();
    }
    (database, db)
}

pub(crate) fn locks(db: &Database) -> Arc<dyn LockProvider> {
    match db.postgres() {
        Some(pool) => Arc::new(PostgresLockProvider::new(pool.clone(), "bench")),
        None => Arc::new(SqliteLockProvider::new(
            db.sqlite().unwrap().clone(),
            "bench",
        )),
    }
}

/// Runs this program again for one measurement; its words are the answer.
fn child(arguments: &[&str]) -> Vec<String> {
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this)
        .arg("--child")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, what, kind] = arguments.as_slice()
        && first == "--child"
    {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            match what.as_str() {
                "late" => late::run(kind).await,
                "bare" => bare::run(kind).await,
                idle => idle::run(idle, kind).await,
            }
        });
        return;
    }
    let mut kinds = vec!["sqlite"];
    if std::env::var_os("PULLIT_TEST_POSTGRES_URL").is_some() {
        kinds.push("postgres");
    }
    for kind in kinds {
        idle::report(kind);
        late::report(kind);
    }
}
