//! Runs that use up their time.

use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Event, JobError, Retry, Run, RunStatus, Scheduler};

use crate::support::*;

const TIMEOUT: Duration = Duration::from_secs(30);

async fn timed_out(signals: &mut Signals) {
    signals
        .next("the end of a run's time", |event| {
            matches!(event, Event::TimedOut { .. }).then_some(())
        })
        .await;
}

fn by_hand(node: &Scheduler) -> tokio::task::JoinHandle<Run> {
    let node = node.clone();
    tokio::spawn(async move { node.run_now("job").await.unwrap() })
}

fn says_so(run: &Run) -> bool {
    let error = run.error.as_deref().unwrap_or_default();
    run.status == RunStatus::Failed && error.contains("did not end within its timeout of 30s")
}

testkit::on_each_database! {
    async fn a_run_that_heeds_its_cancellation_has_failed_when_its_time_is_over(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job").timeout(TIMEOUT))]).await;
        let run = by_hand(&node);
        gate.entered().await;
        world.clock.advance(TimeDelta::seconds(30));
        let run = run.await.unwrap();
        assert!(says_so(&run), "{run:?}");
        assert_eq!(node.history("job", 9, None).await.unwrap(), [run]);
        assert_eq!(world.owner_of("job").await, None);
    }

    async fn a_run_that_ignores_its_cancellation_is_dropped_and_keeps_its_lock_until_then(db: testkit::Database) {
        let world = World::new(db).await;
        let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
        let job = daily("job").timeout(TIMEOUT).run(move |context| {
            let entered = entered.clone();
            async move { entered.send(context).unwrap(); std::future::pending::<Result<u64, JobError>>().await }
        });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        let run = by_hand(&node);
        let context = inside.recv().await.unwrap();
        world.clock.advance(TimeDelta::seconds(30));
        timed_out(&mut signals).await;
        context.cancellation().cancelled().await;
        assert!(world.owner_of("job").await.is_some(), "it has not ended");
        let run = run.await.unwrap();
        assert!(says_so(&run), "{run:?}");
        assert_eq!(world.owner_of("job").await, None);
    }

    async fn the_time_of_a_run_goes_on_while_a_conflict_waits_to_be_retried(db: testkit::Database) {
        let world = World::new(db).await;
        let job = daily("job")
            .timeout(TIMEOUT)
            .retry(Retry::fixed(9, Duration::from_secs(3600)))
            .run(|_| async { Err::<u64, _>(JobError::conflict("version 3")) });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        let run = by_hand(&node);
        signals.next("a retry", |event| matches!(event, Event::Retrying { .. }).then_some(())).await;
        world.clock.advance(TimeDelta::seconds(30));
        let run = run.await.unwrap();
        assert!(says_so(&run) && run.error.as_deref().unwrap().ends_with("(after conflicts: version 3)"), "{run:?}");
        assert_eq!(run.retries, 1);
    }

    async fn a_run_that_ends_in_time_is_not_touched(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job").timeout(TIMEOUT))]).await;
        let run = by_hand(&node);
        gate.entered().await;
        world.clock.advance(TimeDelta::seconds(29));
        gate.open();
        assert!(succeeded(&run.await.unwrap()));
    }
}
