//! Jobs that make up for every slot they missed, up to a number.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use scheduler::testkit::Signals;
use scheduler::{Cause, Event, Job, JobError, Misfire, Passed, Trigger};

use crate::support::*;

fn hourly(most: u32) -> scheduler::JobBuilder {
    let trigger = Trigger::cron("0 0 * * * *", chrono_tz::UTC).unwrap();
    Job::builder("job", trigger).misfire(Misfire::RunAll { most })
}

/// The slot at this hour of the first day, by UTC. The first start is at ten to seven in the evening.
fn hour(hour: i64) -> DateTime<Utc> {
    four() + TimeDelta::hours(hour - 19)
}

/// Starts a node, and stops it again, so that the job is known.
async fn known(world: &World) {
    let node = world.node("first", [quick(hourly(9))]).await;
    let running = node.start().await.unwrap();
    running.stop(Duration::ZERO).await;
}

async fn slots(world: &World) -> Vec<(DateTime<Utc>, String)> {
    let runs = world.runs("job").await.into_iter();
    runs.map(|run| (run.0, run.1)).collect()
}

fn caught_up(hours: &[i64]) -> Vec<(DateTime<Utc>, String)> {
    let slots = hours.iter().map(|n| (hour(*n), "CATCH_UP".to_owned()));
    slots.collect()
}

/// Starts a node and waits until it has made up for all it means to.
async fn make_up(world: &World, name: &str, job: Job) {
    let node = world.node(name, [job]).await;
    let mut signals = Signals::of(&node);
    let running = node.start().await.unwrap();
    misfires_checked(&mut signals).await;
    world.clock.advance(TimeDelta::seconds(15));
    misfires_checked(&mut signals).await;
    running.stop(Duration::from_secs(20)).await;
}

testkit::on_each_database! {
    async fn after_downtime_the_newest_slots_run_oldest_first_each_as_a_run_of_its_own(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        world.clock.set(hour(23) + TimeDelta::minutes(30));
        for name in ["a", "b"] {
            make_up(&world, name, quick(hourly(3))).await;
        }
        assert_eq!(slots(&world).await, caught_up(&[21, 22, 23]));
        assert!(world.runs("job").await.iter().all(|run| (run.2, run.3.as_str()) == (1, "SUCCEEDED")));
    }

    async fn what_lies_before_the_first_start_is_not_made_up_for_however_many_may_be(db: testkit::Database) {
        let world = World::new(db).await;
        make_up(&world, "a", quick(hourly(1000))).await;
        assert_eq!(slots(&world).await, []);
        world.clock.set(hour(20) + TimeDelta::minutes(30));
        make_up(&world, "b", quick(hourly(1000))).await;
        assert_eq!(slots(&world).await, caught_up(&[19, 20]));
    }

    async fn slots_that_have_a_run_are_left_out_and_the_gaps_between_them_filled(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        world.run_row("job", hour(20), "SUCCEEDED", Some(hour(20))).await;
        world.clock.set(hour(22) + TimeDelta::minutes(30));
        make_up(&world, "a", quick(hourly(9))).await;
        assert_eq!(slots(&world).await[1..], caught_up(&[19, 21, 22]));
    }

    async fn what_another_schedule_ran_meanwhile_bounds_what_is_owed(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        let between = hour(20) + TimeDelta::minutes(15);
        world.run_row("job", between, "SUCCEEDED", Some(between)).await;
        world.clock.set(hour(22) + TimeDelta::minutes(30));
        make_up(&world, "a", quick(hourly(9))).await;
        assert_eq!(slots(&world).await[1..], caught_up(&[21, 22]));
    }

    async fn slots_of_a_pause_and_slots_that_a_foreign_holder_ran_are_nobodys_debt(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        let cli = world.node("cli", [quick(hourly(9))]).await;
        cli.pause("job").await.unwrap();
        world.clock.set(hour(20) + TimeDelta::minutes(30));
        make_up(&world, "a", quick(hourly(9))).await;
        cli.resume("job").await.unwrap();
        world.clock.set(hour(23) + TimeDelta::minutes(30));
        world.lock_row("job", "java", hour(21), at("2000-01-01T00:00:00Z")).await;
        make_up(&world, "b", quick(hourly(9))).await;
        assert_eq!(slots(&world).await, caught_up(&[22, 23]));
    }

    async fn two_nodes_that_come_back_together_make_up_for_each_slot_once(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        world.clock.set(hour(23) + TimeDelta::minutes(30));
        let nodes = [world.node("a", [quick(hourly(9))]).await, world.node("b", [quick(hourly(9))]).await];
        let mut signals = nodes.each_ref().map(Signals::of);
        for node in &nodes { node.start().await.unwrap(); }
        // Each may find the lock in its way, and tries again. Two rounds more show that nothing runs twice.
        let mut rounds_more = 2;
        for _ in 0..60 {
            for signals in &mut signals { misfires_checked(signals).await; }
            world.clock.advance(TimeDelta::seconds(15));
            if slots(&world).await.len() >= 5 {
                rounds_more -= 1;
            }
            if rounds_more == 0 {
                break;
            }
        }
        let mut ran = slots(&world).await;
        ran.sort();
        assert_eq!(ran, caught_up(&[19, 20, 21, 22, 23]));
    }

    async fn a_slot_that_gave_way_to_a_newer_one_is_made_up_for(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(hourly(9))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.lock_row("job", "java", at("2026-01-01T00:00:00Z"), far()).await;
        world.clock.set(hour(19));
        assert_eq!(delayed(&mut signals).await, "java");
        world.clock.set(hour(20));
        assert_eq!(passed(&mut signals, &world.clock).await, (hour(19), Passed::Superseded));
        world.lapse("job").await;
        world.clock.advance(TimeDelta::seconds(1));
        let mut runs = Vec::new();
        while runs.len() < 2 {
            let run = signals.next("a run", |event| match event {
                Event::Finished(run) => Some(Some(run)),
                Event::MisfiresChecked { .. } | Event::Delayed { .. } => Some(None),
                _ => None,
            }).await;
            match run {
                Some(run) => runs.push((run.scheduled_at, run.cause)),
                None => world.clock.advance(TimeDelta::seconds(15)),
            }
        }
        runs.sort_by_key(|run| run.0);
        assert_eq!(runs, [(hour(19), Cause::CatchUp), (hour(20), Cause::Schedule)]);
    }

    async fn each_missed_slot_that_fails_gets_its_own_three_attempts(db: testkit::Database) {
        let world = World::new(db).await;
        known(&world).await;
        world.clock.set(hour(20) + TimeDelta::minutes(10));
        let job = hourly(9).run(|_| async { Err::<u64, _>(JobError::failed("no")) });
        let node = world.node("a", [job]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        for _ in 0..5 {
            misfires_checked(&mut signals).await;
            world.clock.advance(TimeDelta::minutes(5));
        }
        let runs: Vec<_> = world.runs("job").await.into_iter().map(|run| (run.0, run.2)).collect();
        assert_eq!(runs, [(hour(19), 1), (hour(20), 1), (hour(19), 2), (hour(20), 2), (hour(19), 3), (hour(20), 3)]);
    }
}
