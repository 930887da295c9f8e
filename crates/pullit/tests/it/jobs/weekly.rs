//! triggerWeeklyResetAndRecalibration.

use chrono::{DateTime, NaiveDate, Utc};
use futures::FutureExt;
use ground::NoFence;

use super::bench::{Bench, WEEKLY, at};
use super::walks::DiesAfter;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

impl Bench {
    /// What a marking writes into the ledger, and the event that it publishes.
    pub(crate) async fn solved(&self, member: i64, date: NaiveDate, questions: i64, sets: i64) {
        let db = &self.app.db;
        let mut tx = db.begin().await.unwrap();
        let stats = &self.app.rooms.learn_stats;
        stats
            .count_up(&mut tx, member, date, questions, sets)
            .await
            .unwrap();
        let solved = pullit::learn_stats::Solved {
            version: 1,
            member_id: member,
            activity_date: date,
            question_count: questions,
            correct_count: 0,
            question_set_ids: Vec::new(),
        };
        let now: DateTime<Utc> = (self.app.now)();
        outbox::publish(&mut tx, solved.event().unwrap(), now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn weekly(&self) -> Vec<i64> {
        self.numbers("SELECT weekly_solved_question_count FROM learn_stats ORDER BY member_id")
            .await
    }
}

testkit::on_each_database! {
    async fn every_member_gets_one_reset_that_names_the_iso_week(db: testkit::Database) {
        // Monday 28 December 2026, 04:00 in Seoul: week 53.
        let bench = Bench::with(db, "2026-12-27T19:00:00Z", |config| config.learn_stats.member_batch = 2).await;
        bench.members(1..=5).await;
        assert_eq!(bench.run(WEEKLY).await.affected, 5);
        let published = bench.outbox().await;
        assert_eq!(published.len(), 5);
        for (event, member) in published.iter().zip(1..) {
            assert_eq!(event.event_type, "WEEKLY_RESET");
            assert_eq!(event.aggregate_key, format!("member:{member}"));
            assert_eq!((&event.payload["memberId"], &event.payload["week"]), (&member.into(), &"2026-W53".into()));
        }
        assert_eq!(bench.weekly().await, [0; 5], "every member has stats now");
        bench.relay().await;
        assert!(bench.outbox().await.is_empty());
    }

    async fn last_weeks_count_goes_and_the_totals_stay(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=2).await;
        bench.solved(1, day("2026-11-22"), 4, 1).await;
        bench.solved(2, day("2026-11-16"), 2, 0).await;
        bench.relay().await;
        assert_eq!(bench.weekly().await, [4, 2]);
        bench.set_clock("2026-11-22T19:00:00Z");
        assert_eq!(bench.run(WEEKLY).await.affected, 2);
        bench.relay().await;
        assert_eq!(bench.weekly().await, [0, 0]);
        let totals = "SELECT total_solved_question_count FROM learn_stats ORDER BY member_id";
        assert_eq!(bench.numbers(totals).await, [4, 2]);
    }

    async fn a_reset_that_comes_late_keeps_what_was_solved_since_monday(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:00:00Z").await;
        bench.members(1..=1).await;
        bench.solved(1, day("2026-11-22"), 9, 0).await;
        bench.solved(1, day("2026-11-23"), 1, 0).await;
        bench.run(WEEKLY).await;
        assert_eq!(bench.weekly().await, [1]);
        // Nothing was relayed yet; the member goes on.
        bench.set_clock("2026-11-25T03:00:00Z");
        bench.solved(1, day("2026-11-25"), 3, 0).await;
        bench.relay().await;
        assert_eq!(bench.weekly().await, [4]);

        // One that comes after all that it could erase.
        bench.sql(
            "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload) VALUES \
             ('e0000000-0000-4000-8000-000000000001', 'WEEKLY_RESET', 'member:1', '{\"memberId\":1,\"week\":\"2026-W48\"}')",
        )
        .await;
        // A script's row is due by the computer's clock.
        bench.sql("UPDATE outbox_event SET next_attempt_at = '2026-11-25T00:00:00.000000+00:00'").await;
        assert_eq!(bench.relay().await, 1);
        assert_eq!(bench.weekly().await, [4]);

        // A reset that lies about for weeks says what the week holds in which it arrives.
        bench.run(WEEKLY).await;
        bench.set_clock("2026-12-02T03:00:00Z");
        bench.solved(1, day("2026-12-02"), 2, 0).await;
        bench.relay().await;
        assert_eq!(bench.weekly().await, [2]);
    }

    async fn a_reset_may_be_applied_twice(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-25T03:00:00Z").await;
        bench.members(1..=1).await;
        bench.solved(1, day("2026-11-24"), 3, 0).await;
        bench.run(WEEKLY).await;
        bench.run(WEEKLY).await;
        assert_eq!(bench.outbox().await.len(), 3);
        bench.relay().await;
        assert_eq!(bench.weekly().await, [3]);
        assert!(bench.outbox().await.is_empty());
    }

    async fn stats_that_went_astray_are_put_right_from_the_ledgers(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T19:00:00Z", |config| config.learn_stats.member_batch = 2).await;
        bench.members(1..=5).await;
        for member in 1..=5 {
            bench.streak(member, Some("2020-01-01")).await;
        }
        bench.solved(5, day("2026-11-21"), 3, 1).await;
        bench.solved(5, day("2026-11-22"), 4, 1).await;
        assert_eq!(bench.run(WEEKLY).await.affected, 5);
        let zero = "SELECT count(*) FROM learn_stats WHERE total_solved_question_set_count = 0 AND total_solved_question_count = 0 \
                    AND total_correct_question_count = 0 AND total_question_count = 0 AND weekly_solved_question_count = 0 \
                    AND consecutive_learning_days = 0 AND last_learning_date IS NULL";
        assert_eq!(bench.number(zero).await, 4);
        let right = "SELECT count(*) FROM learn_stats WHERE member_id = 5 AND total_solved_question_set_count = 2 \
                     AND total_solved_question_count = 7 AND consecutive_learning_days = 2 AND last_learning_date = '2026-11-22'";
        assert_eq!(bench.number(right).await, 1);
    }

    async fn a_reset_says_what_the_week_holds_where_no_other_event_told_of_it(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T19:00:00Z").await;
        bench.members(1..=3).await;
        bench.sql(
            "INSERT INTO learn_stats_daily (member_id, activity_date, solved_question_count) \
             VALUES (1, '2026-11-22', 9), (1, '2026-11-23', 3), (2, '2026-11-23', 4)",
        )
        .await;
        // Member 2 has no row.
        bench.sql("INSERT INTO learn_stats (member_id, weekly_solved_question_count) VALUES (1, 0), (3, 5)").await;
        for member in 1..=3 {
            bench.publish_reset(member).await;
        }
        assert_eq!(bench.relay().await, 3);
        assert_eq!(bench.weekly().await, [3, 4, 0]);
    }

    async fn a_single_column_that_went_astray_is_put_right(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-24T19:00:00Z").await;
        bench.members(1..=2).await;
        for date in ["2026-11-22", "2026-11-24", "2026-11-25"] {
            bench.solved(1, day(date), 3, 1).await;
        }
        bench.run(WEEKLY).await;
        bench.relay().await;
        let right = bench.stats().await;
        for wrong in [
            "total_solved_question_set_count = 77", "total_solved_question_count = 77", "total_correct_question_count = 77",
            "total_question_count = 77", "weekly_solved_question_count = 77", "consecutive_learning_days = 77",
            // Member 2 has never learned.
            "last_learning_date = '2020-01-01'", "last_learning_date = NULL",
        ] {
            bench.sql(&format!("UPDATE learn_stats SET {wrong}")).await;
            bench.run(WEEKLY).await;
            assert_eq!(bench.stats().await, right, "{wrong}");
            bench.relay().await;
        }
        bench.sql("DELETE FROM learn_stats WHERE member_id = 1").await;
        bench.run(WEEKLY).await;
        assert_eq!(bench.stats().await, right, "no row");
    }

    async fn weeks_begin_on_monday_in_seoul(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T14:59:59Z").await;
        bench.members(1..=1).await;
        bench.solved(1, day("2026-11-16"), 2, 0).await;
        bench.run(WEEKLY).await;
        assert_eq!((bench.weekly().await, bench.outbox().await[1].payload["week"].clone()), (vec![2], "2026-W47".into()));
        bench.clock.set(at("2026-11-22T15:00:00Z"));
        bench.run(WEEKLY).await;
        assert_eq!((bench.weekly().await, bench.outbox().await[2].payload["week"].clone()), (vec![0], "2026-W48".into()));
    }

    async fn the_week_over_the_end_of_a_year_is_one_week(db: testkit::Database) {
        // Sunday 3 January 2027 in Seoul: the last day of 2026-W53.
        let bench = Bench::on(db, "2027-01-03T14:59:59Z").await;
        bench.members(1..=1).await;
        for (date, questions) in [("2026-12-27", 100), ("2026-12-28", 1), ("2026-12-31", 2), ("2027-01-01", 4), ("2027-01-03", 8)] {
            bench.solved(1, day(date), questions, 0).await;
        }
        bench.relay().await;
        assert_eq!(bench.weekly().await, [15]);
        bench.run(WEEKLY).await;
        bench.relay().await;
        assert_eq!(bench.weekly().await, [15], "it is still that week");
        bench.set_clock("2027-01-03T15:00:00Z");
        bench.run(WEEKLY).await;
        assert_eq!(bench.outbox().await[0].payload["week"], "2027-W01");
        bench.relay().await;
        assert_eq!(bench.weekly().await, [0]);
    }

    async fn the_relay_is_woken_by_the_first_page_of_resets_and_not_by_one_that_is_undone(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T19:00:00Z", |config| config.learn_stats.member_batch = 2).await;
        bench.members(1..=5).await;
        let slot = at("2026-11-22T19:00:00Z");
        for (pages, woken) in [(0, false), (1, true)] {
            bench.reset_week(slot, false, &DiesAfter::pages(pages)).await.unwrap_err();
            let call = bench.app.rooms.signal.notified().now_or_never();
            assert_eq!(call.is_some(), woken, "{pages} pages");
        }
    }

    async fn a_weekly_run_that_is_late_resets_the_week_of_its_slot_and_keeps_what_was_solved_since(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T10:00:00Z").await;
        bench.members(1..=2).await;
        bench.solved(1, day("2026-11-22"), 4, 0).await;
        bench.relay().await;
        // Monday's slot is worked for on Thursday.
        bench.set_clock("2026-11-26T03:00:00Z");
        bench.solved(1, day("2026-11-24"), 3, 0).await;
        bench.reset_week(at("2026-11-22T19:00:00Z"), false, &NoFence).await.unwrap();
        let outbox = bench.outbox().await;
        assert_eq!(outbox.last().unwrap().payload["week"], "2026-W48");
        assert_eq!(bench.weekly().await, [3, 0]);
        bench.relay().await;
        assert_eq!(bench.weekly().await, [3, 0]);
        // The slot of the week before.
        bench.reset_week(at("2026-11-15T19:00:00Z"), false, &NoFence).await.unwrap();
        assert_eq!(bench.outbox().await[0].payload["week"], "2026-W47");
        bench.relay().await;
        assert_eq!(bench.weekly().await, [3, 0]);
    }
}
