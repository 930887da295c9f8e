//! `pullit dev seed`: many members who have learned, the same for the same arguments.

use chrono::NaiveDate;
use pullit::seed::{Seed, SeedError, plant};
use testkit::Database;

use super::bench::{Bench, WEEKLY};

/// 12:00 in Seoul.
const NOON: &str = "2026-11-22T03:00:00Z";
const SEED: Seed = Seed {
    members: 400,
    days: 30,
    seed: 7,
    until: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
    zone: chrono_tz::Asia::Seoul,
    beside_others: false,
};

impl Bench {
    async fn plant(&self, seed: Seed) -> Result<(i64, i64), SeedError> {
        let stats = &self.app.rooms.learn_stats;
        let ids = plant(&self.app.db, stats, &seed, &mut |_, _| ()).await?;
        Ok(ids.into_inner())
    }

    /// Every row that the seed decides, in words.
    async fn planted(&self) -> Vec<String> {
        self.texts(
            "SELECT 'day ' || id || ' ' || member_id || ' ' || activity_date || ' ' || solved_question_count || ' ' || \
               solved_question_set_count AS row FROM learn_stats_daily \
             UNION ALL SELECT 'result ' || id || ' ' || member_id || ' ' || question_id || ' ' || CASE WHEN is_correct THEN 1 ELSE 0 END \
               FROM marking_result \
             UNION ALL SELECT 'stats ' || member_id || ' ' || total_solved_question_count || ' ' || total_correct_question_count || ' ' || \
               weekly_solved_question_count || ' ' || consecutive_learning_days FROM learn_stats ORDER BY 1",
        )
        .await
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_rows_on_either_database_and_another_seed_others() {
    let sqlite = Bench::on(Database::sqlite(), NOON).await;
    let postgres = Bench::on(Database::postgres().await, NOON).await;
    assert_eq!(sqlite.plant(SEED).await.unwrap(), (1, 400));
    postgres.plant(SEED).await.unwrap();
    let (mut one, mut two) = (sqlite.planted().await, postgres.planted().await);
    // The databases sort text by different rules.
    one.sort();
    two.sort();
    assert_eq!(one, two);
    let other = Bench::on(Database::sqlite(), NOON).await;
    other.plant(Seed { seed: 8, ..SEED }).await.unwrap();
    assert_ne!(one, other.planted().await);
}

testkit::on_each_database! {
    async fn the_ledgers_agree_and_the_stats_are_what_they_give(db: Database) {
        let bench = Bench::on(db, NOON).await;
        bench.plant(SEED).await.unwrap();
        let before = bench.stats().await;
        assert_eq!(before.len(), 400);
        let results = "SELECT count(*) FROM marking_result";
        let solved = "SELECT sum(solved_question_count) FROM learn_stats_daily";
        assert_eq!(bench.number(results).await, bench.number(solved).await);
        // Every member has a set; about one day in thirteen is a day of learning, and some learn every day.
        let days = bench.number("SELECT count(*) FROM learn_stats_daily").await;
        assert!((400..2_000).contains(&days), "{days} days");
        let streaks = before.iter().filter(|stats| stats.consecutive_learning_days == 30).count();
        assert!((1..40).contains(&streaks), "{streaks} learned every day");
        let correct: i64 = before.iter().map(|stats| stats.total_correct_question_count).sum();
        let share = correct as f64 / bench.number(results).await as f64;
        assert!((0.6..0.8).contains(&share), "{share} right");
        // The day of a result is the day of its ledger, in the zone.
        let strangers = if bench.is_postgres() {
            "SELECT count(*) FROM marking_result r WHERE NOT EXISTS (SELECT 1 FROM learn_stats_daily d \
             WHERE d.member_id = r.member_id AND d.activity_date = (r.created_at AT TIME ZONE 'Asia/Seoul')::date)"
        } else {
            "SELECT count(*) FROM marking_result r WHERE NOT EXISTS (SELECT 1 FROM learn_stats_daily d \
             WHERE d.member_id = r.member_id AND d.activity_date = date(r.created_at, '+9 hours'))"
        };
        assert_eq!(bench.number(strangers).await, 0);

        assert_eq!(bench.run(WEEKLY).await.affected, 400);
        assert_eq!(bench.stats().await, before, "a recalibration finds nothing to put right");
    }

    async fn a_database_with_members_is_left_alone_unless_it_is_asked_for(db: Database) {
        let bench = Bench::on(db, NOON).await;
        bench.members(5..=5).await;
        let refused = bench.plant(SEED).await;
        assert!(matches!(refused, Err(SeedError::Others(1))), "{refused:?}");
        assert_eq!(bench.number("SELECT count(*) FROM member").await, 1);

        let beside = Seed { beside_others: true, members: 10, ..SEED };
        assert_eq!(bench.plant(beside).await.unwrap(), (6, 15));
        assert_eq!(bench.plant(beside).await.unwrap(), (16, 25));
        assert_eq!(bench.number("SELECT count(*) FROM member").await, 21);
        // Who comes afterwards gets an id after theirs.
        bench.sql("INSERT INTO member (name, email) VALUES ('New', 'new@example.com')").await;
        bench.sql("INSERT INTO question_set (owner_id, title, difficulty, type, question_length) VALUES (26, 'New', 'EASY', 'TRUE_FALSE', 3)").await;
        assert_eq!(bench.numbers("SELECT max(id) FROM member UNION ALL SELECT max(id) FROM question_set").await, [26, 26]);
    }
}
