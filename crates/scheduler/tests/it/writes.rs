//! A run that is no longer the run of record cannot write.

use std::time::Duration;

use ground::{Database, Statements};
use scheduler::testkit::Signals;
use scheduler::{Fence, FenceError, Job, JobBuilder, JobContext, JobError, RunStatus};
use tokio::task::JoinHandle;

use crate::support::*;

/// A job that, let in by `go`, writes a row behind its fence.
fn writing(
    job: JobBuilder,
    db: Database,
    entered: tokio::sync::mpsc::UnboundedSender<JobContext>,
    go: std::sync::Arc<tokio::sync::Semaphore>,
) -> Job {
    job.run(move |context| {
        let (db, entered, go) = (db.clone(), entered.clone(), go.clone());
        async move {
            entered.send(context.clone()).unwrap();
            go.acquire().await.unwrap().forget();
            let mut tx = db.begin().await?;
            tx.run("INSERT INTO written VALUES (1)", vec![]).await?;
            context.fence().check(&mut tx).await?;
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

    /// Runs the job by hand, and answers when it is inside.
    async fn enter(&mut self) -> (JobContext, JoinHandle<scheduler::Run>) {
        let node = self.node.clone();
        let run = tokio::spawn(async move { node.run_now("job").await.unwrap() });
        (self.entered.recv().await.unwrap(), run)
    }

    /// Runs the job by hand, interferes while it is inside, lets it write.
    async fn run(&mut self, interfere: impl AsyncFnOnce(&World)) -> scheduler::Run {
        let (_, run) = self.enter().await;
        interfere(&self.world).await;
        self.go.add_permits(1);
        run.await.unwrap()
    }

    async fn written(&self) -> usize {
        self.world.query("SELECT n FROM written").await.len()
    }
}

/// The fence's answers on everything that a job may write with, from a task, as jobs are.
async fn answers(context: &JobContext, db: &Database) -> Vec<Result<(), FenceError>> {
    let (fence, db) = (context.fence(), db.clone());
    let asking = tokio::spawn(async move {
        let mut answers = Vec::new();
        if let Some(pool) = db.postgres() {
            let mut tx = pool.begin().await.unwrap();
            answers.push(fence.check(&mut tx).await);
            answers.push(fence.check(&mut *tx).await);
            tx.rollback().await.unwrap();
            let mut connection = pool.acquire().await.unwrap();
            answers.push(fence.check(&mut connection).await);
        }
        if let Some(pool) = db.sqlite() {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            answers.push(fence.check(&mut tx).await);
            answers.push(fence.check(&mut *tx).await);
            tx.rollback().await.unwrap();
            let mut connection = pool.acquire().await.unwrap();
            answers.push(fence.check(&mut connection).await);
        }
        let mut tx = db.begin().await.unwrap();
        answers.push(fence.check(&mut tx).await);
        answers.push(fence.check(tx.connection()).await);
        let any: &dyn Fence = &fence;
        answers.push(any.check(&mut tx).await);
        tx.rollback().await;
        answers
    });
    asking.await.unwrap()
}

testkit::on_each_database! {
    async fn the_fence_is_asked_on_whatever_a_job_writes_with(db: testkit::Database) {
        let mut writer = Writer::new(db, daily("job")).await;
        let (context, run) = writer.enter().await;
        let own = answers(&context, &writer.world.db).await;
        assert!(own.len() == 6 && own.iter().all(Result::is_ok), "{own:?}");
        writer.world.execute("UPDATE job_run SET status = 'ABANDONED' WHERE job_name = 'job'", []).await;
        let lost = answers(&context, &writer.world.db).await;
        assert!(lost.len() == 6 && lost.iter().all(|answer| matches!(answer, Err(FenceError::Lost))), "{lost:?}");
        writer.go.add_permits(1);
        assert_eq!(run.await.unwrap().status, RunStatus::Abandoned);
    }

    async fn the_fences_statements_find_one_row_each_for_the_run_of_record(db: testkit::Database) {
        use scheduler::fence::{POSTGRES_STILL_RUNNING, SQLITE_STILL_RUNNING};
        use shedlock::fence::{POSTGRES_CHECK, SQLITE_CHECK};
        let mut writer = Writer::new(db, daily("job")).await;
        let (context, run) = writer.enter().await;
        let fence = context.fence();
        let (name, owner) = fence.lock().unwrap();
        assert_eq!((fence.run_id(), name), (context.run_id(), "job"));
        let mut tx = writer.world.db.begin().await.unwrap();
        let (still_running, check) = match writer.world.is_sqlite() {
            true => (SQLITE_STILL_RUNNING, SQLITE_CHECK),
            false => (POSTGRES_STILL_RUNNING, POSTGRES_CHECK),
        };
        let running: Vec<i32> = tx.scalars(still_running, vec![fence.run_id().into()]).await.unwrap();
        let names: Vec<String> = tx.scalars(check, vec![name.into(), owner.into()]).await.unwrap();
        assert_eq!((running, names), (vec![1], vec!["job".to_owned()]));
        tx.rollback().await;
        writer.go.add_permits(1);
        assert_eq!(run.await.unwrap().status, RunStatus::Succeeded);
    }

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
        assert_eq!(writer.world.owner_of("job").await.as_deref(), Some("java"));
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
        let syntax = world.db.script("SELEC").await.unwrap_err();
        assert!(matches!(JobError::from(syntax), JobError::Failed(_)));

        let conflict = if world.is_sqlite() {
            let other = world.database.connect().await;
            other.script("PRAGMA busy_timeout = 0").await.unwrap();
            let _writer = world.db.begin().await.unwrap();
            other.begin().await.unwrap_err()
        } else {
            world.db.script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").await.unwrap();
            let mut tx = world.db.begin().await.unwrap();
            tx.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", vec![]).await.unwrap();
            tx.raw_rows("SELECT n FROM t", vec![]).await.unwrap();
            world.db.script("UPDATE t SET n = 2").await.unwrap();
            tx.run("UPDATE t SET n = 3", vec![]).await.unwrap_err()
        };
        assert!(matches!(JobError::from(conflict), JobError::Conflict(_)));
    }
}

#[tokio::test]
async fn a_conflict_that_the_fence_meets_stays_one() {
    let mut writer = Writer::new(testkit::Database::postgres().await, daily("job")).await;
    let (context, run) = writer.enter().await;
    let mut tx = writer.world.db.begin_snapshot().await.unwrap();
    tx.raw_rows("SELECT id FROM job_run", vec![]).await.unwrap();
    let touch = "UPDATE job_run SET retries = retries WHERE job_name = 'job'";
    writer.world.execute(touch, []).await;
    let error = context.fence().check(&mut tx).await.unwrap_err();
    tx.rollback().await;
    assert!(error.is_conflict(), "{error:?}");
    assert!(matches!(JobError::from(error), JobError::Conflict(_)));
    writer.go.add_permits(1);
    assert_eq!(run.await.unwrap().status, RunStatus::Succeeded);
}
