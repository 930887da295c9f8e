//! A wall clock that is set back: nothing stands still for it, and no slot runs twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use scheduler::testkit::{ManualClock, Signals};
use scheduler::{
    Cause, Event, Job, JobBuilder, JobError, Misfire, Passed, Record, Retry, Run, RunNowError,
    Scope, Trigger,
};

use crate::support::*;

/// What was seen: a small correction, a wrong minute, a wrong zone.
fn steps() -> [TimeDelta; 3] {
    [
        TimeDelta::seconds(5),
        TimeDelta::minutes(10),
        TimeDelta::hours(9),
    ]
}

fn every(seconds: u64) -> JobBuilder {
    let delay = Trigger::fixed_delay(Duration::from_secs(seconds)).unwrap();
    Job::builder("job", delay)
}

fn rate(seconds: u64) -> JobBuilder {
    let rate = Trigger::fixed_rate(Duration::from_secs(seconds)).unwrap();
    Job::builder("job", rate)
}

fn hourly() -> JobBuilder {
    let hourly = Trigger::cron("@hourly", chrono_tz::UTC).unwrap();
    Job::builder("job", hourly)
}

/// Sets the clock back, and waits until the node has noticed.
async fn set_back(clock: &ManualClock, signals: &mut Signals, by: TimeDelta) {
    clock.advance(-by);
    let noticed = signals
        .next("the clock set back", |event| match event {
            Event::ClockSetBack { by } => Some(by),
            _ => None,
        })
        .await;
    assert_eq!(noticed, by);
}

async fn next_passed(signals: &mut Signals) -> (DateTime<Utc>, Passed) {
    signals
        .next("a slot that passes", |event| match event {
            Event::Passed { slot, because, .. } => Some((slot, because)),
            _ => None,
        })
        .await
}

/// A run by hand that has the lock.
struct HeldByHand {
    gate: Gate,
    run: tokio::task::JoinHandle<Result<Run, RunNowError>>,
}

impl HeldByHand {
    async fn end(self) {
        self.gate.open();
        self.run.await.unwrap().unwrap();
    }
}

/// The daily job runs by hand on one node, and is to run by itself on another.
async fn held_by_hand(world: &World) -> (HeldByHand, Signals) {
    let gate = Gate::new();
    let by_hand = world.node("a", [gate.job(daily("job"))]).await;
    let other = world.node("b", [quick(daily("job"))]).await;
    let signals = Signals::of(&other);
    other.start().await.unwrap();
    let run = tokio::spawn(async move { by_hand.run_now("job").await });
    gate.entered().await;
    (HeldByHand { gate, run }, signals)
}

/// A job that goes on every few seconds runs on after each step.
async fn goes_on(db: testkit::Database, job: Job, seconds: i64) {
    let world = World::new(db).await;
    let node = world.node("a", [job]).await;
    let mut signals = Signals::of(&node);
    node.start().await.unwrap();
    world.clock.advance(TimeDelta::seconds(seconds));
    signals.finished("job").await;
    for by in steps() {
        set_back(&world.clock, &mut signals, by).await;
        for _ in 0..3 {
            world.clock.advance(TimeDelta::seconds(seconds));
            assert!(succeeded(&signals.finished("job").await));
        }
    }
}

testkit::on_each_database! {
    async fn a_fixed_delay_goes_on_when_the_clock_is_set_back(db: testkit::Database) {
        goes_on(db, quick(every(1)), 1).await;
    }

    async fn a_fixed_rate_goes_on_when_the_clock_is_set_back(db: testkit::Database) {
        goes_on(db, quick(rate(3)), 3).await;
    }

    async fn a_heartbeat_of_each_node_goes_on_when_the_clock_is_set_back(db: testkit::Database) {
        let job = rate(3).scope(Scope::Node).record(Record::FailuresAndManual);
        goes_on(db, quick(job), 3).await;
    }

    async fn cron_is_planned_anew_and_runs_what_has_not_run(db: testkit::Database) {
        let world = World::new(db).await;
        world.clock.set(at("2026-11-22T11:59:00Z"));
        let node = world.node("a", [quick(hourly())]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(at("2026-11-22T12:00:00Z"));
        assert_eq!(signals.finished("job").await.scheduled_at, at("2026-11-22T12:00:00Z"));
        set_back(&world.clock, &mut signals, TimeDelta::hours(2)).await;
        world.clock.set(at("2026-11-22T11:00:00Z"));
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (at("2026-11-22T11:00:00Z"), Cause::Schedule));
        world.clock.set(at("2026-11-22T12:00:00Z"));
        let again = next_passed(&mut signals).await;
        assert_eq!(again, (at("2026-11-22T12:00:00Z"), Passed::AlreadyRan));
        world.clock.set(at("2026-11-22T13:00:00Z"));
        assert_eq!(signals.finished("job").await.scheduled_at, at("2026-11-22T13:00:00Z"));
        assert_eq!(world.runs("job").await.len(), 3);
    }

    async fn a_slot_without_a_row_does_not_run_twice_either(db: testkit::Database) {
        let world = World::new(db).await;
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let job = hourly().record(Record::FailuresAndManual).run(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(7) }
        });
        world.clock.set(at("2026-11-22T11:59:58Z"));
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(at("2026-11-22T12:00:02Z"));
        signals.finished("job").await;
        set_back(&world.clock, &mut signals, TimeDelta::seconds(3)).await;
        world.clock.set(at("2026-11-22T12:00:00Z"));
        let again = next_passed(&mut signals).await;
        assert_eq!(again, (at("2026-11-22T12:00:00Z"), Passed::AlreadyRan));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        world.clock.set(at("2026-11-22T13:00:00Z"));
        signals.finished("job").await;
    }

    async fn a_slot_that_waits_for_a_lock_goes_on_waiting_for_the_lock_alone(db: testkit::Database) {
        let world = World::new(db).await;
        let (held, mut signals) = held_by_hand(&world).await;
        world.clock.set(four() + TimeDelta::seconds(6));
        delayed(&mut signals).await;
        set_back(&world.clock, &mut signals, TimeDelta::seconds(5)).await;
        held.end().await;
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(signals.finished("job").await.scheduled_at, four());
    }

    async fn a_slot_that_lies_ahead_again_runs_when_its_time_comes(db: testkit::Database) {
        let world = World::new(db).await;
        let (held, mut signals) = held_by_hand(&world).await;
        world.clock.set(four());
        delayed(&mut signals).await;
        set_back(&world.clock, &mut signals, TimeDelta::hours(9)).await;
        held.end().await;
        world.clock.set(four());
        assert_eq!(signals.finished("job").await.scheduled_at, four());
    }

    async fn a_conflict_is_retried_after_its_pause_whatever_the_clock_shows(db: testkit::Database) {
        let world = World::new(db).await;
        let job = daily("job").retry(Retry::fixed(3, Duration::from_secs(1)));
        let job = job.run(|context| async move {
            if context.retry() == 0 { Err(JobError::conflict("first")) } else { Ok(7) }
        });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(four());
        signals.next("a conflict", |event| matches!(event, Event::Retrying { .. }).then_some(())).await;
        world.clock.advance(-TimeDelta::hours(9));
        world.clock.advance(TimeDelta::seconds(1));
        assert!(succeeded(&signals.finished("job").await));
    }

    async fn scans_and_heartbeats_of_nodes_go_on_when_the_clock_is_set_back(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        signals.next("a scan", |event| matches!(event, Event::Scanned).then_some(())).await;
        world.clock.advance(-TimeDelta::hours(9));
        world.clock.advance(TimeDelta::seconds(60));
        signals.next("a scan", |event| matches!(event, Event::Scanned).then_some(())).await;
        assert_eq!(node.clock_set_by(), -TimeDelta::hours(9));
    }

    async fn a_failed_slot_is_tried_again_when_its_end_lies_far_in_the_future(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job").misfire(Misfire::RunOnce))]).await;
        world.run_row("job", four(), "FAILED", Some(four() + TimeDelta::hours(9))).await;
        world.clock.set(four() + TimeDelta::minutes(1));
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.attempt), (four(), 2));
    }
}

#[tokio::test]
async fn a_dead_run_whose_lock_lies_in_the_future_is_found_and_taken_up_on_sqlite() {
    let world = World::new(testkit::Database::sqlite()).await;
    let lease = Duration::from_millis(300);
    let job = || daily("job").misfire(Misfire::RunOnce).lease(lease);
    let node = world.node("a", [quick(job())]).await;
    let mut signals = Signals::of(&node);
    // The clock was set back by nine hours after a node had died.
    world.clock.set(four() + TimeDelta::minutes(1));
    world.run_row("job", four(), "RUNNING", None).await;
    let taken = scheduler::Clock::now(&scheduler::SystemClock) + TimeDelta::hours(9);
    let until = taken + TimeDelta::milliseconds(300);
    world.lock_row("job", "dead:1", taken, until).await;
    let update = "UPDATE job_run SET lock_owner = 'dead:1'";
    assert_eq!(world.execute(update, []).await, 1);
    node.start().await.unwrap();
    // Scans come as the test's time passes; how long the row stays as it is, is measured in real time.
    let found = async {
        loop {
            world.clock.advance(TimeDelta::seconds(10));
            let event = signals.next("a scan", |event| match event {
                Event::Abandoned(_) => Some(true),
                Event::Scanned => Some(false),
                _ => None,
            });
            if event.await {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .expect("the dead run is found");
    world.clock.advance(TimeDelta::seconds(15));
    let run = signals.finished("job").await;
    assert_eq!((run.scheduled_at, run.attempt), (four(), 2));
    assert!(succeeded(&run));
}
