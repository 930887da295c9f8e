//! The rows. Parameters of each statement: $1 and $2 the first and the last member, $3 the seed, $4 the number of days, $5 the last day, $6
//! noon in seconds from midnight UTC, $7 the day before the first.

use ground::Dialects;

/// Numbers are taken modulo this, so that the product of two of them fits into 64 bits on both databases.
pub(super) const PRIME: u64 = 2_147_483_647;
/// Questions of each member's set, and most answers of a day.
pub(super) const QUESTIONS: i64 = 3;

pub(super) const OTHERS: &str = "SELECT count(*) FROM member";

// $1: the number of days.
pub(super) const LAST_IN_USE: &str = "SELECT max(n) FROM (SELECT coalesce(max(id), 0) AS n FROM member \
     UNION ALL SELECT coalesce(max(id), 0) FROM question_set UNION ALL SELECT (coalesce(max(id), 0) + 2) / 3 FROM question \
     UNION ALL SELECT (coalesce(max(id), 0) + $1 - 1) / $1 FROM learn_stats_daily \
     UNION ALL SELECT (coalesce(max(id), 0) + $1 * 3 - 1) / ($1 * 3) FROM marking_result) AS used";
// $1: a table, $2: the last id that it is not to give by itself.
pub(super) const RESERVE: Dialects = Dialects {
    sqlite: "INSERT INTO sqlite_sequence (name, seq) SELECT $1, max($2, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = $1), 0))",
    postgres: "SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2, nextval(pg_get_serial_sequence($1, 'id'))))",
};
// In SQLite the row is added first: the table of sequences has no key of its own.
pub(super) const TIDY_SQLITE: &str = "DELETE FROM sqlite_sequence WHERE name = $1 AND rowid < \
     (SELECT max(rowid) FROM sqlite_sequence WHERE name = $1)";

/// A million rows that no statistics know of are planned for as if there were none.
pub(super) const ANALYZE: &str =
    "ANALYZE member, question_set, question, learn_stats_daily, marking_result, learn_stats";

// The members, as a series.
macro_rules! members_sqlite {
    () => {
        "WITH RECURSIVE chosen (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM chosen WHERE n < $2) "
    };
}
macro_rules! members_postgres {
    () => {
        "WITH chosen (n) AS (SELECT generate_series($1::bigint, $2::bigint)) "
    };
}
macro_rules! on_both {
    ($macro:ident, $sqlite_day:literal, $postgres_day:literal) => {
        Dialects {
            sqlite: concat!(members_sqlite!(), $macro!($sqlite_day)),
            postgres: concat!(members_postgres!(), $macro!($postgres_day)),
        }
    };
}
macro_rules! member {
    ($created:literal) => {
        concat!(
            "INSERT INTO member (id, name, email, created_at) \
             SELECT n, 'Seed member ' || n, 'member' || n || '@seed.example.com', ",
            $created,
            " FROM chosen"
        )
    };
}
macro_rules! set {
    ($created:literal) => {
        concat!(
            "INSERT INTO question_set (id, owner_id, title, difficulty, type, question_length, status, pending_since, created_at, updated_at) \
             SELECT n, n, 'Seed set ' || n, 'EASY', 'TRUE_FALSE', 3, 'COMPLETE', t, t, t FROM (SELECT n, ", $created, " AS t FROM chosen) AS made"
        )
    };
}
macro_rules! question {
    ($created:literal) => {
        "INSERT INTO question (id, question_set_id, position, question_type, question_text, answer, explanation) \
         SELECT (n - 1) * 3 + place, n, place, 'TRUE_FALSE', 'Is ' || place || ' odd?', \
           CASE WHEN place % 2 = 1 THEN 'true' ELSE 'false' END, 'Odd numbers leave a rest of 1.' \
         FROM chosen, (SELECT 1 AS place UNION ALL SELECT 2 UNION ALL SELECT 3) AS places"
    };
}
// Two numbers that look like chance: one decides how eager the member is (a rate per thousand days), one what happens on a day.
macro_rules! day {
    ($days:literal, $date:literal) => {
        concat!(
            $days,
            "eager AS (SELECT n, CASE WHEN x * x % 2147483647 % 100 < 60 THEN 17 WHEN x * x % 2147483647 % 100 < 90 THEN 83 \
               WHEN x * x % 2147483647 % 100 < 98 THEN 250 ELSE 1000 END AS rate \
               FROM (SELECT n, (n % 2147483647 * 48271 + $3) % 2147483647 * 16807 % 2147483647 AS x FROM chosen) AS mixed), \
             lived AS (SELECT n, d, rate, (n % 2147483647 * 48271 + $3) % 2147483647 * ((d * 69621 + $3 + 16807) % 2147483647) % 2147483647 AS y \
               FROM eager, days), \
             decided AS (SELECT n, d, rate, y * y % 2147483647 AS chance FROM lived) \
             INSERT INTO learn_stats_daily (id, member_id, activity_date, solved_question_count, solved_question_set_count) \
             SELECT (n - 1) * $4 + d + 1, n, ", $date, ", chance / 1000 % 3 + 1, chance / 1000 % 3 / 2 \
             FROM decided WHERE chance % 1000 < rate"
        )
    };
}
macro_rules! result {
    ($noon:literal) => {
        concat!(
            "INSERT INTO marking_result (id, member_id, question_id, is_correct, created_at) \
             SELECT (l.id - 1) * 3 + place, l.member_id, (l.member_id - 1) * 3 + place, (l.id % 2147483647 * 48271 + place * 69621 + $3) % 2147483647 % 10 < 7, ",
            $noon,
            " FROM learn_stats_daily l, (SELECT 1 AS place UNION ALL SELECT 2 UNION ALL SELECT 3) AS places \
             WHERE l.member_id >= $1 AND l.member_id <= $2 AND place <= l.solved_question_count"
        )
    };
}

/// In this order: each refers to those before.
pub(super) const ROWS: [Dialects; 5] = [
    on_both!(
        member,
        "$7 || 'T12:00:00.000000+00:00'",
        "($7::date + interval '12 hours') AT TIME ZONE 'UTC'"
    ),
    on_both!(
        set,
        "$7 || 'T12:00:00.000000+00:00'",
        "($7::date + interval '12 hours') AT TIME ZONE 'UTC'"
    ),
    on_both!(question, "", ""),
    Dialects {
        sqlite: day!(
            "WITH RECURSIVE chosen (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM chosen WHERE n < $2), \
             days (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM days WHERE d + 1 < $4), ",
            "date($5, '-' || d || ' days')"
        ),
        postgres: day!(
            "WITH chosen (n) AS (SELECT generate_series($1::bigint, $2::bigint)), \
             days (d) AS (SELECT generate_series(0::bigint, $4::bigint - 1)), ",
            "$5::date - d::int"
        ),
    },
    Dialects {
        sqlite: result!(
            "strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', l.activity_date, $6 || ' seconds')"
        ),
        postgres: result!("(l.activity_date + $6 * interval '1 second') AT TIME ZONE 'UTC'"),
    },
];
