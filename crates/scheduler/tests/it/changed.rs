//! A job whose schedule was changed: what its old one missed, and what only its new one has.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use scheduler::testkit::Signals;
use scheduler::{Cause, Event, Job, Misfire, Trigger};

use crate::support::*;

const FOUR: &str = "0 0 4 * * *";
const FIVE: &str = "0 0 5 * * *";
const BOTH: &str = "0 0 4,5 * * *";

fn job(expression: &str) -> Job {
    let trigger = Trigger::cron(expression, chrono_tz::Asia::Seoul).unwrap();
    quick(Job::builder("job", trigger).misfire(Misfire::RunOnce))
}

fn five() -> DateTime<Utc> {
    four() + TimeDelta::hours(1)
}

/// Runs a node with this schedule at `now`, until it has checked for missed slots twice.
async fn a_node(world: &World, name: &str, expression: &str, now: DateTime<Utc>) {
    world.clock.set(now);
    let node = world.node(name, [job(expression)]).await;
    let mut signals = Signals::of(&node);
    let running = node.start().await.unwrap();
    misfires_checked(&mut signals).await;
    world.clock.advance(TimeDelta::seconds(15));
    misfires_checked(&mut signals).await;
    running.stop(Duration::ZERO).await;
}

/// A node that was up at four by the old schedule.
async fn ran_at_four(world: &World) {
    let node = world.node("old", [job(FOUR)]).await;
    let mut signals = Signals::of(&node);
    let running = node.start().await.unwrap();
    misfires_checked(&mut signals).await;
    world.clock.set(four());
    signals.finished("job").await;
    running.stop(Duration::ZERO).await;
}

async fn slots(world: &World) -> Vec<(DateTime<Utc>, String)> {
    let runs = world.runs("job").await;
    runs.into_iter()
        .map(|(slot, cause, ..)| (slot, cause))
        .collect()
}

testkit::on_each_database! {
    async fn a_slot_that_only_the_new_schedule_had_is_not_caught_up_on(db: testkit::Database) {
        let world = World::new(db).await;
        ran_at_four(&world).await;
        a_node(&world, "new", FIVE, five() + TimeDelta::minutes(30)).await;
        a_node(&world, "again", FIVE, five() + TimeDelta::minutes(40)).await;
        assert_eq!(slots(&world).await, [(four(), "SCHEDULE".into())]);
        // From the change on, its slots are owed like any other's.
        a_node(&world, "later", FIVE, five() + TimeDelta::hours(25)).await;
        let next = (five() + TimeDelta::days(1), "CATCH_UP".to_owned());
        assert_eq!(slots(&world).await[1..], [next]);
    }

    async fn a_missed_slot_that_both_schedules_have_is_caught_up_on(db: testkit::Database) {
        let world = World::new(db).await;
        ran_at_four(&world).await;
        let tomorrow = four() + TimeDelta::days(1);
        a_node(&world, "new", BOTH, tomorrow + TimeDelta::minutes(30)).await;
        assert_eq!(slots(&world).await[1..], [(tomorrow, "CATCH_UP".to_owned())]);
    }

    async fn a_missed_slot_that_only_the_old_schedule_had_is_dropped(db: testkit::Database) {
        let world = World::new(db).await;
        ran_at_four(&world).await;
        let tomorrow = four() + TimeDelta::days(1);
        a_node(&world, "new", FIVE, tomorrow + TimeDelta::minutes(30)).await;
        assert_eq!(slots(&world).await.len(), 1);
    }

    async fn a_new_slot_that_comes_after_the_change_runs_at_its_time(db: testkit::Database) {
        let world = World::new(db).await;
        ran_at_four(&world).await;
        let node = world.node("new", [job(FIVE)]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.set(five());
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (five(), Cause::Schedule));
    }

    async fn a_changed_jitter_is_no_other_schedule(db: testkit::Database) {
        let world = World::new(db).await;
        ran_at_four(&world).await;
        let tomorrow = four() + TimeDelta::days(1);
        world.clock.set(tomorrow + TimeDelta::minutes(30));
        let trigger = Trigger::cron(FOUR, chrono_tz::Asia::Seoul).unwrap();
        let trigger = trigger.jitter(Duration::from_secs(60)).unwrap();
        let job = quick(Job::builder("job", trigger).misfire(Misfire::RunOnce));
        let node = world.node("new", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        assert_eq!(signals.finished("job").await.scheduled_at, tomorrow);
    }

    async fn a_killed_nodes_run_is_taken_up_within_a_minute_of_its_leases_end(db: testkit::Database) {
        let world = World::new(db).await;
        // As a node leaves them that was killed at its work: nobody else scans for dead runs here.
        world.run_row("job", four(), "RUNNING", None).await;
        world.lock_row("job", "killed", at("2026-01-01T00:00:00Z"), at("2099-01-01T00:00:00Z")).await;
        let node = world.node("living", [job(FOUR)]).await;
        let mut signals = Signals::of(&node);
        world.clock.set(four());
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.lapse("job").await;
        let abandoned = async {
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
        abandoned.await;
        let found = scheduler::Clock::now(&world.clock);
        assert!(found <= four() + TimeDelta::seconds(30), "{found}");
        world.clock.advance(TimeDelta::seconds(15));
        let run = signals.finished("job").await;
        assert_eq!((run.attempt, run.cause), (2, Cause::CatchUp));
    }
}
