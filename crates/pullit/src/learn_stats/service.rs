//! What members and other rooms can do with learn stats: count up, look, recalibrate.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use ground::{Connection, Statements};
use outbox::Signal;

use super::recompute;
use super::walk::Page;
use crate::platform::clock::{self, Now};
use crate::platform::db::Db;

/// Bounds of the learn-stats jobs.
#[derive(Clone, Copy, Debug)]
pub struct StatsOptions {
    /// The zone of days and weeks.
    pub zone: Tz,
    /// Members handled in one transaction.
    pub member_batch: u32,
    /// Members whose streaks are checked in one transaction.
    pub streak_batch: u32,
}

/// The learn-stats room.
#[derive(Clone)]
pub struct LearnStats {
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) signal: Signal,
    pub(super) options: StatsOptions,
}

/// A member's stats as they are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub(super) living_sets: i64,
    pub(super) solved_sets: i64,
    pub(super) solved_questions: i64,
    pub(super) week: i64,
    pub(super) streak: i64,
}
ground::from_row!(Stats {
    living_sets,
    solved_sets,
    solved_questions,
    week,
    streak
});

/// One day of a member's ledger.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) activity_date: NaiveDate,
    pub(super) solved_question_count: i64,
}
ground::from_row!(Day {
    activity_date,
    solved_question_count
});

const STATS: &str = "SELECT \
     (SELECT count(*) FROM question_set q WHERE q.owner_id = m.id AND q.status = 'COMPLETE' AND q.deleted_at IS NULL) AS living_sets, \
     coalesce(s.total_solved_question_set_count, 0) AS solved_sets, coalesce(s.total_solved_question_count, 0) AS solved_questions, \
     coalesce(s.weekly_solved_question_count, 0) AS week, coalesce(s.consecutive_learning_days, 0) AS streak \
     FROM member m LEFT JOIN learn_stats s ON s.member_id = m.id WHERE m.id = $1";
const DAYS: &str = "SELECT activity_date, solved_question_count FROM learn_stats_daily \
     WHERE member_id = $1 AND activity_date >= $2 AND activity_date <= $3 ORDER BY activity_date";
const COUNT_UP: &str = "INSERT INTO learn_stats_daily (member_id, activity_date, solved_question_count, solved_question_set_count) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (member_id, activity_date) DO UPDATE SET \
     solved_question_count = learn_stats_daily.solved_question_count + excluded.solved_question_count, \
     solved_question_set_count = learn_stats_daily.solved_question_set_count + excluded.solved_question_set_count";

impl LearnStats {
    /// The room. `signal` wakes the relay after a commit that published.
    pub fn new(db: Db, now: Now, signal: Signal, options: StatsOptions) -> Self {
        Self {
            db,
            now,
            signal,
            options,
        }
    }

    /// The calendar day that it is now.
    pub(super) fn today(&self) -> NaiveDate {
        self.day((self.now)())
    }

    /// The calendar day of an instant.
    pub fn day(&self, instant: DateTime<Utc>) -> NaiveDate {
        clock::day(self.options.zone, instant)
    }

    /// Writes what was solved into the ledger of that day, in the caller's transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_up(
        &self,
        tx: &mut Connection<'_>,
        member_id: i64,
        day: NaiveDate,
        questions: i64,
        sets: i64,
    ) -> Result<(), sqlx::Error> {
        let values = vec![member_id.into(), day.into(), questions.into(), sets.into()];
        tx.run(COUNT_UP, values).await?;
        Ok(())
    }

    /// Makes the stats of the members with ids above `after`, up to and with `to`, what the ledgers give on `today`. How many were not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recompute_range(
        &self,
        tx: &mut Connection<'_>,
        after: i64,
        to: i64,
        today: NaiveDate,
    ) -> Result<u64, sqlx::Error> {
        let drifted = recompute::drifted(&mut *tx, Page { after, to }, today).await?;
        recompute::all(tx, &drifted, today).await
    }

    /// Solved sets / living COMPLETE sets, in whole percent, at most 100.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn progress(&self, member_id: i64) -> Result<i64, sqlx::Error> {
        let stats = self.stats(member_id).await?.unwrap_or_default();
        if stats.living_sets == 0 {
            return Ok(0);
        }
        Ok((stats.solved_sets * 100 / stats.living_sets).min(100))
    }

    pub(super) async fn stats(&self, member_id: i64) -> Result<Option<Stats>, sqlx::Error> {
        self.db.read().row(STATS, vec![member_id.into()]).await
    }

    pub(super) async fn days(
        &self,
        member_id: i64,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<Day>, sqlx::Error> {
        let values = vec![member_id.into(), from.into(), to.into()];
        self.db.read().rows(DAYS, values).await
    }
}
