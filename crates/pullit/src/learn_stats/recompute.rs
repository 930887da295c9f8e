//! `learn_stats` from the ledgers, for many members in two statements.

use chrono::{Datelike, Days, NaiveDate};
use sea_orm::{DatabaseTransaction, DbErr};

use crate::platform::sql::{Dialects, SqlExt, id_list};

const ENSURE_ROWS: Dialects = Dialects {
    sqlite: "INSERT INTO learn_stats (member_id) SELECT id FROM member \
         WHERE id IN (SELECT value FROM json_each($1)) ON CONFLICT (member_id) DO NOTHING",
    postgres: "INSERT INTO learn_stats (member_id) SELECT id FROM member \
         WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint) ORDER BY id ON CONFLICT (member_id) DO NOTHING",
};
// Whoever writes a member's stats locks the row first and sums in a later statement: a sum taken before the lock could be older than
// what another recomputation has written meanwhile. Always in id order, so that no two wait for each other.
const LOCK: Dialects = Dialects {
    sqlite: "SELECT member_id FROM learn_stats WHERE member_id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT member_id FROM learn_stats WHERE member_id IN \
         (SELECT jsonb_array_elements_text($1::jsonb)::bigint) ORDER BY member_id FOR UPDATE",
};
macro_rules! totals {
    () => {
        "totals AS (SELECT d.member_id, sum(d.solved_question_count) AS questions, sum(d.solved_question_set_count) AS sets, \
           sum(CASE WHEN d.activity_date >= $2 THEN d.solved_question_count ELSE 0 END) AS week, \
           max(CASE WHEN d.solved_question_count > 0 THEN d.activity_date END) AS last_day \
           FROM learn_stats_daily d JOIN chosen USING (member_id) GROUP BY d.member_id), "
    };
}
macro_rules! update {
    () => {
        "streaks AS (SELECT member_id, count(*) AS days FROM islands GROUP BY member_id, island HAVING max(activity_date) >= $4), \
         correct AS (SELECT r.member_id, count(*) AS answers FROM marking_result r JOIN chosen USING (member_id) \
           WHERE r.is_correct GROUP BY r.member_id), \
         owned AS (SELECT s.owner_id AS member_id, count(*) AS questions FROM question_set s \
           JOIN question q ON q.question_set_id = s.id WHERE s.owner_id IN (SELECT member_id FROM chosen) \
           AND s.status = 'COMPLETE' AND s.deleted_at IS NULL GROUP BY s.owner_id) \
         UPDATE learn_stats SET total_solved_question_count = coalesce(x.questions, 0), \
           total_solved_question_set_count = coalesce(x.sets, 0), weekly_solved_question_count = coalesce(x.week, 0), \
           last_learning_date = x.last_day, consecutive_learning_days = coalesce(x.days, 0), \
           total_correct_question_count = coalesce(x.answers, 0), total_question_count = coalesce(x.owned, 0) \
         FROM (SELECT chosen.member_id, totals.questions, totals.sets, totals.week, totals.last_day, streaks.days, \
           correct.answers, owned.questions AS owned FROM chosen LEFT JOIN totals USING (member_id) \
           LEFT JOIN streaks USING (member_id) LEFT JOIN correct USING (member_id) LEFT JOIN owned USING (member_id)) AS x \
         WHERE learn_stats.member_id = x.member_id"
    };
}
// Numbering the solved days of a member and taking the number off each day gives one same day for a run of consecutive days.
const RECOMPUTE: Dialects = Dialects {
    sqlite: concat!(
        "WITH chosen AS (SELECT value AS member_id FROM json_each($1)), ",
        totals!(),
        "islands AS (SELECT d.member_id, d.activity_date, \
           julianday(d.activity_date) - row_number() OVER (PARTITION BY d.member_id ORDER BY d.activity_date) AS island \
           FROM learn_stats_daily d JOIN chosen USING (member_id) WHERE d.solved_question_count > 0 AND d.activity_date <= $3), ",
        update!()
    ),
    postgres: concat!(
        "WITH chosen AS (SELECT jsonb_array_elements_text($1::jsonb)::bigint AS member_id), ",
        totals!(),
        "islands AS (SELECT d.member_id, d.activity_date, \
           d.activity_date - (row_number() OVER (PARTITION BY d.member_id ORDER BY d.activity_date))::int AS island \
           FROM learn_stats_daily d JOIN chosen USING (member_id) WHERE d.solved_question_count > 0 AND d.activity_date <= $3), ",
        update!()
    ),
};
const RECOMPUTE_WEEK: Dialects = Dialects {
    sqlite: "UPDATE learn_stats SET weekly_solved_question_count = coalesce((SELECT sum(d.solved_question_count) \
         FROM learn_stats_daily d WHERE d.member_id = learn_stats.member_id AND d.activity_date >= $2), 0) \
         WHERE member_id IN (SELECT value FROM json_each($1))",
    postgres: "UPDATE learn_stats SET weekly_solved_question_count = coalesce((SELECT sum(d.solved_question_count) \
         FROM learn_stats_daily d WHERE d.member_id = learn_stats.member_id AND d.activity_date >= $2), 0) \
         WHERE member_id IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)",
};

/// Monday of the week of a day.
pub(super) fn monday(day: NaiveDate) -> NaiveDate {
    day.week(chrono::Weekday::Mon).first_day()
}

/// ISO 8601 week of a day, such as `2026-W53`.
pub(super) fn iso_week(day: NaiveDate) -> String {
    let week = day.iso_week();
    format!("{:04}-W{:02}", week.year(), week.week())
}

async fn lock(tx: &DatabaseTransaction, members: &[i64]) -> Result<(), DbErr> {
    tx.run(ENSURE_ROWS, vec![id_list(members)]).await?;
    tx.scalars::<i64, _>(LOCK, vec![id_list(members)]).await?;
    Ok(())
}

/// Sets every column of these members to what the ledgers give on `today`. Members that do not exist are passed over.
pub(super) async fn all(
    tx: &DatabaseTransaction,
    members: &[i64],
    today: NaiveDate,
) -> Result<u64, DbErr> {
    lock(tx, members).await?;
    let yesterday = today - Days::new(1);
    let values = vec![
        id_list(members),
        monday(today).into(),
        today.into(),
        yesterday.into(),
    ];
    tx.run(RECOMPUTE, values).await
}

/// Sets the weekly count of these members to what the week of `today` really holds.
pub(super) async fn week(
    tx: &DatabaseTransaction,
    members: &[i64],
    today: NaiveDate,
) -> Result<u64, DbErr> {
    lock(tx, members).await?;
    tx.run(RECOMPUTE_WEEK, vec![id_list(members), monday(today).into()])
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_start_on_monday_and_follow_iso_over_the_year_end() {
        assert_eq!(monday(date("2026-11-22")), date("2026-11-16"));
        assert_eq!(monday(date("2026-11-23")), date("2026-11-23"));
        assert_eq!(iso_week(date("2026-12-31")), "2026-W53");
        assert_eq!(iso_week(date("2027-01-03")), "2026-W53");
        assert_eq!(iso_week(date("2027-01-04")), "2027-W01");
    }
}
