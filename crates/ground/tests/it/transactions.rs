//! Whatever becomes of a transaction, the next user of its connection loses nothing.

use std::{pin::pin, task::Poll, time::Duration};

use ground::{Connection, Database, Fault, Statements};

const TABLE: &str = "CREATE TABLE noted (n BIGINT PRIMARY KEY)";
const NOTE: &str = "INSERT INTO noted (n) VALUES ($1)";
/// Notes 1, and takes its time.
const NOTE_SLOWLY: &str = "INSERT INTO noted (n)
    WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 300000)
    SELECT MAX(n) - 299999 FROM i";

/// Polls a future so many times and then drops it, as a member who goes away does. Whether it was done before.
async fn dropped_after<F: Future>(polls: u32, future: F) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

async fn noted(db: &Database) -> Vec<i64> {
    let all = "SELECT n FROM noted ORDER BY n";
    db.scalars(all, vec![]).await.unwrap()
}

async fn one_connection(database: &testkit::Database) -> Database {
    let db = match database.connect().await.postgres() {
        None => database.connect().await,
        Some(pool) => {
            let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
            let connect = pool.connect_options().as_ref().clone();
            options.connect_with(connect).await.unwrap().into()
        }
    };
    db.run(TABLE, vec![]).await.unwrap();
    db
}

testkit::on_each_database! {
    async fn a_caller_dropped_at_any_moment_costs_the_next_one_nothing(database: testkit::Database) {
        let db = one_connection(&database).await;
        let lost = async |n: i64| {
            let mut tx = db.begin().await?;
            tx.run(NOTE, vec![(1000 + n).into()]).await?;
            tx.run("SELECT 1", vec![]).await?;
            tx.commit().await
        };
        let mut committed = Vec::new();
        for polls in 0..60 {
            let n = i64::from(polls);
            if dropped_after(polls, lost(n)).await {
                committed.push(1000 + n);
            }
            db.run(NOTE, vec![n.into()]).await.unwrap();
        }
        let other = database.connect().await;
        let found = noted(&other).await;
        assert_eq!(found[..60], (0..60).collect::<Vec<i64>>());
        assert!(committed.iter().all(|n| found.contains(n)), "{committed:?} of {found:?}");
    }

    async fn a_dropped_transaction_is_rolled_back(database: testkit::Database) {
        let db = one_connection(&database).await;
        for n in 0..3 {
            let mut tx = db.begin().await.unwrap();
            tx.run(NOTE, vec![n.into()]).await.unwrap();
            drop(tx);
        }
        assert!(noted(&db).await.is_empty());
    }

    async fn nothing_is_committed_after_a_failed_statement_that_nobody_minded(database: testkit::Database) {
        let db = one_connection(&database).await;
        let mut tx = db.begin().await.unwrap();
        tx.run(NOTE, vec![1.into()]).await.unwrap();
        tx.run(NOTE, vec![1.into()]).await.unwrap_err();
        let error = tx.commit().await.unwrap_err();
        assert_eq!(Fault::of(&error), Fault::Other, "{error}");
        assert!(noted(&db).await.is_empty());
    }

    async fn nothing_is_committed_after_a_statement_that_was_given_up(database: testkit::Database) {
        let db = one_connection(&database).await;
        for also in [None, Some("SELECT 1")] {
            let mut tx = db.begin().await.unwrap();
            tx.run(NOTE, vec![1.into()]).await.unwrap();
            // It would fail, and nobody hears of that.
            assert!(!dropped_after(1, tx.run(NOTE_SLOWLY, vec![])).await);
            if let Some(statement) = also {
                // Whether this one succeeds does not matter.
                let _ = tx.run(statement, vec![]).await;
            }
            tx.commit().await.unwrap_err();
            assert!(noted(&db).await.is_empty());
        }
    }

    async fn a_snapshot_does_not_see_what_is_committed_meanwhile(database: testkit::Database) {
        let db = one_connection(&database).await;
        let other = database.connect().await;
        let mut snapshot = db.begin_snapshot().await.unwrap();
        let count = "SELECT COUNT(*) FROM noted";
        for _ in 0..2 {
            let seen: Option<i64> = snapshot.scalar(count, vec![]).await.unwrap();
            assert_eq!(seen, Some(0));
            let n = noted(&other).await.len() as i64;
            other.run(NOTE, vec![n.into()]).await.unwrap();
        }
        snapshot.rollback().await;
        assert_eq!(noted(&db).await.len(), 2);
    }
}

#[tokio::test]
async fn an_error_that_only_the_drivers_own_connection_saw_is_found_at_the_commit() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let mut tx = db.begin().await.unwrap();
    tx.run(NOTE, vec![1.into()]).await.unwrap();
    let connection: &mut Connection<'_> = &mut tx;
    let swallowed = sqlx::query("SELECT 1 / 0").execute(connection.postgres().unwrap());
    swallowed.await.unwrap_err();
    tx.commit().await.unwrap_err();
    assert!(noted(&db).await.is_empty());
}

#[tokio::test]
async fn a_transaction_that_the_server_ended_is_an_outage_and_its_connection_is_gone() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let id = "SELECT pg_backend_pid()";
    let mut tx = db.begin().await.unwrap();
    let before: Option<i32> = tx.scalar(id, vec![]).await.unwrap();
    let end = vec![before.unwrap().into()];
    let ended = database.connect().await;
    ended
        .run("SELECT pg_terminate_backend($1)", end)
        .await
        .unwrap();
    let error = tx.run("SELECT 1", vec![]).await.unwrap_err();
    assert!(Fault::of(&error).is_outage(), "{error:?}");
    let error = tx.run("SELECT 1", vec![]).await.unwrap_err();
    assert!(Fault::of(&error).is_outage(), "{error:?}");
    tx.commit().await.unwrap_err();
    let after: Option<i32> = db.scalar(id, vec![]).await.unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_statement_that_the_server_cancelled_costs_its_transaction_and_not_its_connection() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let id = "SELECT pg_backend_pid()";
    let mut tx = db.begin().await.unwrap();
    let before: Option<i32> = tx.scalar(id, vec![]).await.unwrap();
    let slow = "SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(60)";
    let error = tx.script(slow).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Outage, "{error}");
    tx.commit().await.unwrap_err();
    let after: Option<i32> = db.scalar(id, vec![]).await.unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_connection_that_took_no_write_is_left_however_its_transaction_ends() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let id = "SELECT pg_backend_pid()";
    for end in ["rollback", "commit", "drop"] {
        // As one that was made before its server became a standby.
        let read_only = "SET default_transaction_read_only = on";
        db.run(read_only, vec![]).await.unwrap();
        let before: Option<i32> = db.scalar(id, vec![]).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let error = tx.run(NOTE, vec![1.into()]).await.unwrap_err();
        assert_eq!(Fault::of(&error), Fault::ReadOnly, "{error}");
        match end {
            "rollback" => tx.rollback().await,
            "commit" => {
                tx.commit().await.unwrap_err();
            }
            _ => drop(tx),
        }
        let after: Option<i32> = db.scalar(id, vec![]).await.unwrap();
        assert_ne!(before, after, "{end}");
    }
}

#[tokio::test]
async fn a_rollback_does_not_wait_for_a_statement_that_was_given_up() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let other = database.connect().await;
    let mut holder = other.begin().await.unwrap();
    holder.run("LOCK TABLE noted", vec![]).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), tx.run(NOTE, vec![1.into()]));
    waits.await.unwrap_err();
    let rolled_back = tokio::time::timeout(Duration::from_secs(3), tx.rollback());
    rolled_back.await.unwrap();
    holder.rollback().await;
}

#[tokio::test]
async fn a_transaction_dropped_within_a_statement_does_not_hold_up_the_pool() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let other = database.connect().await;
    let mut holder = other.begin().await.unwrap();
    holder.run("LOCK TABLE noted", vec![]).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), tx.run(NOTE, vec![1.into()]));
    waits.await.unwrap_err();
    drop(tx);
    let answers = tokio::time::timeout(Duration::from_secs(3), db.run("SELECT 1", vec![]));
    answers.await.unwrap().unwrap();
    holder.rollback().await;
}

#[tokio::test]
async fn a_transaction_of_sqlite_has_the_right_to_write_from_its_beginning() {
    let database = testkit::Database::sqlite();
    let (db, other) = (one_connection(&database).await, database.connect().await);
    other.script("PRAGMA busy_timeout = 0").await.unwrap();
    let tx = db.begin().await.unwrap();
    let error = other.run(NOTE, vec![1.into()]).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Conflict, "{error}");
    tx.rollback().await;
    // Who only reads stands in nobody's way.
    let snapshot = db.begin_snapshot().await.unwrap();
    other.run(NOTE, vec![1.into()]).await.unwrap();
    snapshot.rollback().await;
}

#[tokio::test]
async fn a_database_in_memory_outlives_a_transaction_that_ends_within_a_statement() {
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let db: Database = options.connect("sqlite::memory:").await.unwrap().into();
    db.run(TABLE, vec![]).await.unwrap();
    for n in 0..3 {
        let mut tx = db.begin().await.unwrap();
        tx.run(NOTE, vec![n.into()]).await.unwrap();
        assert!(!dropped_after(1, tx.run(NOTE_SLOWLY, vec![])).await);
        if n == 0 {
            drop(tx);
        } else {
            tx.rollback().await;
        }
        assert!(noted(&db).await.is_empty());
    }
}

#[tokio::test]
async fn a_statement_given_up_behind_a_lock_does_not_hold_up_the_pool() {
    let database = testkit::Database::postgres().await;
    let db = one_connection(&database).await;
    let other = database.connect().await;
    let mut holder = other.begin().await.unwrap();
    holder.run("LOCK TABLE noted", vec![]).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), db.run(NOTE, vec![1.into()]));
    waits.await.unwrap_err();
    // The only connection: it is a new one, or this would wait for the lock, too.
    let answers = tokio::time::timeout(Duration::from_secs(5), db.run("SELECT 1", vec![]));
    answers.await.unwrap().unwrap();
    holder.rollback().await;
}

fn a_runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

/// Something that stands in a transaction and its runtime's end: dropped after it, it harms nobody.
fn outlives_its_runtime(database: impl Future<Output = testkit::Database>, good: bool) {
    let runtime = a_runtime();
    let (database, tx) = runtime.block_on(async {
        let database = database.await;
        let db = one_connection(&database).await;
        let mut tx = db.begin().await.unwrap();
        tx.run(NOTE, vec![1.into()]).await.unwrap();
        if !good {
            assert!(!dropped_after(1, tx.run(NOTE_SLOWLY, vec![])).await);
        }
        (database, tx)
    });
    drop(runtime);
    drop(tx);
    a_runtime().block_on(async {
        let db = database.connect().await;
        assert!(noted(&db).await.is_empty());
    });
}

#[test]
fn a_transaction_may_outlive_its_runtime() {
    for good in [true, false] {
        outlives_its_runtime(async { testkit::Database::sqlite() }, good);
        outlives_its_runtime(testkit::Database::postgres(), good);
    }
}

fn a_statement_outlives_its_runtime(database: impl Future<Output = testkit::Database>) {
    let first = a_runtime();
    let database = first.block_on(async {
        let database = database.await;
        one_connection(&database).await.close().await;
        database
    });
    for polls in 1..6 {
        let runtime = a_runtime();
        let db = runtime.block_on(database.connect());
        let mut statement = db.run(NOTE_SLOWLY, vec![]);
        runtime.block_on(dropped_after(polls, &mut statement));
        drop(runtime);
        drop(statement);
    }
}

#[test]
fn a_statement_may_outlive_its_runtime() {
    a_statement_outlives_its_runtime(async { testkit::Database::sqlite() });
    a_statement_outlives_its_runtime(testkit::Database::postgres());
}

#[test]
fn a_transaction_dropped_right_before_its_runtime_ends_with_it() {
    let database = testkit::Database::sqlite();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let db = database.connect().await;
        db.script("CREATE TABLE t (n INTEGER)").await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.run("INSERT INTO t VALUES (1)", vec![]).await.unwrap();
    });
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count = runtime.block_on(async {
        let db = database.connect().await;
        db.scalar("SELECT count(*) FROM t", vec![]).await.unwrap()
    });
    assert_eq!(count, Some(0_i64));
}
