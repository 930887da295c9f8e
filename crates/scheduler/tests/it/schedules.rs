//! Nodes that have different schedules for one job.

use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::{ManualClock, Signals};
use scheduler::{Event, Job, Scheduler, Trigger};

use crate::support::*;

fn job(expression: &str) -> Job {
    let trigger = Trigger::cron(expression, chrono_tz::Asia::Seoul).unwrap();
    quick(Job::builder("job", trigger))
}

const ONE: &str = "0 0 4 * * *";
const OTHER: &str = "0 0 4,5 * * *";

/// The schedules that a node was heard to name, and whether it has compared them since `signals` last was asked.
async fn heard(signals: &mut Signals) -> Vec<String> {
    signals
        .next("a word on schedules", |event| match event {
            Event::ScheduleConflict { schedules, .. } => Some(
                schedules
                    .into_iter()
                    .map(|on| format!("{} on {}", on.schedule, on.nodes.join(",")))
                    .collect(),
            ),
            _ => None,
        })
        .await
}

/// Lets a minute pass on a node, and counts what it says of schedules.
async fn a_minute(clock: &ManualClock, signals: &mut Signals) -> usize {
    clock.advance(TimeDelta::minutes(1));
    let mut said = 0;
    signals
        .next("a renewal", |event| match event {
            Event::ScheduleConflict { .. } => {
                said += 1;
                None
            }
            Event::Heartbeat => Some(()),
            _ => None,
        })
        .await;
    said
}

async fn conflict(node: &Scheduler) -> Vec<(String, Vec<String>)> {
    let status = node.list().await.unwrap().remove(0);
    let schedules = status.schedule_conflict.into_iter().flatten();
    schedules.map(|on| (on.schedule, on.nodes)).collect()
}

testkit::on_each_database! {
    async fn two_schedules_for_one_job_are_reported_once_and_forgotten_when_one_is_gone(db: testkit::Database) {
        let world = World::new(db).await;
        let (a, b) = (world.node("a", [job(ONE)]).await, world.node("b", [job(OTHER)]).await);
        let (mut on_a, mut on_b) = (Signals::of(&a), Signals::of(&b));
        a.start().await.unwrap();
        // By then it has published what it runs.
        renewed(&mut on_a).await;
        assert_eq!(conflict(&a).await, []);
        let running = b.start().await.unwrap();
        let both = ["cron 0 0 4 * * * in Asia/Seoul on a", "cron 0 0 4,5 * * * in Asia/Seoul on b"];
        assert_eq!(heard(&mut on_b).await, both);
        let mut said = 0;
        for _ in 0..4 { said += a_minute(&world.clock, &mut on_a).await; }
        assert_eq!(said, 1, "once per change");
        let listed = conflict(&a).await;
        assert_eq!(listed, [
            ("cron 0 0 4 * * * in Asia/Seoul".to_owned(), vec!["a".to_owned()]),
            ("cron 0 0 4,5 * * * in Asia/Seoul".to_owned(), vec!["b".to_owned()]),
        ]);
        // A process that runs nothing by schedule sees it too, and takes no part.
        let cli = world.node("cli", [job("0 0 6 * * *")]).await;
        cli.run_now("job").await.unwrap();
        assert_eq!(conflict(&cli).await, listed);

        running.stop(Duration::from_secs(20)).await;
        assert_eq!(conflict(&a).await, []);
        assert_eq!(a_minute(&world.clock, &mut on_a).await, 1, "that they agree again");
        assert_eq!(a_minute(&world.clock, &mut on_a).await, 0);
    }

    async fn the_schedule_of_a_node_that_died_counts_no_more_after_a_few_minutes(db: testkit::Database) {
        let world = World::new(db).await;
        let dying_clock = ManualClock::at(at(TEN_TO_FOUR));
        let dying = world.node_at("dying", dying_clock, [job(OTHER)]).await;
        let mut on_dying = Signals::of(&dying);
        dying.start().await.unwrap();
        renewed(&mut on_dying).await;
        let node = world.node("a", [job(ONE)]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        assert_eq!(heard(&mut signals).await.len(), 2);
        // Its own clock stands still, as if it were dead.
        let mut said = 0;
        for _ in 0..7 { said += a_minute(&world.clock, &mut signals).await; }
        assert_eq!(said, 1, "that they agree again");
        assert_eq!(conflict(&node).await, []);
    }

    async fn two_nodes_of_different_schedules_run_the_slots_they_share_once(db: testkit::Database) {
        let world = World::new(db).await;
        let nodes = [world.node("a", [job(ONE)]).await, world.node("b", [job(OTHER)]).await];
        let mut signals = nodes.each_ref().map(Signals::of);
        for node in &nodes { node.start().await.unwrap(); }
        let five = four() + TimeDelta::hours(1);
        for day in 0..3 {
            for (slot, nodes) in [(four(), 0..2), (five, 1..2)] {
                let slot = slot + TimeDelta::days(day);
                world.clock.set(slot);
                for signals in &mut signals[nodes] {
                    let clock = world.clock.clone();
                    loop {
                        let settled = signals.next("the slot's end", |event| match event {
                            Event::Finished(run) => Some(run.scheduled_at == slot),
                            Event::Passed { slot: passed, .. } => Some(passed == slot),
                            Event::Delayed { .. } => Some(false),
                            _ => None,
                        }).await;
                        if settled { break; }
                        clock.advance(TimeDelta::seconds(1));
                    }
                }
            }
        }
        let slots: Vec<_> = world.runs("job").await.into_iter().map(|run| run.0).collect();
        let all = (0..3).flat_map(|day| [four(), five].map(|slot| slot + TimeDelta::days(day)));
        assert_eq!(slots, all.collect::<Vec<_>>());
    }

    async fn a_node_that_was_killed_before_the_clock_was_set_back_counts_as_gone(db: testkit::Database) {
        let world = World::new(db).await;
        let killed = world.node_at("killed", ManualClock::at(at(TEN_TO_FOUR)), [job(OTHER)]).await;
        let mut signals = Signals::of(&killed);
        killed.start().await.unwrap();
        renewed(&mut signals).await;
        let node = world.node("living", [job(ONE)]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        renewed(&mut signals).await;
        assert_eq!(conflict(&node).await.len(), 2);
        world.clock.advance(-TimeDelta::hours(9));
        assert_eq!(a_minute(&world.clock, &mut signals).await, 1, "they agree again");
        assert_eq!(conflict(&node).await, []);
    }
}

async fn renewed(signals: &mut Signals) {
    signals
        .next("a renewal", |event| {
            matches!(event, Event::Heartbeat).then_some(())
        })
        .await;
}
