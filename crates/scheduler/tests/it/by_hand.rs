//! A scheduler that is ticked by hand, and one whose many jobs are idle.

use std::time::Duration;

use chrono::TimeDelta;
use scheduler::testkit::{Signals, Ticker};
use scheduler::{Cause, Event, Job, Misfire, Record, Trigger};

use crate::support::*;

testkit::on_each_database! {
    async fn a_tick_runs_what_is_due_and_nothing_runs_without_one(db: testkit::Database) {
        let world = World::new(db).await;
        let relay = Job::builder("relay", Trigger::fixed_delay(Duration::from_secs(600)).unwrap()).record(Record::FailuresAndManual);
        let node = world.node("a", [quick(daily("job")), quick(relay), quick(daily("off").enabled(false))]).await;
        let mut ticker = Ticker::of(&node).await.unwrap();
        let ran = |runs: Vec<scheduler::Run>| runs.into_iter().map(|run| (run.job_name, run.scheduled_at, run.cause)).collect::<Vec<_>>();
        let scheduled = |job: &str, slot| (job.to_owned(), slot, Cause::Schedule);
        assert_eq!(ran(ticker.tick().await), [scheduled("relay", at(TEN_TO_FOUR))]);
        assert_eq!(ran(ticker.tick().await), []);
        ticker.wake("relay");
        ticker.wake("relay");
        assert_eq!(ran(ticker.tick().await), [scheduled("relay", at(TEN_TO_FOUR))]);
        world.clock.set(four());
        assert_eq!(world.runs("job").await, []);
        assert_eq!(ran(ticker.tick().await), [scheduled("job", four()), scheduled("relay", four())]);
        assert_eq!(ran(ticker.tick().await), []);
    }

    async fn a_tick_makes_up_for_missed_slots_and_asks_again_for_those_that_wait(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(daily("job").misfire(Misfire::RunAll { most: 2 }));
        Ticker::of(&world.node("a", [job()]).await).await.unwrap();
        world.clock.set(four() + TimeDelta::days(5) + TimeDelta::hours(1));
        let node = world.node("b", [job()]).await;
        let mut ticker = Ticker::of(&node).await.unwrap();
        let slots = |runs: Vec<scheduler::Run>| runs.into_iter().map(|run| (run.scheduled_at, run.cause)).collect::<Vec<_>>();
        let day = |n| four() + TimeDelta::days(n);
        assert_eq!(slots(ticker.tick().await), [(day(4), Cause::CatchUp), (day(5), Cause::CatchUp)]);
        world.lock_row("job", "java", at("2026-01-01T00:00:00Z"), far()).await;
        world.clock.set(day(6));
        assert_eq!(slots(ticker.tick().await), []);
        world.lapse("job").await;
        assert_eq!(slots(ticker.tick().await), [], "it asks again a second later");
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(slots(ticker.tick().await), [(day(6), Cause::Schedule)]);
    }

    async fn idle_jobs_have_no_tasks_however_many_they_are(db: testkit::Database) {
        let world = World::new(db).await;
        let jobs = (0..1000).map(|n| quick(daily(&format!("job-{n}")).misfire(Misfire::RunOnce)));
        let node = world.node("a", jobs).await;
        let mut signals = Signals::of(&node);
        let running = node.start().await.unwrap();
        signals.next("a scan for dead runs", |event| matches!(event, Event::Scanned).then_some(())).await;
        world.clock.advance(TimeDelta::seconds(15));
        signals.next("a scan for dead runs", |event| matches!(event, Event::Scanned).then_some(())).await;
        let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert!(alive < 50, "{alive} tasks");
        assert_eq!(node.list().await.unwrap().len(), 1000);
        assert_eq!(world.query("SELECT name FROM job").await.len(), 1000);
        running.stop(Duration::from_secs(20)).await;
    }
}
