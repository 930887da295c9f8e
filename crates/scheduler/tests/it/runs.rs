//! What happens inside a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Cause, Event, Job, JobError, Passed, Record, Retry, RunStatus, Scope, Trigger};

use crate::support::*;

fn conflicting(times: u32, retry: Retry) -> Job {
    let calls = Arc::new(AtomicU32::new(0));
    daily("job").retry(retry).run(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            if call < times {
                Err(JobError::conflict("version 3 was expected, found 4"))
            } else {
                Ok(7)
            }
        }
    })
}

fn ticking(name: &str) -> scheduler::JobBuilder {
    Job::builder(name, Trigger::fixed_rate(Duration::from_secs(3)).unwrap())
        .record(Record::FailuresAndManual)
}

testkit::on_each_database! {
    async fn a_conflict_is_retried_after_the_backoff_and_counted(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [conflicting(1, Retry::fixed(3, Duration::from_secs(5)))]).await;
        let mut signals = Signals::of(&node);
        let run = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        let at = signals.next("a retry", |event| match event { Event::Retrying { at, .. } => Some(at), _ => None }).await;
        assert_eq!(at, crate::support::at(TEN_TO_FOUR) + TimeDelta::seconds(5));
        world.clock.set(at);
        let run = run.await.unwrap().unwrap();
        assert!(succeeded(&run));
        assert_eq!((run.retries, run.error), (1, None));
    }

    async fn a_conflict_that_stays_ends_the_run_as_what_it_is(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [conflicting(9, Retry::fixed(3, Duration::ZERO))]).await;
        let run = node.run_now("job").await.unwrap();
        assert_eq!((run.status, run.retries), (RunStatus::Failed, 2));
        let error = run.error.unwrap();
        assert!(error.contains("3 attempts") && error.contains("version 3 was expected"), "{error}");
    }

    async fn another_error_is_not_retried_and_leaves_its_whole_chain(db: testkit::Database) {
        #[derive(Debug, thiserror::Error)]
        #[error("storage refused")]
        struct Outer(#[source] std::io::Error);
        let world = World::new(db).await;
        let job = daily("job").run(|_| async { Err::<u64, _>(JobError::failed(Outer(std::io::Error::other("disk full")))) });
        let node = world.node("a", [job]).await;
        let run = node.run_now("job").await.unwrap();
        assert_eq!((run.status, run.retries, run.error.as_deref()), (RunStatus::Failed, 0, Some("storage refused: disk full")));
        assert_eq!(node.history("job", 10, None).await.unwrap(), [run]);
    }

    async fn a_panic_fails_its_run_and_not_the_scheduler(db: testkit::Database) {
        let world = World::new(db).await;
        let job = daily("job").run(|_| async { panic!("index out of bounds") });
        let node = world.node("a", [job, quick(daily("other"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        for day in 0..2 {
            world.clock.set(four() + TimeDelta::days(day));
            let run = signals.finished("job").await;
            assert_eq!((run.status, run.error.as_deref()), (RunStatus::Failed, Some("the job panicked: index out of bounds")));
        }
        assert_eq!(world.owner_of("job").await, None);
    }

    async fn a_stop_asks_the_run_to_end_keeps_its_lock_until_then_and_gives_it_back_at_once(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        let running = node.start().await.unwrap();
        world.clock.set(four());
        gate.entered().await;
        assert!(world.owner_of("job").await.is_some());
        running.stop(Duration::from_secs(20)).await;
        let run = signals.finished("job").await;
        assert_eq!((run.status, run.error.as_deref()), (RunStatus::Failed, Some("the run was cancelled before it was done")));
        assert_eq!(world.owner_of("job").await, None);
        assert!(matches!(node.run_now("job").await, Err(scheduler::RunNowError::Stopping)));
    }

    async fn a_run_that_ignores_the_stop_is_cut_off_at_the_deadline_and_recorded(db: testkit::Database) {
        let world = World::new(db).await;
        let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
        let job = daily("job").run(move |_| { let entered = entered.clone(); async move { entered.send(()).unwrap(); std::future::pending().await } });
        let node = world.node("a", [job]).await;
        let running = node.start().await.unwrap();
        world.clock.set(four());
        inside.recv().await.unwrap();
        running.stop(Duration::ZERO).await;
        assert_eq!(world.runs("job").await[0].3, "FAILED");
        assert_eq!(world.owner_of("job").await, None);
    }

    async fn a_job_that_ticks_often_leaves_rows_of_failed_and_manual_runs_only(db: testkit::Database) {
        let world = World::new(db).await;
        let fails = Arc::new(AtomicU32::new(0));
        let job = ticking("relay").run({ let fails = fails.clone(); move |_| {
            let fail = fails.swap(0, Ordering::SeqCst) > 0;
            async move { if fail { Err(JobError::failed("broken")) } else { Ok(7) } }
        }});
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.advance(TimeDelta::seconds(3));
        assert!(succeeded(&signals.finished("relay").await));
        fails.store(1, Ordering::SeqCst);
        world.clock.advance(TimeDelta::seconds(3));
        assert_eq!(signals.finished("relay").await.status, RunStatus::Failed);
        node.run_now("relay").await.unwrap();
        let rows: Vec<_> = world.runs("relay").await.into_iter().map(|run| (run.1, run.3)).collect();
        assert_eq!(rows, [("SCHEDULE".into(), "FAILED".into()), ("MANUAL".into(), "SUCCEEDED".into())]);
    }

    async fn a_node_scoped_job_runs_on_every_node_and_both_may_fail_in_one_slot(db: testkit::Database) {
        let world = World::new(db).await;
        let heartbeat = || ticking("heartbeat").scope(Scope::Node).run(|_| async { Err::<u64, _>(JobError::failed("nobody there")) });
        for name in ["a", "b"] {
            let node = world.node(name, [heartbeat()]).await;
            let mut signals = Signals::of(&node);
            node.start().await.unwrap();
            world.clock.advance(TimeDelta::seconds(3));
            signals.finished("heartbeat").await;
        }
        // Both ran in the last slot, in whichever order.
        let rows = world.query("SELECT DISTINCT node FROM job_run WHERE job_name = 'heartbeat'").await;
        assert_eq!(rows.len(), 2);
        assert!(world.query("SELECT name FROM shedlock WHERE name = 'heartbeat'").await.is_empty());
    }

    async fn a_node_scoped_job_goes_on_as_it_was_while_the_database_does_not_answer(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(ticking("heartbeat").scope(Scope::Node)), quick(ticking("still").scope(Scope::Node))]).await;
        node.pause("still").await.unwrap();
        let (mut heartbeats, mut pauses) = (Signals::of(&node), Signals::of(&node));
        node.start().await.unwrap();
        world.clock.advance(TimeDelta::seconds(3));
        heartbeats.finished("heartbeat").await;
        assert_eq!(passed(&mut pauses, &world.clock).await.1, Passed::Paused);
        world.execute("ALTER TABLE job RENAME TO job_that_was", []).await;
        for _ in 0..2 {
            let (mut heartbeats, mut pauses) = (Signals::of(&node), Signals::of(&node));
            world.clock.advance(TimeDelta::seconds(3));
            assert!(succeeded(&heartbeats.finished("heartbeat").await));
            assert_eq!(passed(&mut pauses, &world.clock).await.1, Passed::Paused);
        }
        world.execute("ALTER TABLE job_that_was RENAME TO job", []).await;
        node.resume("still").await.unwrap();
        let mut heartbeats = Signals::of(&node);
        world.clock.advance(TimeDelta::seconds(3));
        heartbeats.finished("still").await;
    }

    async fn a_fixed_rate_neither_overlaps_itself_nor_storms_after_a_stall(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(ticking("tick").scope(Scope::Node))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.advance(TimeDelta::seconds(3));
        gate.entered().await;
        world.clock.advance(TimeDelta::seconds(3000));
        assert_eq!(gate.times_entered_since(), 0);
        gate.open();
        signals.finished("tick").await;
        gate.entered().await;
        gate.open();
        assert_eq!(signals.finished("tick").await.scheduled_at, at(TEN_TO_FOUR) + TimeDelta::seconds(3003));
        // Only the next slot brings the next run.
        world.clock.advance(TimeDelta::seconds(3));
        gate.entered().await;
        gate.open();
        assert_eq!(signals.finished("tick").await.scheduled_at, at(TEN_TO_FOUR) + TimeDelta::seconds(3006));
    }

    async fn a_fixed_delay_counts_from_the_end_of_the_run_and_many_wakes_make_one(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let job = Job::builder("relay", Trigger::fixed_delay(Duration::from_secs(1)).unwrap()).record(Record::FailuresAndManual);
        let node = world.node("a", [gate.job(job)]).await;
        let mut signals = Signals::of(&node);
        let running = node.start().await.unwrap();
        gate.entered().await;
        world.clock.advance(TimeDelta::seconds(30));
        for _ in 0..5 { running.wake("relay"); }
        gate.open();
        signals.finished("relay").await;
        // Woken: at once, without the delay.
        gate.entered().await;
        world.clock.advance(TimeDelta::seconds(10));
        gate.open();
        let ended = signals.finished("relay").await.finished_at.unwrap();
        world.clock.advance(TimeDelta::seconds(1));
        gate.entered().await;
        gate.open();
        let run = signals.finished("relay").await;
        assert_eq!(run.scheduled_at, ended + TimeDelta::seconds(1));
        assert_eq!(run.cause, Cause::Schedule);
    }
}
