//! A start looks before it creates.

use std::time::Duration;

use ground::{Statements, schema::create_missing};

const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS thing (id BIGINT PRIMARY KEY, n BIGINT)",
    "CREATE INDEX IF NOT EXISTS thing_n ON thing (n)",
];

testkit::on_each_database! {
    async fn what_is_missing_is_created_and_what_is_there_is_left(database: testkit::Database) {
        let db = database.connect().await;
        for _ in 0..2 {
            create_missing(&db, TABLES).await.unwrap();
        }
        db.script("DROP INDEX thing_n").await.unwrap();
        create_missing(&db, TABLES).await.unwrap();
        db.script("DROP INDEX thing_n").await.unwrap();
    }
}

#[tokio::test]
async fn a_start_with_nothing_to_create_waits_for_no_writer() {
    let database = testkit::Database::postgres().await;
    let db = database.connect().await;
    create_missing(&db, TABLES).await.unwrap();
    let mut writer = db.begin().await.unwrap();
    writer
        .script("INSERT INTO thing VALUES (1, 1)")
        .await
        .unwrap();
    let start = create_missing(&db, TABLES);
    tokio::time::timeout(Duration::from_secs(10), start)
        .await
        .unwrap()
        .unwrap();
    writer.rollback().await;
}
