//! One run per slot.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::{ManualClock, Signals};
use scheduler::{Cause, Job, JobError, Passed, RunStatus, SystemClock, Trigger};

use crate::support::*;

testkit::on_each_database! {
    async fn two_nodes_run_a_slot_once(db: testkit::Database) {
        let world = World::new(db).await;
        let nodes = [world.node("a", [quick(daily("job"))]).await, world.node("b", [quick(daily("job"))]).await];
        let mut signals = [Signals::of(&nodes[0]), Signals::of(&nodes[1])];
        for node in &nodes {
            node.start().await.unwrap();
        }
        for day in 0..3 {
            world.clock.set(four() + TimeDelta::days(day));
            // Each node either runs the slot or finds it run.
            for signals in &mut signals {
                let (clock, slot) = (world.clock.clone(), four() + TimeDelta::days(day));
                loop {
                    let settled = signals.next("the slot's end", |event| match event {
                        scheduler::Event::Finished(run) => Some(run.scheduled_at == slot),
                        scheduler::Event::Passed { because, .. } => { assert_eq!(because, Passed::AlreadyRan); Some(true) }
                        scheduler::Event::Delayed { .. } => Some(false),
                        _ => None,
                    }).await;
                    if settled { break; }
                    clock.advance(TimeDelta::seconds(1));
                }
            }
        }
        let slots: Vec<_> = world.runs("job").await.into_iter().map(|(slot, _, attempt, _)| (slot, attempt)).collect();
        assert_eq!(slots, [0, 1, 2].map(|day| (four() + TimeDelta::days(day), 1)));
    }

    async fn a_node_whose_clock_is_late_does_not_run_the_slot_again(db: testkit::Database) {
        let world = World::new(db).await;
        let late = ManualClock::at(at(TEN_TO_FOUR));
        let (a, b) = (world.node("a", [quick(daily("job"))]).await, world.node_at("b", late.clone(), [quick(daily("job"))]).await);
        let (mut on_a, mut on_b) = (Signals::of(&a), Signals::of(&b));
        a.start().await.unwrap();
        b.start().await.unwrap();

        world.clock.set(four());
        assert!(succeeded(&on_a.finished("job").await));
        late.set(four());
        assert_eq!(passed(&mut on_b, &late).await, (four(), Passed::AlreadyRan));
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn a_lock_held_by_our_own_manual_run_only_delays_the_slot(db: testkit::Database) {
        let world = World::new(db).await;
        let gate = Gate::new();
        let node = world.node("a", [gate.job(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let by_hand = tokio::spawn({ let node = node.clone(); async move { node.run_now("job").await } });
        gate.entered().await;

        world.clock.set(four());
        delayed(&mut signals).await;
        gate.open();
        assert_eq!(by_hand.await.unwrap().unwrap().cause, Cause::Manual);
        gate.entered().await;
        gate.open();
        signals.finished("job").await;
        let run = signals.finished("job").await;
        assert_eq!((run.cause, run.scheduled_at), (Cause::Schedule, four()));
    }

    async fn the_minimum_hold_of_a_manual_run_delays_the_slot_and_does_not_swallow_it(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job").at_least(Duration::from_secs(3600)))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        node.run_now("job").await.unwrap();
        world.clock.set(four());
        delayed(&mut signals).await;
        world.lapse("job").await;
        world.clock.advance(TimeDelta::seconds(1));
        let run = signals.finished("job").await;
        assert_eq!((run.cause, run.scheduled_at), (Cause::Schedule, four()));
    }

    async fn a_slot_that_still_waits_gives_way_to_a_newer_one(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.lock_row("job", "java", at("2026-01-01T00:00:00Z"), far()).await;
        world.clock.set(four());
        assert_eq!(delayed(&mut signals).await, "java");
        world.lapse("job").await;
        world.clock.set(four() + TimeDelta::days(1));
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::Superseded));
        let run = signals.finished("job").await;
        assert_eq!(run.scheduled_at, four() + TimeDelta::days(1));
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn three_nodes_on_the_computers_clock_share_the_slots_and_never_overlap(db: testkit::Database) {
        let world = World::new(db).await;
        let inside = Arc::new(AtomicU32::new(0));
        let job = || {
            let inside = inside.clone();
            Job::builder("job", Trigger::cron("* * * * * *", chrono_tz::Tz::UTC).unwrap()).run(move |_| {
                let inside = inside.clone();
                async move {
                    let alone = inside.fetch_add(1, Ordering::SeqCst) == 0;
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    if alone { Ok(1) } else { Err(JobError::failed("overlap")) }
                }
            })
        };
        let mut running = Vec::new();
        let (finished, mut done) = tokio::sync::mpsc::unbounded_channel();
        for name in ["a", "b", "c"] {
            let node = world.node_on(name, Arc::new(SystemClock), [job()]).await;
            let mut signals = Signals::of(&node);
            let finished = finished.clone();
            tokio::spawn(async move { while finished.send(signals.finished("job").await).is_ok() {} });
            running.push(node.start().await.unwrap());
        }
        for _ in 0..4 {
            assert_eq!(done.recv().await.unwrap().status, RunStatus::Succeeded);
        }
        drop(done);
        for node in running {
            node.stop(Duration::from_secs(5)).await;
        }
        let slots: Vec<_> = world.runs("job").await.into_iter().map(|run| run.0).collect();
        let distinct: HashSet<_> = slots.iter().collect();
        assert_eq!(distinct.len(), slots.len());
    }
}
