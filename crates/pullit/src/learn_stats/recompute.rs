//! `learn_stats` from the ledgers, for many members in one statement.
//!
//! A statement is about a page of members or about a list of them. A page is found through the order of the indexes, so that it costs the same
//! wherever it lies; a list may be anybody.

use chrono::{Datelike, Days, NaiveDate};
use ground::{Connection, Dialects, Statements, Value};

use super::walk::Page;

macro_rules! page {
    ($column:literal, $first:literal, $second:literal) => {
        concat!($column, " > ", $first, " AND ", $column, " <= ", $second)
    };
}
macro_rules! list_sqlite {
    ($column:literal, $first:literal, $second:literal) => {
        concat!($column, " IN (SELECT value FROM json_each(", $first, "))")
    };
}
macro_rules! list_postgres {
    ($column:literal, $first:literal, $second:literal) => {
        concat!($column, " = ANY (", $first, ")")
    };
}
// What the ledgers give, by the definitions of this room. $1 is this week's Monday, $2 today, $3 yesterday; the members are $4 (and $5).
//
// A member's solved days, counted from the newest, have one same value of day + place as long as they are consecutive, and a smaller one
// after the first gap: those with the value of the newest day are the streak. Only who learned today or yesterday has one to be counted.
macro_rules! truth {
    ($members:ident, $run:literal, $newest:literal) => {
        concat!(
            "SELECT m.id AS member_id, coalesce(t.questions, 0) AS questions, coalesce(t.sets, 0) AS sets, coalesce(t.week, 0) AS week, \
             t.last_day, coalesce(c.answers, 0) AS correct, coalesce(o.questions, 0) AS owned, CASE WHEN t.latest >= $3 THEN \
               (SELECT count(*) FROM (SELECT ", $run, " AS run FROM learn_stats_daily d \
                 WHERE d.member_id = m.id AND d.solved_question_count > 0 AND d.activity_date <= $2) AS days WHERE run = ", $newest, ") \
               ELSE 0 END AS streak \
             FROM member m LEFT JOIN (SELECT member_id, CAST(sum(solved_question_count) AS BIGINT) AS questions, \
               CAST(sum(solved_question_set_count) AS BIGINT) AS sets, \
               CAST(sum(CASE WHEN activity_date >= $1 THEN solved_question_count ELSE 0 END) AS BIGINT) AS week, \
               max(CASE WHEN solved_question_count > 0 THEN activity_date END) AS last_day, \
               max(CASE WHEN solved_question_count > 0 AND activity_date <= $2 THEN activity_date END) AS latest \
               FROM learn_stats_daily WHERE ", $members!("member_id", "$4", "$5"), " GROUP BY member_id) AS t ON t.member_id = m.id \
             LEFT JOIN (SELECT member_id, count(*) AS answers FROM marking_result \
               WHERE is_correct AND ", $members!("member_id", "$4", "$5"), " GROUP BY member_id) AS c ON c.member_id = m.id \
             LEFT JOIN (SELECT s.owner_id, CAST(sum((SELECT count(*) FROM question q WHERE q.question_set_id = s.id)) AS BIGINT) AS questions \
               FROM question_set s WHERE s.status = 'COMPLETE' AND s.deleted_at IS NULL AND ", $members!("s.owner_id", "$4", "$5"), " \
               GROUP BY s.owner_id) AS o ON o.owner_id = m.id WHERE ", $members!("m.id", "$4", "$5")
        )
    };
}
macro_rules! truth_sqlite {
    ($members:ident) => {
        truth!(
            $members,
            "julianday(d.activity_date) + row_number() OVER (ORDER BY d.activity_date DESC)",
            "julianday(t.latest) + 1"
        )
    };
}
macro_rules! truth_postgres {
    ($members:ident) => {
        truth!(
            $members,
            "d.activity_date + (row_number() OVER (ORDER BY d.activity_date DESC))::int",
            "t.latest + 1"
        )
    };
}
macro_rules! drifted {
    ($truth:ident) => {
        concat!(
            "SELECT x.member_id FROM (", $truth!(page), ") AS x \
             LEFT JOIN learn_stats s ON s.member_id = x.member_id AND ", page!("s.member_id", "$4", "$5"), " \
             WHERE s.member_id IS NULL OR s.total_solved_question_count <> x.questions OR s.total_solved_question_set_count <> x.sets \
               OR s.weekly_solved_question_count <> x.week OR s.consecutive_learning_days <> x.streak \
               OR s.total_correct_question_count <> x.correct OR s.total_question_count <> x.owned \
               OR s.last_learning_date IS DISTINCT FROM x.last_day ORDER BY x.member_id"
        )
    };
}
macro_rules! recompute {
    ($truth:ident, $members:ident) => {
        concat!(
            "UPDATE learn_stats SET total_solved_question_count = x.questions, total_solved_question_set_count = x.sets, \
               weekly_solved_question_count = x.week, last_learning_date = x.last_day, consecutive_learning_days = x.streak, \
               total_correct_question_count = x.correct, total_question_count = x.owned \
             FROM (", $truth!($members), ") AS x WHERE learn_stats.member_id = x.member_id"
        )
    };
}
macro_rules! week_astray {
    ($members:ident) => {
        concat!(
            "SELECT m.id FROM member m LEFT JOIN learn_stats s ON s.member_id = m.id AND ", $members!("s.member_id", "$2", "$3"), " \
             LEFT JOIN (SELECT member_id, CAST(sum(solved_question_count) AS BIGINT) AS questions FROM learn_stats_daily \
               WHERE activity_date >= $1 AND ", $members!("member_id", "$2", "$3"), " GROUP BY member_id) AS t ON t.member_id = m.id \
             WHERE ", $members!("m.id", "$2", "$3"), " \
               AND (s.member_id IS NULL OR s.weekly_solved_question_count <> coalesce(t.questions, 0)) ORDER BY m.id"
        )
    };
}
macro_rules! recompute_week {
    ($members:ident) => {
        concat!(
            "UPDATE learn_stats SET weekly_solved_question_count = coalesce((SELECT sum(d.solved_question_count) \
             FROM learn_stats_daily d WHERE d.member_id = learn_stats.member_id AND d.activity_date >= $1), 0) \
             WHERE ", $members!("member_id", "$2", "$3")
        )
    };
}

const ENSURE_ROWS: Dialects = Dialects {
    sqlite: concat!(
        "INSERT INTO learn_stats (member_id) SELECT id FROM member WHERE ",
        list_sqlite!("id", "$1", "$2"),
        " ON CONFLICT (member_id) DO NOTHING"
    ),
    postgres: concat!(
        "INSERT INTO learn_stats (member_id) SELECT id FROM member WHERE ",
        list_postgres!("id", "$1", "$2"),
        " ORDER BY id ON CONFLICT (member_id) DO NOTHING"
    ),
};
// Whoever writes a member's stats locks the row first and sums in a later statement: a sum taken before the lock could be older than
// what another recomputation has written meanwhile. Always in id order, so that no two wait for each other.
const LOCK: Dialects = Dialects {
    sqlite: concat!(
        "SELECT count(*) FROM learn_stats WHERE ",
        list_sqlite!("member_id", "$1", "$2")
    ),
    postgres: concat!(
        "SELECT count(*) FROM (SELECT member_id FROM learn_stats WHERE ",
        list_postgres!("member_id", "$1", "$2"),
        " ORDER BY member_id FOR UPDATE) AS locked"
    ),
};
const ASTRAY: Dialects = Dialects {
    sqlite: drifted!(truth_sqlite),
    postgres: drifted!(truth_postgres),
};
const RECOMPUTE: Dialects = Dialects {
    sqlite: recompute!(truth_sqlite, list_sqlite),
    postgres: recompute!(truth_postgres, list_postgres),
};
const WEEK_ASTRAY_IN_PAGE: &str = week_astray!(page);
const WEEK_ASTRAY_IN_LIST: Dialects = Dialects {
    sqlite: week_astray!(list_sqlite),
    postgres: week_astray!(list_postgres),
};
const RECOMPUTE_WEEK: Dialects = Dialects {
    sqlite: recompute_week!(list_sqlite),
    postgres: recompute_week!(list_postgres),
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

async fn lock(tx: &mut Connection<'_>, members: &[i64]) -> Result<(), sqlx::Error> {
    tx.run(ENSURE_ROWS, vec![Value::ids(members)]).await?;
    tx.scalar::<i64, _>(LOCK, vec![Value::ids(members)]).await?;
    Ok(())
}

fn days(today: NaiveDate) -> Vec<Value> {
    vec![
        monday(today).into(),
        today.into(),
        (today - Days::new(1)).into(),
    ]
}

/// The members of a page whose stats are not what the ledgers give on `today`, in id order.
///
/// Who is found right needs nothing: what changes in the ledgers from now on brings an event of its own, and who is being recomputed at
/// this moment shows the stats from before and is found, if these were wrong.
pub(super) async fn drifted(
    db: impl Statements<'_>,
    page: Page,
    today: NaiveDate,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut values = days(today);
    values.extend([page.after.into(), page.to.into()]);
    db.scalars(ASTRAY, values).await
}

/// Sets every column of these members to what the ledgers give on `today`. Members that do not exist are passed over.
pub(super) async fn all(
    tx: &mut Connection<'_>,
    members: &[i64],
    today: NaiveDate,
) -> Result<u64, sqlx::Error> {
    if members.is_empty() {
        return Ok(0);
    }
    lock(tx, members).await?;
    let mut values = days(today);
    values.push(Value::ids(members));
    tx.run(RECOMPUTE, values).await
}

/// Sets the weekly count of these members, in id order, to what the week of `today` really holds. Who has it right is not touched.
pub(super) async fn week(
    tx: &mut Connection<'_>,
    members: &[i64],
    today: NaiveDate,
) -> Result<u64, sqlx::Error> {
    let monday = monday(today);
    let drifted: Vec<i64> = match page_of(members) {
        Some(page) => {
            let values = vec![monday.into(), page.after.into(), page.to.into()];
            tx.scalars(WEEK_ASTRAY_IN_PAGE, values).await?
        }
        None => {
            let values = vec![monday.into(), Value::ids(members)];
            tx.scalars(WEEK_ASTRAY_IN_LIST, values).await?
        }
    };
    if drifted.is_empty() {
        return Ok(0);
    }
    lock(tx, &drifted).await?;
    tx.run(RECOMPUTE_WEEK, vec![monday.into(), Value::ids(&drifted)])
        .await
}

/// The page around these members when there is hardly anybody else in it. Being recomputed does the others no harm.
fn page_of(members: &[i64]) -> Option<Page> {
    let (first, last) = (*members.first()?, *members.last()?);
    let page = Page {
        after: first.checked_sub(1)?,
        to: last,
    };
    (last.abs_diff(page.after) <= 2 * members.len() as u64).then_some(page)
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

    #[test]
    fn neighbours_are_a_page_and_strangers_a_list() {
        assert_eq!(page_of(&[5, 6, 8]), Some(Page { after: 4, to: 8 }));
        assert_eq!(page_of(&[7]), Some(Page { after: 6, to: 7 }));
        assert_eq!(page_of(&[1, 100]), None);
        assert_eq!(page_of(&[i64::MIN, i64::MAX]), None);
        assert_eq!(page_of(&[]), None);
    }
}
