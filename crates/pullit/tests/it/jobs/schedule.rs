//! All jobs by their own schedule, over days of a test's clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pullit::platform::config::{Config, Span};
use scheduler::testkit::Signals;
use scheduler::{Cause, Event, RunStatus, RunningScheduler};

use super::bench::{
    Bench, CLEANUP, HEARTBEAT, PRUNE, RELAY, RETRY, SOURCES, STREAKS, TIMEOUT, WEEKLY, at, literal,
};

const CRON: [&str; 6] = [CLEANUP, RETRY, SOURCES, STREAKS, WEEKLY, PRUNE];

/// The weekly job would set the prepared streaks right.
fn daily(config: &mut Config) {
    without_tails(config);
    config.jobs.entry(WEEKLY.to_owned()).or_default().enabled = Some(false);
}

/// The lock's times are the database's own, which do not fly as the test's clock does.
fn without_tails(config: &mut Config) {
    for name in CRON {
        let job = config.jobs.entry(name.to_owned()).or_default();
        job.at_least = Some(Span::seconds(0));
    }
}

fn every_two_hours(config: &mut Config) {
    without_tails(config);
    for name in [CLEANUP, RETRY] {
        let job = config.jobs.entry(name.to_owned()).or_default();
        job.cron = Some("0 0 */2 * * *".to_owned());
    }
}

async fn start(bench: &Bench) -> RunningScheduler {
    bench.app.scheduler.start().await.unwrap()
}

async fn stop(running: RunningScheduler) {
    running.stop(TIMEOUT).await;
}

/// The slots of every cron job up to `end`, in order.
fn slots(bench: &Bench, end: DateTime<Utc>) -> BTreeMap<DateTime<Utc>, Vec<&'static str>> {
    let mut slots: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for job in CRON {
        let upcoming = bench.app.scheduler.upcoming(job, 1000).unwrap();
        for slot in upcoming.into_iter().filter(|slot| *slot <= end) {
            slots.entry(slot).or_default().push(job);
        }
    }
    slots
}

/// Moves the clock from slot to slot, and waits at each until everything due has run.
async fn live_until(bench: &Bench, end: &str) -> BTreeMap<&'static str, i64> {
    let mut due = BTreeMap::new();
    for (slot, jobs) in slots(bench, at(end)) {
        bench.clock.set(slot);
        let done = format!(
            "SELECT count(*) FROM job_run WHERE scheduled_at = {} AND status = 'SUCCEEDED' AND job_name <> '{RELAY}'",
            literal(slot)
        );
        testkit::wait::until(
            &format!("{jobs:?} of {slot} have run"),
            TIMEOUT,
            async || bench.number(&done).await == jobs.len() as i64,
        )
        .await;
        for job in jobs {
            *due.entry(job).or_default() += 1;
        }
    }
    due
}

async fn count(bench: &Bench, of: &str) -> i64 {
    bench
        .number(&format!("SELECT count(*) FROM job_run WHERE {of}"))
        .await
}

/// Waits until this scheduler has looked for missed slots of the daily jobs that catch up.
async fn looked_back(signals: &mut Signals) {
    let mut missing = vec![SOURCES, STREAKS];
    signals
        .next("a look back of each daily job", |event| {
            if let Event::MisfiresChecked { job } = event {
                missing.retain(|name| *name != job);
            }
            missing.is_empty().then_some(())
        })
        .await;
}

testkit::on_each_database! {
    async fn in_a_week_on_two_nodes_every_slot_has_exactly_one_run(db: testkit::Database) {
        // Sunday, 09:00 in Seoul.
        let one = Bench::with(db, "2026-11-22T00:00:00Z", every_two_hours).await;
        let two = one.another(every_two_hours).await;
        let running = [start(&one).await, start(&two).await];
        let due = live_until(&one, "2026-11-29T00:00:00Z").await;
        for running in running {
            stop(running).await;
        }
        assert_eq!(
            due,
            BTreeMap::from([(CLEANUP, 84), (RETRY, 84), (SOURCES, 7), (STREAKS, 7), (PRUNE, 7), (WEEKLY, 1)])
        );
        for (job, slots) in due {
            assert_eq!(count(&one, &format!("job_name = '{job}'")).await, slots, "{job}");
        }
        assert_eq!(count(&one, "cause <> 'SCHEDULE' OR attempt <> 1 OR status <> 'SUCCEEDED'").await, 0);
        let unrecorded = format!("job_name IN ('{RELAY}', '{HEARTBEAT}')");
        assert_eq!(count(&one, &unrecorded).await, 0, "they tick far too often");
        let midnights = format!("SELECT count(DISTINCT scheduled_at) FROM job_run WHERE job_name = '{STREAKS}'");
        assert_eq!(one.number(&midnights).await, 7);
    }

    async fn the_cleanup_runs_every_ten_minutes_and_the_retry_every_five(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T00:00:00Z", without_tails).await;
        let running = start(&bench).await;
        live_until(&bench, "2026-11-22T02:00:00Z").await;
        stop(running).await;
        let of = |job: &str| format!("SELECT scheduled_at FROM job_run WHERE job_name = '{job}' ORDER BY scheduled_at");
        struct Slot {
            scheduled_at: DateTime<Utc>,
        }
        ground::from_row!(Slot { scheduled_at });
        for (job, minutes) in [(CLEANUP, 10), (RETRY, 5)] {
            let slots: Vec<Slot> = bench.rows(&of(job)).await;
            let expected = (1..=120 / minutes).map(|n| at("2026-11-22T00:00:00Z") + chrono::TimeDelta::minutes(n * minutes));
            assert!(slots.iter().map(|slot| slot.scheduled_at).eq(expected), "{job}");
        }
    }

    async fn the_first_start_of_all_catches_up_on_nothing(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-24T03:00:00Z").await;
        let mut signals = Signals::of(&bench.app.scheduler);
        let running = start(&bench).await;
        looked_back(&mut signals).await;
        stop(running).await;
        assert_eq!(count(&bench, "1 = 1").await, 0);
    }

    async fn a_midnight_that_was_missed_is_caught_up_at_noon_once_and_as_it_would_have_been(db: testkit::Database) {
        let first = Bench::with(db, "2026-11-22T14:59:00Z", daily).await;
        first.members(1..=3).await;
        let running = start(&first).await;
        let mut signals = Signals::of(&first.app.scheduler);
        first.set_clock("2026-11-22T15:00:00Z");
        signals.finished(STREAKS).await;
        stop(running).await;

        // Three midnights pass with nobody there; the newest is that of the 26th, and it is noon.
        first.set_clock("2026-11-26T03:00:00Z");
        for (member, last) in [(1, "2026-11-24"), (2, "2026-11-25"), (3, "2026-11-26")] {
            first.streak(member, Some(last)).await;
        }
        let nodes = [first.another(daily).await, first.another(daily).await];
        let mut heard = nodes.each_ref().map(|node| Signals::of(&node.app.scheduler));
        let running = [start(&nodes[0]).await, start(&nodes[1]).await];
        for signals in &mut heard {
            looked_back(signals).await;
        }
        testkit::wait::until("the missed slots have run", TIMEOUT, async || {
            count(&first, "status = 'SUCCEEDED' AND cause = 'CATCH_UP'").await == 2
        })
        .await;
        for running in running {
            stop(running).await;
        }
        let runs = first.app.scheduler.history(STREAKS, 9, None).await.unwrap();
        assert_eq!(runs.len(), 2);
        assert_eq!((runs[0].cause, runs[0].status), (Cause::CatchUp, RunStatus::Succeeded));
        assert_eq!(runs[0].scheduled_at, at("2026-11-25T15:00:00Z"));
        assert_eq!(runs[0].affected, 1);
        assert_eq!(first.streaks().await, [0, 5, 5]);
        let skipping = format!("job_name IN ('{CLEANUP}', '{RETRY}', '{PRUNE}') AND cause = 'CATCH_UP'");
        assert_eq!(count(&first, &skipping).await, 0, "these skip");
    }

    async fn the_streak_check_runs_at_midnight_and_not_before(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T14:50:01Z", without_tails).await;
        bench.members(1..=1).await;
        bench.streak(1, Some("2026-11-21")).await;
        let running = start(&bench).await;
        let mut signals = Signals::of(&bench.app.scheduler);
        // What runs at the last moment before tells that this moment was lived through.
        bench.set_clock("2026-11-22T14:59:59.999999Z");
        signals.next("a heartbeat", |event| match event {
            Event::Finished(run) if run.job_name == HEARTBEAT => Some(()),
            _ => None,
        })
        .await;
        assert_eq!(bench.streaks().await, [5]);
        assert_eq!(count(&bench, &format!("job_name = '{STREAKS}'")).await, 0);
        bench.set_clock("2026-11-22T15:00:00Z");
        let run = signals.finished(STREAKS).await;
        assert_eq!((run.scheduled_at, run.cause, run.affected), (at("2026-11-22T15:00:00Z"), Cause::Schedule, 1));
        stop(running).await;
        assert_eq!(bench.streaks().await, [0]);
    }

    async fn a_job_that_is_switched_off_or_paused_does_not_run_by_itself(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T14:59:00Z", |config| {
            without_tails(config);
            config.jobs.entry(STREAKS.to_owned()).or_default().enabled = Some(false);
        })
        .await;
        bench.app.scheduler.pause(CLEANUP).await.unwrap();
        let running = start(&bench).await;
        let mut signals = Signals::of(&bench.app.scheduler);
        bench.set_clock("2026-11-22T15:00:00Z");
        signals.finished(RETRY).await;
        bench.set_clock("2026-11-22T15:05:00Z");
        signals.finished(RETRY).await;
        bench.app.scheduler.resume(CLEANUP).await.unwrap();
        bench.set_clock("2026-11-22T15:10:00Z");
        signals.finished(CLEANUP).await;
        stop(running).await;
        assert_eq!(count(&bench, &format!("job_name = '{STREAKS}'")).await, 0);
        let cleanup = bench.app.scheduler.history(CLEANUP, 9, None).await.unwrap();
        assert_eq!(cleanup.len(), 1);
        assert_eq!(cleanup[0].scheduled_at, at("2026-11-22T15:10:00Z"));
    }
}
