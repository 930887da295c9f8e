use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DbErr, Statement};
use testkit::{Database, on_each_database, postgres};

on_each_database! {
    async fn a_database_is_empty_and_takes_tables(db: Database) {
        let connection = db.connect().await;
        connection.execute_unprepared("CREATE TABLE t (id BIGINT)").await.unwrap();
        connection.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
    }

    async fn two_connections_are_two_nodes_on_the_same_data(db: Database) -> Result<(), DbErr> {
        let (first, second) = (db.connect().await, db.connect().await);
        first.execute_unprepared("CREATE TABLE t (id BIGINT)").await?;
        second.execute_unprepared("INSERT INTO t VALUES (1)").await?;
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
        observer
            .query_all_raw(Statement::from_string(
                observer.get_database_backend(),
                "SELECT datname FROM pg_database",
            ))
            .await
            .unwrap()
            .iter()
            .map(|row| row.try_get("", "datname").unwrap())
            .collect()
    };
    assert!(names().await.contains(&name));

    drop(dropped);

    assert!(!names().await.contains(&name));
    assert!(still_open.ping().await.is_err());
}

#[tokio::test]
async fn a_sqlite_database_is_gone_when_dropped() {
    let database = testkit::sqlite::Database::create();
    let path = database.path();
    database.connect().await.ping().await.unwrap();
    assert!(path.exists());

    drop(database);

    assert!(!path.exists());
}
