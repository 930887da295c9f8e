//! SQLite: one file, one writer at a time.

use std::time::Duration;

use shedlock::SqliteLockProvider;
use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::rounds::{Counter, Rounds, cycle, lock};

#[path = "../../src/sqlite/statements.rs"]
#[allow(
    dead_code,
    reason = "of the library's statements only some are measured"
)]
mod statements;

pub(crate) async fn run(rounds: &Rounds) {
    for (name, synchronous) in [
        ("sqlite, WAL, synchronous=FULL", SqliteSynchronous::Full),
        ("sqlite, WAL, synchronous=NORMAL", SqliteSynchronous::Normal),
    ] {
        for tasks in [1, 8] {
            compare(rounds, name, synchronous, tasks).await;
        }
    }
}

async fn compare(rounds: &Rounds, name: &str, synchronous: SqliteSynchronous, tasks: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("locks.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        // One more than are used at a time, or none would be kept from one call to the next.
        .max_connections(u32::try_from(tasks + 1).expect("few tasks"))
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .expect("a pool");
    for statement in shedlock::schema::SQLITE {
        sqlx::query(*statement)
            .execute(&pool)
            .await
            .expect("the tables");
    }
    let provider = SqliteLockProvider::new(pool, "bench").with_timeout(Duration::from_secs(30));
    let ours = |task, counter: Counter| {
        let (provider, lock) = (provider.clone(), lock(task));
        async move {
            loop {
                cycle(&provider, &lock).await;
                if !counter.again() {
                    break;
                }
            }
        }
    };
    let raw = |task, counter: Counter| {
        let options = options.clone();
        async move {
            let connection = SqliteConnection::connect_with(&options);
            let mut connection = connection.await.expect("a connection");
            let (name, owner) = (format!("bench-{task}"), format!("raw:{task}"));
            loop {
                take(&mut connection, &name, &owner).await;
                let released = sqlx::query(statements::RELEASE)
                    .bind(&name)
                    .bind(&owner)
                    .bind("1970-01-01T00:00:00.000000+00:00");
                let released = released.execute(&mut connection).await;
                assert_eq!(released.expect("an answer").rows_affected(), 1);
                if !counter.again() {
                    break;
                }
            }
            connection.close().await.expect("an orderly end");
        }
    };
    rounds.compare(name, tasks, ours, raw).await;
}

async fn take(connection: &mut SqliteConnection, name: &str, owner: &str) {
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .expect("a transaction");
    let taken = sqlx::query(statements::TAKE)
        .bind(name)
        .bind(owner)
        .bind(60_000_i64);
    let taken = taken.fetch_optional(&mut *transaction).await;
    assert!(taken.expect("an answer").is_some());
    sqlx::query(statements::COUNT)
        .bind(name)
        .fetch_one(&mut *transaction)
        .await
        .expect("a number");
    transaction.commit().await.expect("a commit");
}
