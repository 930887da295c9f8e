//! PgBouncer in transaction mode: a connection has another server for each transaction.

use std::time::Duration;

use ground::{
    Database, PostgresWake, Statements,
    postgres::{Options, Target, connect},
};
use testkit::server::PgBouncer;
use tokio_util::sync::CancellationToken;

async fn through_a_pooler(database: &testkit::postgres::Database) -> (PgBouncer, Database) {
    let pooler = PgBouncer::start(database.url(), 4).await;
    let options = Options {
        max_connections: 16,
        transaction_pooler: true,
        statement_deadline: None,
    };
    let db = connect(&Target::parse(&pooler.url()).unwrap(), &options)
        .await
        .unwrap();
    (pooler, db)
}

#[tokio::test]
async fn statements_and_transactions_of_many_share_few_servers_without_a_mistake() {
    let database = testkit::postgres::Database::create().await;
    let (_pooler, db) = through_a_pooler(&database).await;
    db.script("CREATE TABLE noted (n BIGINT PRIMARY KEY, text TEXT)")
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16_i64 {
        let db = db.clone();
        tasks.spawn(async move {
            for n in 0..40 {
                let id = task * 1000 + n;
                let insert = "INSERT INTO noted VALUES ($1, $2)";
                let values = || vec![id.into(), format!("text {id}").into()];
                if n % 2 == 0 {
                    db.run(insert, values()).await.unwrap();
                } else {
                    let mut tx = db.begin().await.unwrap();
                    tx.run(insert, values()).await.unwrap();
                    tx.commit().await.unwrap();
                }
                let select = "SELECT text FROM noted WHERE n = $1";
                let text: Option<String> = db.scalar(select, vec![id.into()]).await.unwrap();
                assert_eq!(text, Some(format!("text {id}")));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let all: Option<i64> = db
        .scalar("SELECT COUNT(*) FROM noted", vec![])
        .await
        .unwrap();
    assert_eq!(all, Some(640));
}

#[tokio::test]
async fn a_transaction_behind_a_pooler_has_the_bounds_of_a_session() {
    let database = testkit::postgres::Database::create().await;
    let (_pooler, db) = through_a_pooler(&database).await;
    for (mut tx, isolation) in [
        (db.begin().await.unwrap(), "read committed"),
        (db.begin_snapshot().await.unwrap(), "repeatable read"),
    ] {
        for (setting, value) in [
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "5s"),
            ("transaction_isolation", isolation),
        ] {
            let show = sqlx::AssertSqlSafe(format!("SELECT current_setting('{setting}')"));
            let found: Option<String> = tx.scalar(show, vec![]).await.unwrap();
            assert_eq!(found.as_deref(), Some(value), "{setting}");
        }
        tx.rollback().await;
    }
}

#[tokio::test]
async fn wake_ups_go_through_a_pooler_and_are_heard_beside_it() {
    let database = testkit::postgres::Database::create().await;
    let (_pooler, db) = through_a_pooler(&database).await;
    let direct = Target::parse(database.url()).unwrap();
    let hears = PostgresWake::over(db.clone(), Some(direct), "news");
    let deaf = PostgresWake::over(db.clone(), None, "news");
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let listening = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            hears.run(cancel, move || heard.send(()).unwrap()).await;
        }
    });
    // The first call: it listens now.
    hearing.recv().await.unwrap();
    deaf.notify();
    let second = tokio::time::timeout(Duration::from_secs(10), hearing.recv()).await;
    second.unwrap().unwrap();
    // Who knows no way past the pooler listens nowhere, and leaves no LISTEN behind on a server of others.
    let silent = deaf.run(cancel.clone(), || panic!("it hears something"));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), silent)
            .await
            .is_err()
    );
    let channels = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND application_name NOT LIKE 'wake%'";
    let left: Option<i64> = db.scalar(channels, vec![]).await.unwrap();
    assert_eq!(left, Some(0));
    cancel.cancel();
    listening.await.unwrap();
}
