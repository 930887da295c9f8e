//! Creating the tables: only what is missing, and nothing where there is nothing to do.

use ground::{Database, Dialects, Statements};
use scheduler::schema::create_tables;

const THERE: Dialects = Dialects {
    postgres: "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') \
         AND relname LIKE 'job%' AND relname NOT LIKE '%_pkey' ORDER BY relname",
    sqlite: "SELECT name FROM sqlite_master WHERE name LIKE 'job%' ORDER BY name",
};

async fn there(db: &Database) -> Vec<String> {
    db.scalars(THERE, vec![]).await.unwrap()
}

async fn create(db: &Database) {
    let mut tx = db.begin().await.unwrap();
    create_tables(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// The same on a connection that must not write.
async fn create_without_writing(db: &Database) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_snapshot().await.unwrap();
    let forbid = Dialects {
        postgres: "SET TRANSACTION READ ONLY",
        sqlite: "PRAGMA query_only = ON",
    };
    tx.run(forbid, vec![]).await.unwrap();
    create_tables(&mut tx).await
}

const ALL: [&str; 11] = [
    "job",
    "job_node",
    "job_plan",
    "job_progress",
    "job_run",
    "job_run_history",
    "job_run_last",
    "job_run_owner",
    "job_run_running",
    "job_run_slot",
    "job_schedule",
];

testkit::on_each_database! {
    async fn an_empty_database_gets_every_table_and_index(db: testkit::Database) {
        let db = db.connect().await;
        create(&db).await;
        assert_eq!(there(&db).await, ALL);
    }

    async fn a_database_that_has_them_all_is_not_written_to(db: testkit::Database) {
        let database = db;
        let db = database.connect().await;
        create(&db).await;
        create_without_writing(&db).await.unwrap();
        let db = database.connect().await;
        db.script("DROP INDEX job_run_owner").await.unwrap();
        create_without_writing(&db).await.unwrap_err();
    }

    async fn only_what_is_missing_is_created(db: testkit::Database) {
        let db = db.connect().await;
        create(&db).await;
        db.script("INSERT INTO job (name) VALUES ('nightly'); DROP TABLE job_schedule; DROP INDEX job_run_slot").await.unwrap();
        create(&db).await;
        assert_eq!(there(&db).await, ALL);
        let names: Vec<String> = db.scalars("SELECT name FROM job", vec![]).await.unwrap();
        assert_eq!(names, ["nightly"]);
    }
}

#[tokio::test]
async fn tables_of_another_schema_are_not_taken_for_ours() {
    let database = testkit::Database::postgres().await;
    let db = database.connect().await;
    create(&db).await;
    let mut tx = db.begin().await.unwrap();
    let own = r#"CREATE SCHEMA "Own"; SET LOCAL search_path = "Own", public"#;
    tx.script(own).await.unwrap();
    create_tables(&mut tx).await.unwrap();
    let count = "SELECT count(*) FROM pg_class WHERE relnamespace = '\"Own\"'::regnamespace AND relkind = 'r'";
    assert_eq!(tx.scalar(count, vec![]).await.unwrap(), Some(6_i64));
    tx.commit().await.unwrap();
}
