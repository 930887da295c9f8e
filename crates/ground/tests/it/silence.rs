//! A network that swallows everything, and a node that is gone without a word.

use std::time::{Duration, Instant};

use ground::{
    Database, Fault, Statements,
    postgres::{Options, Target, connect},
};
use testkit::proxy::Proxy;

fn options(deadline: Duration) -> Options {
    Options {
        max_connections: 4,
        transaction_pooler: false,
        statement_deadline: Some(deadline),
    }
}

/// Through a proxy: the database, and the proxy to break.
async fn through_a_proxy(database: &testkit::postgres::Database) -> (Proxy, Database) {
    let mut url = reqwest::Url::parse(database.url()).unwrap();
    let server = format!("127.0.0.1:{}", url.port().unwrap());
    let proxy = Proxy::start(server).await;
    url.set_port(Some(proxy.address().port())).unwrap();
    let target = Target::parse(url.as_str()).unwrap();
    let db = connect(&target, &options(Duration::from_millis(700)))
        .await
        .unwrap();
    (proxy, db)
}

#[tokio::test]
async fn a_statement_without_an_answer_is_an_outage_and_ends() {
    let database = testkit::postgres::Database::create().await;
    let (proxy, db) = through_a_proxy(&database).await;
    let mut tx = db.begin().await.unwrap();
    proxy.stall();
    let error = tx.run("SELECT 1", vec![]).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Outage, "{error}");
    // It is closed, not asked for a rollback that nobody would answer.
    let begun = Instant::now();
    tx.rollback().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn connections_from_before_a_silence_are_not_believed_after_it() {
    let database = testkit::postgres::Database::create().await;
    let (proxy, db) = through_a_proxy(&database).await;
    let ids = async || -> Vec<i32> {
        let mut all = Vec::new();
        let mut open = Vec::new();
        for _ in 0..4 {
            let mut tx = db.begin().await.unwrap();
            all.push(
                tx.scalar("SELECT pg_backend_pid()", vec![])
                    .await
                    .unwrap()
                    .unwrap(),
            );
            open.push(tx);
        }
        for tx in open {
            tx.rollback().await;
        }
        all
    };
    let before = ids().await;
    proxy.stall();
    db.run("SELECT 1", vec![]).await.unwrap_err();
    proxy.open();
    // One of them failed; the others lead to the same silence, as far as anybody knows.
    let after = ids().await;
    assert!(
        after.iter().all(|id| !before.contains(id)),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn a_transaction_whose_node_is_gone_holds_its_rows_for_seconds_only() {
    let database = testkit::postgres::Database::create().await;
    let target = Target::parse(database.url()).unwrap();
    let node = connect(&target, &options(Duration::from_secs(60)))
        .await
        .unwrap();
    node.script(
        "CREATE TABLE thing (id BIGINT PRIMARY KEY, n BIGINT); INSERT INTO thing VALUES (1, 0)",
    )
    .await
    .unwrap();
    let mut gone = node.begin().await.unwrap();
    gone.script("UPDATE thing SET n = 1").await.unwrap();
    // Nothing more is heard of it, and its connection stays open.
    let replacement = connect(&target, &options(Duration::from_secs(60)))
        .await
        .unwrap();
    let begun = Instant::now();
    replacement.script("UPDATE thing SET n = 2").await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    let error = gone.run("SELECT 1", vec![]).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Outage, "{error}");
}

#[tokio::test]
async fn a_wait_for_a_lock_ends_as_a_conflict() {
    let database = testkit::postgres::Database::create().await;
    let target = Target::parse(database.url()).unwrap();
    let db = connect(&target, &options(Duration::from_secs(60)))
        .await
        .unwrap();
    db.script("CREATE TABLE thing (id BIGINT)").await.unwrap();
    // No session of ours: nothing ends it.
    let mut holder = database.connect().await.begin().await.unwrap();
    holder.script("LOCK TABLE thing").await.unwrap();
    let error = db.script("INSERT INTO thing VALUES (1)").await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::Conflict, "{error}");
    holder.rollback().await;
}
