//! What comes between the checks, the lock and the row of a slot that is being claimed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ground::{Database, Statements};
use scheduler::Passed;
use scheduler::testkit::Signals;
use shedlock::{
    LockConfiguration, LockError, LockGuard, LockInfo, LockProvider, SchemaError, ShutDown,
};

use crate::support::*;

/// Executes a statement right before or right after the lock is taken, the first time.
#[derive(Debug)]
struct Meddler {
    inner: Arc<dyn LockProvider>,
    db: Database,
    before: tokio::sync::Mutex<Option<String>>,
    after: tokio::sync::Mutex<Option<String>>,
    /// The next attempt at the lock does.
    panics: Arc<AtomicBool>,
}

impl Meddler {
    async fn meddle(&self, with: &tokio::sync::Mutex<Option<String>>) {
        if let Some(statement) = with.lock().await.take() {
            self.db.script(&statement).await.unwrap();
        }
    }
}

#[async_trait]
impl LockProvider for Meddler {
    async fn try_lock(&self, c: &LockConfiguration) -> Result<Option<LockGuard>, LockError> {
        self.meddle(&self.before).await;
        assert!(!self.panics.swap(false, Ordering::SeqCst), "as asked");
        let guard = self.inner.try_lock(c).await;
        self.meddle(&self.after).await;
        guard
    }

    async fn try_lock_over(
        &self,
        c: &LockConfiguration,
        owner: &str,
    ) -> Result<Option<LockGuard>, LockError> {
        self.inner.try_lock_over(c, owner).await
    }

    async fn locks(&self) -> Result<Vec<LockInfo>, LockError> {
        self.inner.locks().await
    }

    async fn lock_info(&self, name: &str) -> Result<Option<LockInfo>, LockError> {
        self.inner.lock_info(name).await
    }

    async fn force_release(&self, held: &LockInfo) -> Result<bool, LockError> {
        self.inner.force_release(held).await
    }

    async fn shut_down(&self, grace: Duration) -> ShutDown {
        self.inner.shut_down(grace).await
    }

    async fn check_schema(&self) -> Result<(), SchemaError> {
        self.inner.check_schema().await
    }
}

/// A node whose job is meddled with, at its slot.
async fn meddled(world: &World, before: Option<String>, after: Option<String>) -> Signals {
    let db = world.database.connect().await;
    let wrap = |inner| -> Arc<dyn LockProvider> {
        Arc::new(Meddler {
            inner,
            db,
            before: before.into(),
            after: after.into(),
            panics: Arc::default(),
        })
    };
    let node = world
        .node_with_locks(
            "a",
            wrap,
            [quick(daily("job").at_least(Duration::from_secs(36_000)))],
        )
        .await;
    let signals = Signals::of(&node);
    node.start().await.unwrap();
    world.clock.set(four());
    signals
}

testkit::on_each_database! {
    async fn a_lock_provider_that_panics_costs_a_slot_and_not_the_job(db: testkit::Database) {
        let world = World::new(db).await;
        let db = world.database.connect().await;
        let panics = Arc::new(AtomicBool::new(true));
        let wrap = |inner| -> Arc<dyn LockProvider> {
            let (before, after) = (None.into(), None.into());
            Arc::new(Meddler { inner, db, before, after, panics: panics.clone() })
        };
        let node = world.node_with_locks("a", wrap, [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(four());
        let panicked = async || !panics.load(Ordering::SeqCst);
        testkit::wait::until("the lock provider panicked", Duration::from_secs(20), panicked).await;
        world.clock.advance(TimeDelta::days(1));
        let run = signals.finished("job").await;
        assert_eq!(run.scheduled_at, four() + TimeDelta::days(1));
    }

    async fn a_slot_that_another_node_ran_between_look_and_lock_is_not_run_again(db: testkit::Database) {
        let world = World::new(db).await;
        let row = world.run_statement("job", four(), "SUCCEEDED", Some(four()));
        let mut signals = meddled(&world, Some(row), None).await;
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::AlreadyRan));
        assert_eq!(world.runs("job").await.len(), 1);
        assert_eq!(world.owner_of("job").await, None, "nobody waits for a lock under which nothing ran");
    }

    async fn a_pause_between_look_and_lock_keeps_the_slot_from_running(db: testkit::Database) {
        let world = World::new(db).await;
        let mut signals = meddled(&world, Some("UPDATE job SET paused = TRUE".to_owned()), None).await;
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::Paused));
        assert_eq!(world.runs("job").await, []);
        assert_eq!(world.owner_of("job").await, None);
    }

    async fn a_lock_that_was_lost_before_the_run_was_written_runs_nothing(db: testkit::Database) {
        let world = World::new(db).await;
        let stolen = world.lock_statement("job", "java", four(), far());
        let mut signals = meddled(&world, None, Some(stolen)).await;
        assert_eq!(delayed(&mut signals).await, "", "the lock slipped away");
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::RanElsewhere));
        assert_eq!(world.runs("job").await, []);
        assert_eq!(world.owner_of("job").await.as_deref(), Some("java"));
    }

    async fn a_changed_schedule_does_not_look_back_to_before_what_the_old_one_ran(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(daily("job").misfire(scheduler::Misfire::RunOnce));
        world.node("a", [job()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        // The old schedule ran at a quarter past four; the new one's newest slot is four.
        world.clock.set(four() + TimeDelta::hours(1));
        world.run_row("job", four() + TimeDelta::minutes(15), "SUCCEEDED", Some(four() + TimeDelta::minutes(16))).await;
        let node = world.node("b", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await.len(), 1);
    }
}
