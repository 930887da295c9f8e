//! Fresh databases for tests.

use std::collections::HashSet;

use ground::Statements;
use testkit::{Database, on_each_database, postgres};

on_each_database! {
    async fn a_database_is_empty_and_takes_tables(db: Database) {
        let connection = db.connect().await;
        connection.script("CREATE TABLE t (id BIGINT)").await.unwrap();
        connection.script("INSERT INTO t VALUES (1)").await.unwrap();
    }

    async fn two_connections_are_two_nodes_on_the_same_data(db: Database) -> Result<(), sqlx::Error> {
        let (first, second) = (db.connect().await, db.connect().await);
        first.script("CREATE TABLE t (id BIGINT)").await?;
        second.script("INSERT INTO t VALUES (1)").await?;
        Ok(())
    }
}

on_each_database! {
    #![tokio_test(flavor = "multi_thread", worker_threads = 2)]

    async fn arguments_reach_the_runtime(_db: Database) {
        assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 2);
    }
}

#[tokio::test]
async fn a_postgres_database_is_gone_when_dropped_even_with_open_connections() {
    let other = postgres::Database::create().await;
    let observer = other.connect().await;
    let dropped = postgres::Database::create().await;
    let still_open = dropped.connect().await;
    let name = dropped.url().rsplit('/').next().unwrap().to_owned();
    let names = async || -> HashSet<String> {
        let select = "SELECT datname FROM pg_database";
        let names = observer.scalars::<String, _>(select, vec![]).await;
        names.unwrap().into_iter().collect()
    };
    assert!(names().await.contains(&name));

    drop(dropped);

    assert!(!names().await.contains(&name));
    assert!(still_open.run("SELECT 1", vec![]).await.is_err());
}

#[tokio::test]
async fn a_sqlite_database_is_gone_when_dropped() {
    let database = testkit::sqlite::Database::create();
    let path = database.path();
    let select = "SELECT 1";
    database.connect().await.run(select, vec![]).await.unwrap();
    assert!(path.exists());

    drop(database);

    assert!(!path.exists());
}
