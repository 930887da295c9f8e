//! The server behind the name became a standby.

use std::time::{Duration, Instant};

use ground::{
    Database, Fault, Statements,
    postgres::{Options, Target, connect},
};
use testkit::{proxy::Proxy, server::Postgres, wait};

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

#[tokio::test]
async fn a_host_that_swallows_everything_does_not_stop_a_start() {
    let database = testkit::postgres::Database::create().await;
    let nowhere = Proxy::start("127.0.0.1:1").await;
    nowhere.stall();
    let (_, server) = database.url().rsplit_once('@').unwrap();
    let url = format!("postgres://postgres@{},{server}", nowhere.address());
    let db = connect(&Target::parse(&url).unwrap(), &OPTIONS).await;
    db.unwrap().run("SELECT 1", vec![]).await.unwrap();
}

#[tokio::test]
async fn who_asks_for_a_server_that_takes_writes_is_given_no_other() {
    let database = testkit::postgres::Database::create().await;
    let admin = database.connect().await;
    let name: Option<String> = admin
        .scalar("SELECT current_database()::text", vec![])
        .await
        .unwrap();
    let name = name.unwrap();
    // For sessions that begin from now on.
    let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    admin.script(&alter).await.unwrap();
    let anything = connect(&Target::parse(database.url()).unwrap(), &OPTIONS).await;
    anything.unwrap().run("SELECT 1", vec![]).await.unwrap();
    let url = format!("{}?target_session_attrs=read-write", database.url());
    let target = Target::parse(&url).unwrap();
    let mut connecting = tokio::spawn(async move { connect(&target, &OPTIONS).await });
    let connected = tokio::time::timeout(Duration::from_millis(500), &mut connecting);
    assert!(connected.await.is_err(), "it has what it did not ask for");
    admin
        .script(&format!(
            "ALTER DATABASE {name} RESET default_transaction_read_only"
        ))
        .await
        .unwrap();
    connecting.await.unwrap().unwrap();
}

/// Two servers, of which the first takes writes; both are in the URL.
async fn two_servers(application: &str) -> (Postgres, Postgres, Database) {
    let (first, second) = tokio::join!(Postgres::start(), Postgres::start());
    let url = format!(
        "postgres://postgres@{},{}/postgres?target_session_attrs=read-write&application_name={application}",
        first.address(),
        second.address()
    );
    let db = connect(&Target::parse(&url).unwrap(), &OPTIONS).await;
    (first, second, db.unwrap())
}

#[tokio::test]
async fn who_only_reads_is_led_away_from_a_server_that_takes_no_writes_any_more() {
    let (_first, _second, db) = two_servers("reader").await;
    let port = "SELECT current_setting('port')";
    let before: Option<String> = db.scalar(port, vec![]).await.unwrap();
    for statement in [
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ] {
        db.script(statement).await.unwrap();
    }
    wait::until("it reads at the other server", SOON, async || {
        db.scalar(port, vec![]).await.unwrap() != before
    })
    .await;
}

#[tokio::test]
async fn nobody_watches_over_a_pool_that_is_closed() {
    let (first, _second, db) = two_servers("watched").await;
    let target = Target::parse(&first.url()).unwrap();
    let other = connect(&target, &OPTIONS).await.unwrap();
    let connections = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'watched'";
    wait::until("the watch has begun", SOON, async || {
        other.scalar(connections, vec![]).await.unwrap() == Some(2_i64)
    })
    .await;
    db.close().await;
    wait::until("the watch has ended", SOON, async || {
        other.scalar(connections, vec![]).await.unwrap() == Some(0_i64)
    })
    .await;
}
