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
        let bench = Bench::with(db, "2026-11-22T15:00:00Z", |config| config.limits.member_batch = 2).await;
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
}
