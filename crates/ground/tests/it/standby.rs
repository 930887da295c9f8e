//! The server behind the name became a standby.

use std::time::{Duration, Instant};

use ground::{
    Database, Fault, Statements,
    postgres::{Options, Target, connect},
};
use testkit::server::Postgres;

/// How long a failover may take us, after there is a primary.
const SOON: Duration = Duration::from_secs(8);

const OPTIONS: Options = Options {
    max_connections: 8,
    transaction_pooler: false,
    statement_deadline: Some(Duration::from_secs(10)),
};

const NOTE: &str = "INSERT INTO noted VALUES (1)";

async fn writes_soon(db: &Database) -> Duration {
    let begun = Instant::now();
    while let Err(error) = db.run(NOTE, vec![]).await {
        assert!(begun.elapsed() < SOON, "still {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn a_write_on_a_standby_is_read_only_and_every_connection_to_it_is_left() {
    let primary = Postgres::start().await;
    let target = Target::parse(&primary.url()).unwrap();
    let db = connect(&target, &OPTIONS).await.unwrap();
    db.script("CREATE TABLE noted (n BIGINT)").await.unwrap();
    let standby = primary.standby().await;
    // The pool was made when the name led to the standby; then the standby becomes the primary, as when a name moves.
    let at_standby = Target::parse(&standby.url()).unwrap();
    let db = connect(&at_standby, &OPTIONS).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(db.begin_snapshot().await.unwrap());
    }
    for reader in readers {
        reader.rollback().await;
    }
    let id = "SELECT pg_backend_pid()";
    let mut before: Vec<i32> = Vec::new();
    for _ in 0..4 {
        before.push(db.scalar(id, vec![]).await.unwrap().unwrap());
    }
    let error = db.run(NOTE, vec![]).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::ReadOnly, "{error}");
    for _ in 0..4 {
        let after: i32 = db.scalar(id, vec![]).await.unwrap().unwrap();
        assert!(!before.contains(&after));
    }
    let mut tx = db.begin().await.unwrap();
    let error = tx.run(NOTE, vec![]).await.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::ReadOnly, "{error}");
    drop(tx);
    standby.promote().await;
    writes_soon(&db).await;
}

#[tokio::test]
async fn of_several_hosts_the_one_that_takes_writes_is_found_and_found_again() {
    let mut primary = Postgres::start().await;
    let first = Target::parse(&primary.url()).unwrap();
    let setup = connect(&first, &OPTIONS).await.unwrap();
    setup.script("CREATE TABLE noted (n BIGINT)").await.unwrap();
    setup.close().await;
    let standby = primary.standby().await;
    // The standby stands first.
    let url = format!(
        "postgres://postgres@{},{}/postgres?target_session_attrs=read-write",
        standby.address(),
        primary.address()
    );
    let db = connect(&Target::parse(&url).unwrap(), &OPTIONS)
        .await
        .unwrap();
    db.run(NOTE, vec![]).await.unwrap();
    primary.crash().await;
    standby.promote().await;
    writes_soon(&db).await;
}
