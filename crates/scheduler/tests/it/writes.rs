//! A run that is no longer the run of record cannot write.

use std::time::Duration;

use scheduler::testkit::Signals;
use scheduler::{Job, JobBuilder, JobContext, JobError, RunStatus};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::support::*;

/// A job that, let in by `go`, writes a row behind its fence.
fn writing(
    job: JobBuilder,
    db: DatabaseConnection,
    entered: tokio::sync::mpsc::UnboundedSender<JobContext>,
    go: std::sync::Arc<tokio::sync::Semaphore>,
) -> Job {
    job.run(move |context| {
        let (db, entered, go) = (db.clone(), entered.clone(), go.clone());
        async move {
            entered.send(context.clone()).unwrap();
            go.acquire().await.unwrap().forget();
            let tx = db
                .begin_with_options(TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..Default::default()
                })
                .await?;
            tx.execute_unprepared("INSERT INTO written VALUES (1)")
                .await?;
            context.fence().check(&tx).await?;
            tx.commit().await?;
            Ok(1)
        }
    })
}

struct Writer {
    world: World,
    node: scheduler::Scheduler,
    entered: tokio::sync::mpsc::UnboundedReceiver<JobContext>,
    go: std::sync::Arc<tokio::sync::Semaphore>,
}

impl Writer {
    async fn new(db: testkit::Database, job: JobBuilder) -> Self {
        let world = World::new(db).await;
        world.execute("CREATE TABLE written (n INTEGER)", []).await;
        let (send, entered) = tokio::sync::mpsc::unbounded_channel();
        let go = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let job = writing(job, world.database.connect().await, send, go.clone());
        let node = world.node("a", [job]).await;
        Self {
            world,
            node,
            entered,
            go,
        }
    }

    /// Runs the job by hand, interferes while it is inside, lets it write.
    async fn run(&mut self, interfere: impl AsyncFnOnce(&World)) -> scheduler::Run {
        let run = tokio::spawn({
            let node = self.node.clone();
            async move { node.run_now("job").await }
        });
        self.entered.recv().await.unwrap();
        interfere(&self.world).await;
        self.go.add_permits(1);
        run.await.unwrap().unwrap()
    }

    async fn written(&self) -> usize {
        self.world.query("SELECT n FROM written").await.len()
    }
}

testkit::on_each_database! {
    async fn the_run_of_record_writes(db: testkit::Database) {
        let mut writer = Writer::new(db, daily("job")).await;
        let run = writer.run(async |_| {}).await;
        assert_eq!((run.status, run.affected), (RunStatus::Succeeded, 1));
        assert_eq!(writer.written().await, 1);
    }

    async fn a_run_whose_lock_a_java_node_took_cannot_write(db: testkit::Database) {
        let mut writer = Writer::new(db, daily("job")).await;
        let run = writer.run(async |world| world.lock_row("job", "java", four(), far()).await).await;
        assert_eq!(run.status, RunStatus::Abandoned);
        assert_eq!(writer.written().await, 0);
        assert_eq!(writer.world.held_by("job").await.as_deref(), Some("java"));
    }

    async fn a_run_that_was_declared_dead_cannot_write_and_stays_dead(db: testkit::Database) {
        let mut writer = Writer::new(db, daily("job")).await;
        let run = writer.run(async |world| {
            world.execute("UPDATE job_run SET status = 'ABANDONED' WHERE job_name = 'job'", []).await;
        }).await;
        assert_eq!(run.status, RunStatus::Abandoned);
        assert_eq!(writer.written().await, 0);
    }

    async fn a_run_that_ends_after_it_was_declared_dead_does_not_rewrite_history(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job"))]).await;
        let run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        gate.entered().await;
        world.lapse("job").await;
        world.node("b", [quick(daily("job"))]).await.list().await.unwrap();
        gate.open();
        assert_eq!(run.await.unwrap().unwrap().status, RunStatus::Abandoned);
        assert_eq!(world.runs("job").await[0].3, "ABANDONED");
    }

    async fn a_run_that_loses_its_lease_is_cancelled(db: testkit::Database) {
        let world = World::new(db).await;
        let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
        // It heeds nothing: only dropping it ends it.
        let job = daily("job").lease(Duration::from_secs(1)).run(move |context| {
            let entered = entered.clone();
            async move { entered.send(context).unwrap(); std::future::pending::<Result<u64, JobError>>().await }
        });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        let run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        let context = inside.recv().await.unwrap();
        world.lock_row("job", "java", four(), far()).await;
        context.cancellation().cancelled().await;
        assert_eq!(signals.finished("job").await.status, RunStatus::Abandoned);
        assert_eq!(run.await.unwrap().unwrap().status, RunStatus::Abandoned);
    }

    async fn a_busy_database_or_a_deadlock_is_a_conflict_and_a_syntax_error_is_not(db: testkit::Database) {
        let world = World::new(db).await;
        let syntax = world.db.execute_unprepared("SELEC").await.unwrap_err();
        assert!(matches!(JobError::from_db(syntax), JobError::Failed(_)));

        let conflict = if world.db.get_database_backend() == sea_orm::DbBackend::Sqlite {
            let other = world.database.connect().await;
            other.execute_unprepared("PRAGMA busy_timeout = 0").await.unwrap();
            let immediate = || TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
            let _writer = world.db.begin_with_options(immediate()).await.unwrap();
            other.begin_with_options(immediate()).await.unwrap_err()
        } else {
            world.db.execute_unprepared("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
            let serializable = || TransactionOptions { isolation_level: Some(sea_orm::IsolationLevel::Serializable), ..Default::default() };
            let tx = world.db.begin_with_options(serializable()).await.unwrap();
            tx.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT n FROM t")).await.unwrap();
            world.db.execute_unprepared("UPDATE t SET n = 2").await.unwrap();
            tx.execute_unprepared("UPDATE t SET n = 3").await.unwrap_err()
        };
        assert!(matches!(JobError::from_db(conflict), JobError::Conflict(_)));
    }
}
