//! Java nodes that lock in the same table.

use chrono::TimeDelta;
use scheduler::testkit::Signals;
use scheduler::{Cause, Misfire, Passed};

use crate::support::*;

testkit::on_each_database! {
    async fn a_foreign_lock_taken_at_the_slots_time_counts_as_its_run(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.lock_row("job", "java", four(), far()).await;
        world.clock.set(four());
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::RanElsewhere));
        assert_eq!(world.runs("job").await, []);
    }

    async fn a_foreign_run_counts_even_after_its_lock_was_released(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.lock_row("job", "java", four() + TimeDelta::seconds(1), at("2000-01-01T00:00:00Z")).await;
        world.clock.set(four() + TimeDelta::seconds(2));
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::RanElsewhere));
    }

    async fn a_foreign_run_still_counts_after_a_manual_run_covered_its_trace(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job").misfire(Misfire::RunOnce))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.lock_row("job", "java", four(), at("2000-01-01T00:00:00Z")).await;
        world.clock.set(four());
        assert_eq!(passed(&mut signals, &world.clock).await.1, Passed::RanElsewhere);
        node.run_now("job").await.unwrap();

        // Another node, started now, must not take the slot for missed.
        world.clock.advance(TimeDelta::minutes(2));
        let other = world.node("b", [quick(daily("job").misfire(Misfire::RunOnce))]).await;
        let mut signals = Signals::of(&other);
        other.start().await.unwrap();
        misfires_checked(&mut signals).await;
        let causes: Vec<_> = world.runs("job").await.into_iter().map(|run| run.1).collect();
        assert_eq!(causes, ["MANUAL"]);
    }

    async fn a_manual_run_remembers_the_foreign_run_it_covers(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(daily("job").misfire(Misfire::RunOnce));
        let node = world.node("a", [job()]).await;
        node.start().await.unwrap().stop(std::time::Duration::ZERO).await;
        world.lock_row("job", "java", four(), at("2000-01-01T00:00:00Z")).await;
        world.clock.set(four() + TimeDelta::hours(1));
        world.node("cli", [job()]).await.run_now("job").await.unwrap();
        let other = world.node("b", [job()]).await;
        let mut signals = Signals::of(&other);
        other.start().await.unwrap();
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn a_foreign_lock_from_before_the_slot_delays_it(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.lock_row("job", "java", four() - TimeDelta::seconds(1), far()).await;
        world.clock.set(four());
        assert_eq!(delayed(&mut signals).await, "java");
        world.lapse("job").await;
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(signals.finished("job").await.cause, Cause::Schedule);
    }

    async fn a_node_of_ours_that_died_before_writing_its_run_does_not_count_as_a_foreign_run(db: testkit::Database) {
        let world = World::new(db).await;
        let dead = world.node("dead", [quick(daily("job"))]).await;
        dead.start().await.unwrap().stop(std::time::Duration::ZERO).await;
        let node = world.node("a", [quick(daily("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let owner = format!("dead:{}", "0".repeat(32));
        world.lock_row("job", &owner, four(), far()).await;
        world.clock.set(four());
        assert_eq!(delayed(&mut signals).await, owner);
        world.lapse("job").await;
        world.clock.advance(TimeDelta::seconds(1));
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.attempt), (four(), 1));
    }
}
