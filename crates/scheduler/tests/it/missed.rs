//! Slots that nobody ran in time, and runs whose node died.

use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Cause, Event, JobError, Misfire, RunStatus};

use crate::support::*;

fn run_once() -> scheduler::Job {
    quick(daily("job").misfire(Misfire::RunOnce))
}

testkit::on_each_database! {
    async fn the_very_first_start_catches_up_on_nothing(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [run_once()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::seconds(15));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await, []);
    }

    async fn of_the_slots_missed_while_all_nodes_were_down_the_newest_runs_once(db: testkit::Database) {
        let world = World::new(db).await;
        world.node("a", [run_once()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        world.clock.set(four() + TimeDelta::days(3) + TimeDelta::hours(1));
        for name in ["b", "c"] {
            let node = world.node(name, [run_once()]).await;
            let mut signals = Signals::of(&node);
            node.start().await.unwrap();
            misfires_checked(&mut signals).await;
            world.clock.advance(TimeDelta::seconds(15));
            misfires_checked(&mut signals).await;
        }
        let newest = four() + TimeDelta::days(3);
        assert_eq!(world.runs("job").await, [(newest, "CATCH_UP".into(), 1, "SUCCEEDED".into())]);
    }

    async fn a_slot_slept_through_runs_once_when_the_process_wakes(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [run_once()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.set(four() + TimeDelta::hours(5));
        let run = signals.finished("job").await;
        assert_eq!((run.cause, run.scheduled_at), (Cause::CatchUp, four()));
    }

    async fn a_missed_slot_of_a_skipping_job_is_skipped(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(daily("job").misfire(Misfire::Skip));
        let node = world.node("a", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(four() + TimeDelta::hours(5));
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), scheduler::Passed::TooLate));
        world.clock.set(four() + TimeDelta::days(1));
        assert_eq!(signals.finished("job").await.scheduled_at, four() + TimeDelta::days(1));
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn a_failed_slot_gets_three_attempts_five_minutes_apart(db: testkit::Database) {
        let world = World::new(db).await;
        let job = daily("job").misfire(Misfire::RunOnce).run(|_| async { Err::<u64, _>(JobError::failed("no")) });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.set(four());
        assert_eq!(signals.finished("job").await.attempt, 1);
        misfires_checked(&mut signals).await;

        world.clock.set(four() + TimeDelta::seconds(299));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await.len(), 1);
        world.clock.advance(TimeDelta::seconds(15));
        assert_eq!(signals.finished("job").await.attempt, 2);
        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::minutes(5));
        assert_eq!(signals.finished("job").await.attempt, 3);
        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::minutes(50));
        misfires_checked(&mut signals).await;
        let runs: Vec<_> = world.runs("job").await.into_iter().map(|run| (run.0, run.1, run.2)).collect();
        assert_eq!(runs, [(four(), "SCHEDULE".into(), 1), (four(), "CATCH_UP".into(), 2), (four(), "CATCH_UP".into(), 3)]);
    }

    async fn catching_up_may_start_within_the_minimum_hold_of_our_own_finished_run(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(daily("job").misfire(Misfire::RunOnce).at_least(Duration::from_secs(36_000)));
        world.node("a", [job()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        world.clock.set(four() + TimeDelta::hours(1));
        world.node("cli", [job()]).await.run_now("job").await.unwrap();
        assert!(world.owner_of("job").await.is_some());
        let node = world.node("b", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        assert_eq!(signals.finished("job").await.cause, Cause::CatchUp);
    }

    async fn a_run_whose_lease_lapsed_is_marked_abandoned_and_its_slot_tried_again(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let dying = world.node("dying", [gate.job(daily("job").misfire(Misfire::RunOnce))]).await;
        dying.start().await.unwrap();
        world.clock.set(four());
        gate.entered().await;
        // The node is gone: nobody extends its lease.
        world.lapse("job").await;

        let node = world.node("b", [run_once()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let dead = signals.next("an abandoned run", |event| match event { Event::Abandoned(run) => Some(run), _ => None }).await;
        assert_eq!((dead.status, dead.node.as_str(), dead.scheduled_at), (RunStatus::Abandoned, "dying", four()));
        world.clock.advance(TimeDelta::minutes(5) + TimeDelta::seconds(15));
        let again = signals.finished("job").await;
        assert_eq!((again.cause, again.attempt, again.scheduled_at), (Cause::CatchUp, 2, four()));
    }

    async fn a_run_is_not_abandoned_because_it_is_old(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let busy = world.node("busy", [gate.job(daily("job").misfire(Misfire::RunOnce))]).await;
        let mut on_busy = Signals::of(&busy);
        busy.start().await.unwrap();
        world.clock.set(four());
        gate.entered().await;

        world.clock.advance(TimeDelta::hours(20));
        let node = world.node("b", [run_once()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        node.list().await.unwrap();
        gate.open();
        assert!(succeeded(&on_busy.finished("job").await));
    }

    async fn a_run_written_by_a_script_is_judged_by_the_lock_of_its_job(db: testkit::Database) {
        let world = World::new(db).await;
        world.run_row("job", four(), "RUNNING", None).await;
        world.lock_row("job", "java", four(), far()).await;
        let node = world.node("a", [run_once()]).await;
        assert_eq!(node.list().await.unwrap()[0].last_run.as_ref().unwrap().status, RunStatus::Running);
        world.lapse("job").await;
        assert_eq!(node.list().await.unwrap()[0].last_run.as_ref().unwrap().status, RunStatus::Abandoned);
    }

    async fn a_job_known_from_older_runs_catches_up_though_registered_after_the_slot(db: testkit::Database) {
        let world = World::new(db).await;
        world.run_row("job", four() - TimeDelta::days(3), "SUCCEEDED", Some(four() - TimeDelta::days(3))).await;
        let node = world.node("a", [run_once()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        assert_eq!(signals.finished("job").await.scheduled_at, four() - TimeDelta::days(1));
    }
}
