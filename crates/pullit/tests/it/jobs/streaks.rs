//! validateConsecutiveLearning.

use ground::NoFence;

use super::bench::{Bench, STREAKS, at};

impl Bench {
    /// A member's streak of five days that ended on `last`.
    pub(crate) async fn streak(&self, member: i64, last: Option<&str>) {
        let last = last.map_or_else(|| "NULL".to_owned(), |day| format!("'{day}'"));
        self.sql(&format!(
            "INSERT INTO learn_stats (member_id, total_solved_question_set_count, total_solved_question_count, \
             total_correct_question_count, total_question_count, weekly_solved_question_count, consecutive_learning_days, \
             last_learning_date) VALUES ({member}, 1, 2, 3, 4, 5, 5, {last})"
        ))
        .await;
    }

    pub(crate) async fn streaks(&self) -> Vec<i64> {
        self.numbers("SELECT consecutive_learning_days FROM learn_stats ORDER BY member_id")
            .await
    }
}

testkit::on_each_database! {
    async fn who_did_not_learn_yesterday_loses_the_streak_and_nothing_else(db: testkit::Database) {
        // 00:00:00 on 23 November in Seoul.
        let bench = Bench::on(db, "2026-11-22T15:00:00Z").await;
        bench.members(1..=5).await;
        for (member, last) in [(1, Some("2026-11-21")), (2, None), (3, Some("2026-11-22")), (4, Some("2026-11-23"))] {
            bench.streak(member, last).await;
        }
        assert_eq!(bench.run(STREAKS).await.affected, 2);
        assert_eq!(bench.streaks().await, [0, 0, 5, 5]);
        let others = "SELECT count(*) FROM learn_stats WHERE total_solved_question_set_count = 1 AND total_solved_question_count = 2 \
                      AND total_correct_question_count = 3 AND total_question_count = 4 AND weekly_solved_question_count = 5";
        assert_eq!(bench.number(others).await, 4);
        let dates = "SELECT count(*) FROM learn_stats WHERE last_learning_date IS NOT NULL";
        assert_eq!(bench.number(dates).await, 3);
        assert_eq!(bench.run(STREAKS).await.affected, 0);
    }

    async fn every_member_is_checked_whatever_the_size_of_a_page(db: testkit::Database) {
        let bench = Bench::with(db, "2026-11-22T15:00:00Z", |config| config.learn_stats.member_batch = 2).await;
        bench.members(1..=7).await;
        for member in 1..=7 {
            bench.streak(member, Some("2026-11-20")).await;
        }
        assert_eq!(bench.run(STREAKS).await.affected, 7);
        assert_eq!(bench.streaks().await, [0; 7]);

        // A last page that is full, and gaps in the ids.
        bench.sql("DELETE FROM member WHERE id = 3").await;
        bench.sql("UPDATE learn_stats SET consecutive_learning_days = 2").await;
        assert_eq!(bench.run(STREAKS).await.affected, 6);
        assert_eq!(bench.streaks().await, [0; 6]);
    }

    async fn the_day_changes_at_midnight_in_seoul_and_not_a_second_before(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-22T14:59:59Z").await;
        bench.members(1..=2).await;
        bench.streak(1, Some("2026-11-21")).await;
        bench.streak(2, Some("2026-11-22")).await;
        assert_eq!(bench.run(STREAKS).await.affected, 0);
        bench.set_clock("2026-11-22T15:00:00Z");
        assert_eq!(bench.run(STREAKS).await.affected, 1);
        assert_eq!(bench.streaks().await, [0, 5]);
    }

    async fn the_day_is_that_of_the_configured_zone(db: testkit::Database) {
        // Still the 22nd in New York.
        let bench = Bench::with(db, "2026-11-22T15:00:00Z", |config| config.zone = chrono_tz::America::New_York).await;
        bench.members(1..=2).await;
        bench.streak(1, Some("2026-11-20")).await;
        bench.streak(2, Some("2026-11-21")).await;
        assert_eq!(bench.run(STREAKS).await.affected, 1);
        assert_eq!(bench.streaks().await, [0, 5]);
    }

    async fn a_streak_goes_over_the_end_of_a_year_and_a_leap_day(db: testkit::Database) {
        let bench = Bench::on(db, "2026-01-01T00:00:00Z").await;
        bench.members(1..=2).await;
        for (midnight, yesterday, before) in [
            ("2026-12-31T15:00:00Z", "2026-12-31", "2026-12-30"),
            ("2028-02-28T15:00:00Z", "2028-02-28", "2028-02-27"),
            ("2028-02-29T15:00:00Z", "2028-02-29", "2028-02-28"),
            ("2027-02-28T15:00:00Z", "2027-02-28", "2027-02-27"),
        ] {
            bench.clock.set(at(midnight));
            bench.sql("DELETE FROM learn_stats").await;
            bench.streak(1, Some(yesterday)).await;
            bench.streak(2, Some(before)).await;
            assert_eq!(bench.run(STREAKS).await.affected, 1, "{midnight}");
            assert_eq!(bench.streaks().await, [5, 0], "{midnight}");
        }
    }

    async fn a_streak_is_counted_over_a_leap_day_and_the_end_of_a_year(db: testkit::Database) {
        let bench = Bench::on(db, "2026-12-30T03:00:00Z").await;
        bench.members(1..=3).await;
        for (noon, days, streaks) in [
            // Over the end of a year; member 3 has a gap on the 31st.
            ("2027-01-02T03:00:00Z", ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"], [4, 3, 2]),
            ("2028-03-01T03:00:00Z", ["2028-02-27", "2028-02-28", "2028-02-29", "2028-03-01"], [4, 3, 2]),
            // No 29 February in 2029: the 28th and the first are neighbours.
            ("2029-03-02T03:00:00Z", ["2029-02-27", "2029-02-28", "2029-03-01", "2029-03-02"], [4, 3, 2]),
        ] {
            bench.set_clock(noon);
            for (place, day) in days.iter().enumerate() {
                let day: chrono::NaiveDate = day.parse().unwrap();
                bench.solved(1, day, 1, 0).await;
                if place < 3 {
                    bench.solved(2, day, 1, 0).await;
                }
                if place != 1 {
                    bench.solved(3, day, 1, 0).await;
                }
            }
            bench.relay().await;
            assert_eq!(bench.streaks().await, streaks, "{noon}");
        }
    }

    async fn who_solves_in_the_morning_before_a_late_check_has_what_a_check_at_midnight_would_have_left(db: testkit::Database) {
        let bench = Bench::on(db, "2026-11-20T03:00:00Z").await;
        bench.members(1..=4).await;
        let midnight = at("2026-11-22T15:00:00Z");
        let mut ends = Vec::new();
        for (late, relayed) in [(false, true), (true, true), (true, false)] {
            bench.sql("DELETE FROM learn_stats").await;
            bench.sql("DELETE FROM learn_stats_daily").await;
            bench.clock.set(at("2026-11-22T03:00:00Z"));
            for day in ["2026-11-20", "2026-11-21"] {
                for member in 1..=4 {
                    bench.solved(member, day.parse().unwrap(), 1, 0).await;
                }
            }
            // 1 and 2 learned on the last day, 3 and 4 did not.
            bench.solved(1, "2026-11-22".parse().unwrap(), 1, 0).await;
            bench.solved(2, "2026-11-22".parse().unwrap(), 1, 0).await;
            bench.relay().await;
            assert_eq!(bench.streaks().await, [3, 3, 2, 2]);
            if !late {
                bench.check_streaks(midnight, false, &NoFence).await.unwrap();
                assert_eq!(bench.streaks().await, [3, 3, 0, 0]);
            }
            // 09:00 of the new day: 1 and 3 learn. Then it is noon.
            bench.clock.set(at("2026-11-23T00:00:00Z"));
            bench.solved(1, "2026-11-23".parse().unwrap(), 1, 0).await;
            bench.solved(3, "2026-11-23".parse().unwrap(), 1, 0).await;
            if relayed {
                bench.relay().await;
            }
            bench.clock.set(at("2026-11-23T03:00:00Z"));
            if late {
                bench.check_streaks(midnight, false, &NoFence).await.unwrap();
            }
            bench.relay().await;
            ends.push(bench.stats().await);
        }
        assert_eq!(bench.streaks().await, [4, 3, 1, 0]);
        assert_eq!(ends[0], ends[1], "the events were applied before the late check");
        assert_eq!(ends[0], ends[2], "the events were applied after the late check");
    }
}
