//! A database without room rolls back by itself; what its driver still takes for a transaction would commit each statement at once.

use ground::{Database, Fault, Statements};

async fn full_soon() -> (testkit::Database, Database) {
    let database = testkit::Database::sqlite();
    let db = database.connect().await;
    db.script("CREATE TABLE noted (n BIGINT, text TEXT)")
        .await
        .unwrap();
    db.script("CREATE TEMP TABLE of_this_connection (n BIGINT)")
        .await
        .unwrap();
    // The limit is the connection's: a new one has room.
    let pages: Option<i64> = db.scalar("PRAGMA page_count", vec![]).await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages.unwrap() + 8);
    db.script(&limit).await.unwrap();
    (database, db)
}

async fn fill(tx: &mut ground::Connection<'_>) -> sqlx::Error {
    let insert = "INSERT INTO noted (n, text) VALUES (1, $1)";
    loop {
        if let Err(error) = tx.run(insert, vec!["x".repeat(100_000).into()]).await {
            return error;
        }
    }
}

async fn count(db: &Database) -> i64 {
    let count = db.scalar("SELECT COUNT(*) FROM noted", vec![]).await;
    count.unwrap().unwrap()
}

#[tokio::test]
async fn what_follows_a_full_disk_in_a_transaction_is_refused_and_nothing_is_committed() {
    let (_database, db) = full_soon().await;
    let mut tx = db.begin().await.unwrap();
    tx.run("INSERT INTO noted (n) VALUES (0)", vec![])
        .await
        .unwrap();
    let error = fill(&mut tx).await;
    assert_eq!(Fault::of(&error), Fault::Full, "{error}");
    // SQLite would take these, each for itself.
    let small = "INSERT INTO noted (n) VALUES (2)";
    let error = tx.run(small, vec![]).await.unwrap_err();
    assert!(Fault::of(&error).is_outage(), "{error}");
    tx.commit().await.unwrap_err();
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn the_connection_that_met_a_full_disk_is_not_used_again() {
    let (_database, db) = full_soon().await;
    let mut tx = db.begin().await.unwrap();
    fill(&mut tx).await;
    drop(tx);
    let gone = db.script("INSERT INTO of_this_connection VALUES (1)").await;
    assert!(gone.is_err(), "it is the same connection");
    let mut tx = db.begin().await.unwrap();
    tx.run("INSERT INTO noted (n) VALUES (3)", vec![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_single_statement_without_room_costs_its_connection_too() {
    let (_database, db) = full_soon().await;
    let insert = "INSERT INTO noted (n, text) VALUES (1, $1)";
    let error = db
        .run(insert, vec!["x".repeat(1_000_000).into()])
        .await
        .unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Full, "{error}");
    let gone = db.script("INSERT INTO of_this_connection VALUES (1)").await;
    assert!(gone.is_err(), "it is the same connection");
}
