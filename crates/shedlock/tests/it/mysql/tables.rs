//! Tables of MySQL and MariaDB that somebody else made: names, owners, and what the check says.

use std::time::Duration;

use shedlock::{LockError, LockProvider, MySqlLockProvider, SchemaError};

use crate::{
    stage::{HOUR, MINUTE, MySqlStage, Stage, lock, row, taken},
    warnings::Warnings,
};

const NO_TIME: Duration = Duration::ZERO;
/// As Java ShedLock's documentation has it.
const JAVAS: &str =
    "CREATE TABLE shedlock(name VARCHAR(64) NOT NULL, lock_until TIMESTAMP(3) NOT NULL,
    locked_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), locked_by VARCHAR(255) NOT NULL,
    PRIMARY KEY (name)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci";

async fn stage_with(tables: &[&'static str]) -> MySqlStage {
    let stage = MySqlStage::empty().await;
    for statement in tables.iter().chain(shedlock::schema::MYSQL) {
        stage.run(statement).await;
    }
    stage
}

#[tokio::test]
async fn names_are_told_apart_exactly() {
    let stage = MySqlStage::new().await;
    let provider = stage.provider("a");
    let mut guards = Vec::new();
    for name in ["job", "Job", "job ", "jöb"] {
        guards.push(taken(&*provider, &lock(name, MINUTE, NO_TIME)).await);
    }
    for guard in guards {
        assert_eq!(guard.fencing_token(), 1);
        assert_eq!(row(&*provider, guard.name()).await.name, guard.name());
        guard.unlock().await.unwrap();
    }
}

#[tokio::test]
async fn names_that_the_table_takes_for_one_are_one_lock() {
    let stage = stage_with(&[JAVAS]).await;
    let provider = stage.provider("a");
    let guard = taken(&*provider, &lock("Job", MINUTE, NO_TIME)).await;
    for name in ["job", "JOB ", "jöb"] {
        let same = lock(name, MINUTE, NO_TIME);
        assert!(provider.try_lock(&same).await.unwrap().is_none(), "{name}");
    }
    guard.unlock().await.unwrap();
    for name in ["job", "JOB ", "jöb"] {
        let mut guard = taken(&*provider, &lock(name, MINUTE, NO_TIME)).await;
        assert_eq!(row(&*provider, name).await.locked_by, guard.locked_by());
        guard.extend(HOUR).await.unwrap();
        guard.unlock().await.unwrap();
    }
    assert_eq!(provider.locks().await.unwrap().len(), 1);
}

#[tokio::test]
async fn owners_are_told_apart_exactly_whatever_the_table_thinks() {
    let stage = stage_with(&[JAVAS]).await;
    let provider = stage.provider("a");
    for other in [
        "UPDATE shedlock SET locked_by = UPPER(locked_by)",
        "UPDATE shedlock SET locked_by = CONCAT(locked_by, ' ')",
    ] {
        let mut guard = taken(&*provider, &lock("job", MINUTE, NO_TIME)).await;
        stage.run(other).await;
        let before = row(&*provider, "job").await;
        let error = guard.extend(HOUR).await.unwrap_err();
        assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
        let error = guard.unlock().await.unwrap_err();
        assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
        assert_eq!(row(&*provider, "job").await, before);
        stage.expire("job").await;
    }
}

#[tokio::test]
async fn a_name_that_the_column_cuts_is_an_error_and_not_a_lock() {
    let stage = MySqlStage::new().await;
    stage
        .run("ALTER TABLE shedlock MODIFY name VARCHAR(20) CHARACTER SET utf8mb4 NOT NULL")
        .await;
    let config = lock("a-name-of-25-characters-x", MINUTE, NO_TIME);
    let strict = stage.provider("a").try_lock(&config).await.unwrap_err();
    assert!(matches!(strict, LockError::Schema(_)), "{strict:?}");
    assert!(format!("{strict:?}").contains("too long"), "{strict:?}");
    let pool = stage.pool_with(1, "SET sql_mode = ''").await;
    let lenient = MySqlLockProvider::new(pool, "a");
    let error = lenient.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    assert!(!error.is_transient());
    assert!(lenient.locks().await.unwrap().iter().all(|row| !row.held));
    // A name whose characters the column does not have.
    stage
        .run("ALTER TABLE shedlock MODIFY name VARCHAR(64) CHARACTER SET latin1 NOT NULL")
        .await;
    let config = lock("잠금", MINUTE, NO_TIME);
    for provider in [&lenient as &dyn LockProvider, &*stage.provider("a")] {
        let error = provider.try_lock(&config).await.unwrap_err();
        assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    }
}

#[tokio::test]
async fn sessions_that_do_not_commit_by_themselves_are_refused() {
    let stage = MySqlStage::new().await;
    let pool = stage.pool_with(1, "SET autocommit = 0").await;
    let provider = MySqlLockProvider::new(pool, "a");
    let config = lock("job", MINUTE, NO_TIME);
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Database(_)), "{error:?}");
    let problems = problems(&provider).await;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("autocommit is switched off"));
    taken(&*stage.provider("b"), &config)
        .await
        .unlock()
        .await
        .unwrap();
}

async fn problems(provider: &dyn LockProvider) -> Vec<String> {
    match provider.check_schema().await {
        Err(SchemaError::Unusable(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_check_names_everything_that_is_wrong_with_the_tables() {
    let stage = MySqlStage::empty().await;
    let provider = stage.provider("a");
    let found = problems(&*provider).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("table shedlock is missing"));
    assert!(found[1].starts_with("table shedlock_fence is missing"));
    let config = lock("job", MINUTE, NO_TIME);
    let error = provider.try_lock(&config).await.unwrap_err();
    assert!(matches!(error, LockError::Schema(_)), "{error:?}");
    assert!(!error.is_transient());

    stage
        .run(
            "CREATE TABLE shedlock (name VARCHAR(20), lock_until TIMESTAMP(2) NULL, locked_at INT,
            KEY (name)) ENGINE = MyISAM",
        )
        .await;
    stage
        .run("CREATE TABLE shedlock_fence (name VARCHAR(64), token BIGINT UNSIGNED, UNIQUE (name(10)))")
        .await;
    assert_eq!(
        problems(&*provider).await,
        [
            "table shedlock has no primary key on name: add one",
            "table shedlock is kept by MyISAM, which has no transactions: change it to InnoDB",
            "column shedlock.name is varchar(20): change it to varchar(64)",
            "column shedlock.lock_until is timestamp(2): change it to datetime(3)",
            "column shedlock.locked_at is int(11): change it to datetime(3)",
            "column shedlock.locked_by is missing: add it as varchar(255)",
            "table shedlock_fence has no primary key on name: add one",
            "column shedlock_fence.token is bigint(20) unsigned: change it to bigint",
        ]
    );
}

#[tokio::test]
async fn the_check_warns_of_what_works_but_is_dangerous() {
    let stage = stage_with(&[JAVAS]).await;
    for statement in [
        "ALTER TABLE shedlock MODIFY locked_at TIMESTAMP(3) NOT NULL
            DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
        "ALTER TABLE shedlock MODIFY locked_by VARCHAR(255) CHARACTER SET latin1 NOT NULL",
    ] {
        stage.run(statement).await;
    }
    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    stage.provider("a").check_schema().await.unwrap();
    drop(listening);
    let said = warnings.said();
    let expected = [
        "shedlock.name: locks whose names differ only in case",
        "shedlock.lock_until: shedlock's times are TIMESTAMP",
        "shedlock.locked_at: shedlock's times are TIMESTAMP",
        "shedlock.locked_at: the column follows every update",
        "shedlock.locked_by: the column cannot keep every character",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}");
    }
}
