//! Jobs that write through SeaORM: the fence inside its transactions, and its errors.

use scheduler::testkit::Signals;
use scheduler::{FenceError, Job, JobError, RunStatus};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions,
    TransactionTrait,
};

use crate::support::*;

/// SeaORM on the pool that is there already.
fn sea_orm_on(db: &ground::Database) -> DatabaseConnection {
    match db.postgres() {
        Some(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
        None => SqlxSqliteConnector::from_sqlx_sqlite_pool(db.sqlite().unwrap().clone()),
    }
}

async fn begin(
    db: &DatabaseConnection,
    isolation_level: Option<IsolationLevel>,
) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        isolation_level,
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// A job that first runs the statement, as if somebody else did, and then writes a row behind its fence.
async fn writing(world: &World, before: &'static str) -> Job {
    world.execute("CREATE TABLE written (n INTEGER)", []).await;
    let db = sea_orm_on(&world.database.connect().await);
    daily("job").run(move |context| {
        let db = db.clone();
        async move {
            db.execute_unprepared(before).await?;
            let tx = begin(&db, None).await?;
            tx.execute_unprepared("INSERT INTO written VALUES (1)")
                .await?;
            context.fence().check_sea_orm(&tx).await?;
            tx.commit().await?;
            Ok(1)
        }
    })
}

async fn ends_and_writes(db: testkit::Database, before: &'static str) -> (RunStatus, usize) {
    let world = World::new(db).await;
    let node = world.node("a", [writing(&world, before).await]).await;
    let run = node.run_now("job").await.unwrap();
    (run.status, world.query("SELECT n FROM written").await.len())
}

fn is_conflict(error: impl Into<JobError>) -> bool {
    matches!(error.into(), JobError::Conflict(_))
}

#[test]
fn an_update_that_found_its_row_changed_conflicts_and_a_missing_row_does_not() {
    assert!(is_conflict(DbErr::RecordNotUpdated));
    assert!(!is_conflict(DbErr::RecordNotFound("member 7".to_owned())));
}

testkit::on_each_database! {
    async fn the_run_of_record_writes_through_sea_orm(db: testkit::Database) {
        assert_eq!(ends_and_writes(db, "SELECT 1").await, (RunStatus::Succeeded, 1));
    }

    async fn a_run_that_was_declared_dead_cannot_write_through_sea_orm(db: testkit::Database) {
        let dead = "UPDATE job_run SET status = 'ABANDONED'";
        assert_eq!(ends_and_writes(db, dead).await, (RunStatus::Abandoned, 0));
    }

    async fn a_run_whose_lock_was_taken_cannot_write_through_sea_orm(db: testkit::Database) {
        let taken = "UPDATE shedlock SET locked_by = 'java'";
        assert_eq!(ends_and_writes(db, taken).await, (RunStatus::Abandoned, 0));
    }

    async fn a_lease_that_is_known_to_be_lost_needs_no_question_through_sea_orm(db: testkit::Database) {
        let world = World::new(db).await;
        let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
        let job = daily("job").lease(std::time::Duration::from_secs(1)).run(move |context| {
            let entered = entered.clone();
            async move { entered.send(context).unwrap(); std::future::pending::<Result<u64, JobError>>().await }
        });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        let _run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        let context = inside.recv().await.unwrap();
        world.lock_row("job", "java", four(), far()).await;
        context.cancellation().cancelled().await;
        let tx = begin(&sea_orm_on(&world.db), None).await.unwrap();
        assert!(matches!(context.fence().check_sea_orm(&tx).await, Err(FenceError::Lost)));
        tx.rollback().await.unwrap();
        assert_eq!(signals.finished("job").await.status, RunStatus::Abandoned);
    }

    async fn a_conflict_of_sea_orm_is_one_and_a_syntax_error_is_not(db: testkit::Database) {
        let world = World::new(db).await;
        let sea_orm = sea_orm_on(&world.db);
        assert!(!is_conflict(sea_orm.execute_unprepared("SELEC").await.unwrap_err()));
        let other = sea_orm_on(&world.database.connect().await);
        let conflict = if world.is_sqlite() {
            other.execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();
            let _writer = begin(&sea_orm, None).await.unwrap();
            begin(&other, None).await.unwrap_err()
        } else {
            world.execute("CREATE TABLE t (n INTEGER)", []).await;
            world.execute("INSERT INTO t VALUES (1)", []).await;
            let tx = begin(&sea_orm, Some(IsolationLevel::RepeatableRead)).await.unwrap();
            tx.execute_unprepared("SELECT n FROM t").await.unwrap();
            other.execute_unprepared("UPDATE t SET n = 2").await.unwrap();
            tx.execute_unprepared("UPDATE t SET n = 3").await.unwrap_err()
        };
        assert!(is_conflict(conflict));
    }
}

#[tokio::test]
async fn a_conflict_that_the_fence_meets_through_sea_orm_stays_one() {
    let world = World::new(testkit::Database::postgres().await).await;
    let (send, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let gate = Gate::new();
    let job = daily("job").run({
        let gate = gate.clone();
        move |context| {
            let (send, gate) = (send.clone(), gate.clone());
            async move {
                send.send(context).unwrap();
                gate.opened().await;
                Ok(1)
            }
        }
    });
    let node = world.node("a", [job]).await;
    let run = tokio::spawn(async move { node.run_now("job").await.unwrap() });
    let context = inside.recv().await.unwrap();

    let sea_orm = sea_orm_on(&world.db);
    let tx = begin(&sea_orm, Some(IsolationLevel::RepeatableRead)).await;
    let tx = tx.unwrap();
    let read = tx.execute_unprepared("SELECT id FROM job_run").await;
    read.unwrap();
    let touch = "UPDATE job_run SET retries = retries WHERE job_name = 'job'";
    world.execute(touch, []).await;
    let error = context.fence().check_sea_orm(&tx).await.unwrap_err();
    tx.rollback().await.unwrap();
    assert!(error.is_conflict(), "{error:?}");
    assert!(is_conflict(error));

    gate.open();
    assert_eq!(run.await.unwrap().status, RunStatus::Succeeded);
}
