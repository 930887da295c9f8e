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
    patiently(database, Duration::from_millis(700)).await
}

async fn patiently(
    database: &testkit::postgres::Database,
    deadline: Duration,
) -> (Proxy, Database) {
    let mut url = reqwest::Url::parse(database.url()).unwrap();
    let server = format!("127.0.0.1:{}", url.port().unwrap());
    let proxy = Proxy::start(server).await;
    url.set_port(Some(proxy.address().port())).unwrap();
    let target = Target::parse(url.as_str()).unwrap();
    let db = connect(&target, &options(deadline)).await.unwrap();
    (proxy, db)
}

/// Of as many connections as the pool may have.
async fn ids(db: &Database) -> Vec<i32> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut tx = db.begin().await.unwrap();
        let id = tx.scalar("SELECT pg_backend_pid()", vec![]).await;
        all.push(id.unwrap().unwrap());
        open.push(tx);
    }
    for tx in open {
        tx.rollback().await;
    }
    all
}

/// Longer than a connection is believed without a word.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test]
async fn a_session_has_its_bounds() {
    let database = testkit::postgres::Database::create().await;
    let target = Target::parse(database.url()).unwrap();
    let db = connect(&target, &options(Duration::from_secs(60))).await;
    let db = db.unwrap();
    for (setting, value) in [
        ("idle_in_transaction_session_timeout", "5s"),
        ("lock_timeout", "10s"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "10000"),
    ] {
        let show = sqlx::AssertSqlSafe(format!("SELECT current_setting('{setting}')"));
        let found: Option<String> = db.scalar(show, vec![]).await.unwrap();
        assert_eq!(found.as_deref(), Some(value), "{setting}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_cut_is_given_to_nobody() {
    let database = testkit::postgres::Database::create().await;
    let (proxy, db) = through_a_proxy(&database).await;
    let before = ids(&db).await;
    a_while().await;
    proxy.cut();
    let after = ids(&db).await;
    assert!(
        after.iter().all(|id| !before.contains(id)),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn an_idle_connection_that_does_not_answer_speaks_for_all_of_its_age() {
    let database = testkit::postgres::Database::create().await;
    let (proxy, db) = patiently(&database, Duration::from_secs(60)).await;
    let before = ids(&db).await;
    a_while().await;
    proxy.stall();
    let asking = tokio::spawn({
        let db = db.clone();
        async move { db.scalar("SELECT pg_backend_pid()", vec![]).await }
    });
    // It is asked and has three seconds, of whose end nobody is told.
    tokio::time::sleep(Duration::from_secs(4)).await;
    proxy.open();
    let id: Option<i32> = asking.await.unwrap().unwrap();
    assert!(!before.contains(&id.unwrap()), "{before:?} {id:?}");
    // The others were not asked.
    let after = ids(&db).await;
    assert!(
        after.iter().all(|id| !before.contains(id)),
        "{before:?} {after:?}"
    );
}

#[tokio::test]
async fn a_rollback_without_an_answer_is_given_up() {
    let database = testkit::postgres::Database::create().await;
    let (proxy, db) = patiently(&database, Duration::from_secs(60)).await;
    let tx = db.begin().await.unwrap();
    proxy.stall();
    let rolled_back = tokio::time::timeout(Duration::from_secs(20), tx.rollback());
    rolled_back.await.unwrap();
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
    let before = ids(&db).await;
    proxy.stall();
    db.run("SELECT 1", vec![]).await.unwrap_err();
    proxy.open();
    // One of them failed; the others lead to the same silence, as far as anybody knows.
    let after = ids(&db).await;
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
