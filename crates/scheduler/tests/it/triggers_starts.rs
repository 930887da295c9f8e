//! One slot only, and slots that start a little late.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use scheduler::testkit::Signals;
use scheduler::{Cause, Job, JobBuilder, Misfire, Passed, Trigger, TriggerError};

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

fn hourly(jitter: Duration) -> Trigger {
    Trigger::cron("0 0 * * * *", Tz::UTC)
        .unwrap()
        .jitter(jitter)
        .unwrap()
}

/// Due at four, like [`daily`], and starts up to ten minutes later.
fn late(name: &str) -> JobBuilder {
    let daily = Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul).unwrap();
    Job::builder(name, daily.jitter(10 * MINUTE).unwrap())
}

/// When the slot at four of the job named `job` starts: well after it.
fn starts() -> chrono::DateTime<Utc> {
    let daily = Trigger::cron("0 0 4 * * *", chrono_tz::Asia::Seoul).unwrap();
    let start = daily.jitter(10 * MINUTE).unwrap().start_of("job", four());
    assert!(start > four() + TimeDelta::seconds(90), "{start}");
    start
}

fn once(name: &str) -> JobBuilder {
    Job::builder(name, Trigger::once(four()))
}

#[test]
fn a_one_off_has_exactly_one_slot() {
    let trigger = Trigger::once(at("2026-11-22T12:00:00.123456789Z"));
    let slot = at("2026-11-22T12:00:00.123456Z");
    assert_eq!(trigger.next_after(at("2020-01-01T00:00:00Z")), Some(slot));
    assert_eq!(trigger.next_after(slot), None);
    assert_eq!(
        trigger.newest_due(slot - TimeDelta::days(1), slot),
        Some(slot)
    );
    assert_eq!(trigger.newest_due(slot, slot + TimeDelta::days(1)), None);
    assert_eq!(
        trigger.newest_due(slot - TimeDelta::days(1), slot - TimeDelta::microseconds(1)),
        None
    );
    assert_eq!(
        trigger
            .upcoming(at("2020-01-01T00:00:00Z"), 5)
            .collect::<Vec<_>>(),
        [slot]
    );
    assert_eq!(trigger.zone(), None);
    assert_eq!(trigger.to_string(), "once at 2026-11-22T12:00:00.123456Z");
}

#[test]
fn a_preview_is_as_long_as_asked_and_what_repeated_questions_answer() {
    let from = at("2026-11-22T12:00:00Z");
    for trigger in [
        Trigger::cron("0 15 2 L-3 * *", chrono_tz::America::New_York).unwrap(),
        Trigger::fixed_rate(Duration::from_secs(7)).unwrap(),
        Trigger::fixed_delay(Duration::from_millis(1500)).unwrap(),
    ] {
        let mut t = from;
        let repeated: Vec<_> = (0..30)
            .map(|_| {
                t = trigger.next_after(t).unwrap();
                t
            })
            .collect();
        assert_eq!(trigger.upcoming(from, 30).collect::<Vec<_>>(), repeated);
        assert_eq!(trigger.upcoming(from, 0).count(), 0);
    }
}

#[test]
fn a_thousand_jobs_of_one_schedule_start_spread_over_the_jitter() {
    let trigger = Trigger::cron("0 * * * * *", Tz::UTC)
        .unwrap()
        .jitter(Duration::from_secs(50))
        .unwrap();
    let slot = at("2026-11-22T12:00:00Z");
    let mut seconds = [0; 50];
    let mut distinct = HashSet::new();
    for n in 0..1000 {
        let start = trigger.start_of(&format!("job-{n}"), slot);
        let late = start - slot;
        assert!(late >= TimeDelta::zero() && late <= TimeDelta::seconds(50));
        seconds[late.num_seconds().min(49) as usize] += 1;
        distinct.insert(start);
    }
    // Twenty a second would be even.
    assert!(
        seconds.iter().all(|jobs| (4..=45).contains(jobs)),
        "{seconds:?}"
    );
    assert!(distinct.len() > 950);
    let of_one_job: HashSet<_> = (0..100)
        .map(|n| {
            let slot = slot + TimeDelta::minutes(n);
            trigger.start_of("job", slot) - slot
        })
        .collect();
    assert!(of_one_job.len() > 90);
}

#[test]
fn the_delay_of_a_slot_is_the_same_on_every_node_and_in_every_release() {
    // Written down here: a change would let nodes of two releases disagree while one replaces the other.
    let slot = at("2026-11-22T12:00:00Z");
    let starts = ["a", "b", "nightly"]
        .map(|job| (hourly(MINUTE).start_of(job, slot) - slot).num_milliseconds());
    assert_eq!(starts, [29_821, 25_609, 25_071]);
}

#[test]
fn a_jitter_that_would_reach_the_next_slot_is_refused() {
    let refused = |trigger: Trigger, jitter| trigger.jitter(jitter).unwrap_err().to_string();
    let rate = Trigger::fixed_rate(Duration::from_secs(3)).unwrap();
    assert!(refused(rate.clone(), Duration::from_secs(3)).contains("slots come 3s apart"));
    assert!(rate.jitter(Duration::from_millis(2999)).is_ok());
    let uneven = Trigger::cron("0 0 9,10,17 * * *", Tz::UTC).unwrap();
    assert!(refused(uneven.clone(), 60 * MINUTE).contains("slots come 3600s apart"));
    assert!(uneven.jitter(59 * MINUTE).is_ok());
    assert!(
        Trigger::fixed_delay(MINUTE)
            .unwrap()
            .jitter(2 * MINUTE)
            .is_err()
    );
    assert_eq!(
        Trigger::once(four()).jitter(Duration::ZERO).unwrap_err(),
        TriggerError::Period(Duration::ZERO)
    );
    assert_eq!(
        Trigger::once(four())
            .jitter(90 * MINUTE)
            .unwrap()
            .to_string(),
        "once at 2026-11-22T19:00:00Z (jitter 90m)"
    );
    assert_eq!(
        hourly(Duration::from_secs(30)).to_string(),
        "cron 0 0 * * * * (jitter 30s)"
    );
}

#[test]
fn where_the_clock_jumps_a_slot_still_starts_before_the_next_one_is_due() {
    // 01:30 and, of the hour that is skipped, 03:00: half an hour apart on this day, an hour on others.
    let trigger = Trigger::cron("0 30 1,2 * * *", chrono_tz::America::New_York)
        .unwrap()
        .jitter(59 * MINUTE)
        .unwrap();
    let [first, second] = ["2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z"].map(at);
    assert_eq!(trigger.next_after(first), Some(second));
    for n in 0..100 {
        let start = trigger.start_of(&format!("job-{n}"), first);
        assert!((first..second).contains(&start), "{start}");
    }
}

proptest! {
    #[test]
    fn slots_start_in_their_order_within_the_jitter(job in ".{0,20}", seconds in 0_i64..2_000_000_000, jitter in 1_u64..59_999) {
        let trigger = Trigger::cron("0 * * * * *", chrono_tz::Australia::Lord_Howe).unwrap().jitter(Duration::from_millis(jitter)).unwrap();
        let from = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        let mut last = chrono::DateTime::<Utc>::MIN_UTC;
        for slot in trigger.upcoming(from, 10) {
            let start = trigger.start_of(&job, slot);
            prop_assert!(start > last && start >= slot && start - slot <= TimeDelta::milliseconds(jitter as i64));
            last = start;
        }
    }
}

testkit::on_each_database! {
    async fn a_one_off_runs_once_and_never_again(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(once("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        assert_eq!(node.upcoming("job", 3).unwrap(), [four()]);
        world.clock.set(four());
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (four(), Cause::Schedule));
        assert!(node.upcoming("job", 3).unwrap().is_empty());
        assert_eq!(node.list().await.unwrap()[0].next_run, None);
    }

    async fn a_one_off_missed_while_all_nodes_were_down_runs_when_one_is_back(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(once("job").misfire(Misfire::RunOnce));
        world.node("a", [job()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        world.clock.set(four() + TimeDelta::days(3));
        let node = world.node("b", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (four(), Cause::CatchUp));
        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::days(1));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn a_one_off_that_was_missed_is_skipped_by_a_skipping_job(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(once("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        world.clock.set(four() + TimeDelta::hours(5));
        assert_eq!(passed(&mut signals, &world.clock).await, (four(), Passed::TooLate));
        assert_eq!(world.runs("job").await, []);
    }

    async fn a_one_off_that_passed_before_it_was_first_registered_is_not_run(db: testkit::Database) {
        let world = World::new(db).await;
        world.clock.set(four() + TimeDelta::seconds(1));
        let node = world.node("a", [quick(once("job").misfire(Misfire::RunOnce))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.advance(TimeDelta::seconds(15));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await, []);
    }

    async fn a_slot_with_jitter_starts_later_and_keeps_its_time(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(late("job").misfire(Misfire::RunOnce))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        world.clock.set(four());
        misfires_checked(&mut signals).await;
        world.clock.set(starts() - TimeDelta::milliseconds(1));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await, []);
        world.clock.set(starts());
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.started_at, run.cause), (four(), starts(), Cause::Schedule));
        world.clock.advance(TimeDelta::seconds(15));
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await.len(), 1);
    }

    async fn the_time_of_jitter_does_not_make_a_slot_too_late(db: testkit::Database) {
        let world = World::new(db).await;
        let node = world.node("a", [quick(late("job"))]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        // Nobody ran it at the slot's own time, and the start is a minute past.
        world.clock.set(starts() + TimeDelta::seconds(60));
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (four(), Cause::Schedule));
    }

    async fn a_node_that_starts_between_a_slot_and_its_start_runs_it(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(late("job").misfire(Misfire::RunOnce));
        world.node("a", [job()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        world.clock.set(four() + TimeDelta::seconds(1));
        let node = world.node("b", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        misfires_checked(&mut signals).await;
        assert_eq!(world.runs("job").await, []);
        world.clock.set(starts());
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.started_at, run.cause), (four(), starts(), Cause::Schedule));
    }

    async fn a_slot_whose_start_was_missed_is_caught_up_after_it_and_not_before(db: testkit::Database) {
        let world = World::new(db).await;
        let job = || quick(late("job").misfire(Misfire::RunOnce));
        world.node("a", [job()]).await.start().await.unwrap().stop(Duration::ZERO).await;
        world.clock.set(starts() + TimeDelta::seconds(1));
        let node = world.node("b", [job()]).await;
        let mut signals = Signals::of(&node);
        node.start().await.unwrap();
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.cause), (four(), Cause::CatchUp));
    }

    async fn a_fixed_delay_with_jitter_starts_later_and_at_once_when_woken(db: testkit::Database) {
        let world = World::new(db).await;
        let relay = Trigger::fixed_delay(10 * MINUTE).unwrap().jitter(5 * MINUTE).unwrap();
        let start = relay.start_of("job", four());
        assert!(start > four() + TimeDelta::seconds(1));
        let just_before = start - TimeDelta::milliseconds(1);
        let jobs = [quick(Job::builder("job", relay)), quick(Job::builder("just before", Trigger::once(just_before)))];
        let node = world.node("a", jobs).await;
        let mut signals = Signals::of(&node);
        let running = node.start().await.unwrap();
        assert_eq!(signals.finished("job").await.started_at, at(TEN_TO_FOUR));
        world.clock.set(just_before);
        signals.finished("just before").await;
        world.clock.set(start);
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.started_at), (four(), start));
        running.wake("job");
        let run = signals.finished("job").await;
        assert_eq!((run.scheduled_at, run.started_at), (start, start));
    }
}
