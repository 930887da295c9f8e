//! One run per slot.

use chrono::TimeDelta;
use scheduler::testkit::{ManualClock, Signals};
use scheduler::{Cause, Passed};

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
        let node = world.node("a", [quick(daily("job").at_least(std::time::Duration::from_secs(3600)))]).await;
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
}
