//! The learn-stats jobs go through the members page by page; what dies between two pages is gone on with, not begun again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ground::{Connection, Fence, FenceError, NoFence};
use pullit::learn_stats::Slot;
use pullit::platform::run::RunError;
use scheduler::testkit::Signals;
use scheduler::{Cause, RunStatus};
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, STREAKS, TIMEOUT, at};

/// 00:00 on 23 November in Seoul.
const MIDNIGHT: &str = "2026-11-22T15:00:00Z";
const MEMBERS: i64 = 9;

/// Lets so many transactions through; then the node is dead.
pub(crate) struct DiesAfter(AtomicU32);

impl DiesAfter {
    pub(crate) fn pages(pages: u32) -> Self {
        Self(AtomicU32::new(pages))
    }
}

#[async_trait]
impl Fence for DiesAfter {
    async fn check(&self, _: &mut Connection<'_>) -> Result<(), FenceError> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| FenceError::Lost)
    }
}

impl Bench {
    /// The streak check of a slot, as a run of it calls it.
    pub(crate) async fn check_streaks(
        &self,
        slot: DateTime<Utc>,
        again: bool,
        fence: &dyn Fence,
    ) -> Result<u64, RunError> {
        let (slot, cancel) = (Slot { at: slot, again }, CancellationToken::new());
        let stats = &self.app.rooms.learn_stats;
        stats.check_streaks(slot, fence, &cancel, &|_, _| ()).await
    }

    /// The weekly job of a slot, as a run of it calls it.
    pub(crate) async fn reset_week(
        &self,
        slot: DateTime<Utc>,
        again: bool,
        fence: &dyn Fence,
    ) -> Result<u64, RunError> {
        let (slot, cancel) = (Slot { at: slot, again }, CancellationToken::new());
        let stats = &self.app.rooms.learn_stats;
        stats.reset_week(slot, fence, &cancel, &|_, _| ()).await
    }

    async fn of_two(db: testkit::Database) -> Self {
        let bench = Self::with(db, MIDNIGHT, |config| {
            config.learn_stats.streak_batch = 2;
            config.learn_stats.member_batch = 2;
        })
        .await;
        bench.members(1..=MEMBERS).await;
        bench
    }
}

fn two(config: &mut pullit::platform::config::Config) {
    config.learn_stats.streak_batch = 2;
    config.learn_stats.member_batch = 2;
    for name in [STREAKS, super::bench::SOURCES, super::bench::WEEKLY] {
        let job = config.jobs.entry(name.to_owned()).or_default();
        // The lock's times are the database's own.
        job.at_least = Some(pullit::platform::config::Span::seconds(0));
        job.enabled = Some(name == STREAKS);
    }
}

/// The weekly job goes through the members twice.
async fn told_of_both_halves(bench: &Bench, slot: Slot) {
    let (told, cancel) = (Mutex::new(Vec::new()), CancellationToken::new());
    let tell = |done, total| told.lock().unwrap().push((done, total));
    let stats = &bench.app.rooms.learn_stats;
    let run = stats.reset_week(slot, &NoFence, &cancel, &tell).await;
    assert_eq!(run.unwrap(), 11);
    let told = told.into_inner().unwrap();
    assert!((18..=22).contains(&told[0].1), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(22, 22)));
}

testkit::on_each_database! {
    async fn another_attempt_at_a_streak_check_goes_on_after_the_last_page_that_was_committed(db: testkit::Database) {
        let bench = Bench::of_two(db).await;
        for member in 1..=MEMBERS {
            bench.streak(member, Some("2026-11-20")).await;
        }
        let slot = at(MIDNIGHT);
        let died = bench.check_streaks(slot, false, &DiesAfter::pages(2)).await;
        assert!(matches!(died, Err(RunError::Lost)), "{died:?}");
        assert_eq!(bench.streaks().await, [0, 0, 0, 0, 5, 5, 5, 5, 5], "the third page is undone");

        // Whoever checked member 1 again would break this.
        bench.sql("UPDATE learn_stats SET consecutive_learning_days = 1 WHERE member_id = 1").await;
        let other = bench.another(|config| config.learn_stats.streak_batch = 2).await;
        let died = other.check_streaks(slot, true, &DiesAfter::pages(1)).await;
        assert!(matches!(died, Err(RunError::Lost)), "{died:?}");
        assert_eq!(bench.streaks().await, [1, 0, 0, 0, 0, 0, 5, 5, 5]);
        let broken = bench.check_streaks(slot, true, &NoFence).await.unwrap();
        assert_eq!(broken, 9, "of this slot, in three attempts");
        assert_eq!(bench.streaks().await, [1, 0, 0, 0, 0, 0, 0, 0, 0]);

        // All of it was done: an attempt whose end was not recorded is not repeated. Another slot begins at the beginning.
        assert_eq!(bench.check_streaks(slot, true, &NoFence).await.unwrap(), 9);
        assert_eq!(bench.streaks().await[0], 1);
        let next = slot + TimeDelta::days(1);
        assert_eq!(bench.check_streaks(next, true, &NoFence).await.unwrap(), 1);
    }

    async fn another_attempt_at_a_weekly_reset_publishes_nothing_twice_and_leaves_nobody_out(db: testkit::Database) {
        let bench = Bench::of_two(db).await;
        let slot = at("2026-11-22T19:00:00Z");
        let events = "SELECT count(*) FROM outbox_event";
        let died = bench.reset_week(slot, false, &DiesAfter::pages(3)).await;
        assert!(matches!(died, Err(RunError::Lost)), "{died:?}");
        assert_eq!(bench.number(events).await, 6);

        // The second dies in its first page of the recalibration.
        let died = bench.reset_week(slot, true, &DiesAfter::pages(2)).await;
        assert!(matches!(died, Err(RunError::Lost)), "{died:?}");
        assert_eq!((bench.number(events).await, bench.stats().await.len()), (9, 0));

        let other = bench.another(|config| config.learn_stats.member_batch = 2).await;
        let died = other.reset_week(slot, true, &DiesAfter::pages(1)).await;
        assert!(matches!(died, Err(RunError::Lost)), "{died:?}");
        assert_eq!(bench.stats().await.len(), 2);
        assert_eq!(other.reset_week(slot, true, &NoFence).await.unwrap(), 9);
        assert_eq!((bench.number(events).await, bench.stats().await.len()), (9, 9));
        let keys = "SELECT count(DISTINCT aggregate_key) FROM outbox_event";
        assert_eq!(bench.number(keys).await, 9);
    }

    async fn a_failed_run_is_caught_up_from_where_it_stopped_and_counts_the_whole_slot(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T14:59:00Z", two).await;
        bench.members(1..=MEMBERS).await;
        for member in 1..=MEMBERS {
            bench.streak(member, Some("2026-11-20")).await;
        }
        let refuse = if bench.is_postgres() {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$; \
             CREATE TRIGGER full_disk BEFORE UPDATE ON learn_stats FOR EACH ROW WHEN (NEW.member_id = 6) EXECUTE FUNCTION refuse()"
        } else {
            "CREATE TRIGGER full_disk BEFORE UPDATE ON learn_stats WHEN NEW.member_id = 6 BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        };
        bench.sql(refuse).await;
        let running = bench.app.scheduler.start().await.unwrap();
        let mut signals = Signals::of(&bench.app.scheduler);
        bench.set_clock(MIDNIGHT);
        let first = signals.finished(STREAKS).await;
        assert_eq!((first.status, first.affected), (RunStatus::Failed, 0));
        running.stop(TIMEOUT).await;
        assert_eq!(bench.streaks().await, [0, 0, 0, 0, 5, 5, 5, 5, 5]);

        let table = if bench.is_postgres() { " ON learn_stats" } else { "" };
        bench.sql(&format!("DROP TRIGGER full_disk{table}")).await;
        bench.sql("UPDATE learn_stats SET consecutive_learning_days = 1 WHERE member_id = 1").await;
        bench.set_clock("2026-11-22T15:06:00Z");
        let other = bench.another(two).await;
        let mut signals = Signals::of(&other.app.scheduler);
        let running = other.app.scheduler.start().await.unwrap();
        let second = signals.finished(STREAKS).await;
        running.stop(TIMEOUT).await;
        assert_eq!((second.status, second.cause, second.attempt), (RunStatus::Succeeded, Cause::CatchUp, 2));
        assert_eq!((second.scheduled_at, second.affected), (first.scheduled_at, 9));
        assert_eq!(bench.streaks().await, [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    async fn a_run_that_is_asked_to_stop_stops_after_its_page_and_is_gone_on_with(db: testkit::Database) {
        let bench = Bench::of_two(db).await;
        for member in 1..=MEMBERS {
            bench.streak(member, Some("2026-11-20")).await;
        }
        let (stats, cancel) = (&bench.app.rooms.learn_stats, CancellationToken::new());
        let slot = Slot { at: at(MIDNIGHT), again: false };
        let stop = |_, _| cancel.cancel();
        let stopped = stats.check_streaks(slot, &NoFence, &cancel, &stop).await;
        assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
        assert_eq!(bench.streaks().await, [0, 0, 5, 5, 5, 5, 5, 5, 5]);
        assert_eq!(bench.check_streaks(slot.at, true, &NoFence).await.unwrap(), 9);
        assert_eq!(bench.streaks().await, [0; 9]);
    }

    async fn progress_is_of_all_members_and_ends_at_all_of_them(db: testkit::Database) {
        let bench = Bench::of_two(db).await;
        if bench.is_postgres() {
            // What the planner knows is old by the time of the run, and says nothing wrong to the reader at its end.
            bench.sql("ANALYZE member").await;
        }
        bench.members(MEMBERS + 1..=MEMBERS + 2).await;
        let (told, cancel) = (Mutex::new(Vec::new()), CancellationToken::new());
        let tell = |done, total| told.lock().unwrap().push((done, total));
        let slot = Slot { at: at(MIDNIGHT), again: false };
        bench.app.rooms.learn_stats.check_streaks(slot, &NoFence, &cancel, &tell).await.unwrap();
        let told = told.into_inner().unwrap();
        let pages: Vec<u64> = told.iter().map(|(done, _)| *done).collect();
        assert_eq!(pages, [2, 4, 6, 8, 10, 11, 11]);
        let (_, about) = told[0];
        assert!((9..=11).contains(&about), "{told:?}");
        assert_eq!(told.last(), Some(&(11, 11)));

        told_of_both_halves(&bench, slot).await;
    }

    async fn where_old_slots_came_to_is_forgotten_after_a_month(db: testkit::Database) {
        let bench = Bench::of_two(db).await;
        let slot = at(MIDNIGHT);
        for days in [0, 29, 31] {
            bench.check_streaks(slot + TimeDelta::days(days), false, &NoFence).await.unwrap();
        }
        assert_eq!(bench.number("SELECT count(*) FROM learn_stats_walk").await, 2);
    }
}
