//! The same work as bare statements, each for all members at once.

use ground::Dialects;

macro_rules! recalibrate {
    ($island:literal) => {
        concat!(
            "UPDATE learn_stats SET total_solved_question_count = x.questions, total_solved_question_set_count = x.sets, \
               weekly_solved_question_count = x.week, last_learning_date = x.last_day, consecutive_learning_days = x.streak, \
               total_correct_question_count = x.correct, total_question_count = x.owned \
             FROM (SELECT m.id AS member_id, coalesce(t.questions, 0) AS questions, coalesce(t.sets, 0) AS sets, coalesce(t.week, 0) AS week, \
               t.last_day, coalesce(k.days, 0) AS streak, coalesce(c.answers, 0) AS correct, coalesce(o.questions, 0) AS owned FROM member m \
               LEFT JOIN (SELECT member_id, sum(solved_question_count) AS questions, sum(solved_question_set_count) AS sets, \
                 sum(CASE WHEN activity_date >= $1 THEN solved_question_count ELSE 0 END) AS week, \
                 max(CASE WHEN solved_question_count > 0 THEN activity_date END) AS last_day \
                 FROM learn_stats_daily GROUP BY member_id) AS t ON t.member_id = m.id \
               LEFT JOIN (SELECT member_id, count(*) AS days FROM (SELECT member_id, activity_date, ", $island, " AS island \
                 FROM learn_stats_daily WHERE solved_question_count > 0 AND activity_date <= $2) AS i \
                 GROUP BY member_id, island HAVING max(activity_date) >= $3) AS k ON k.member_id = m.id \
               LEFT JOIN (SELECT member_id, count(*) AS answers FROM marking_result WHERE is_correct GROUP BY member_id) AS c \
                 ON c.member_id = m.id \
               LEFT JOIN (SELECT s.owner_id, count(*) AS questions FROM question_set s JOIN question q ON q.question_set_id = s.id \
                 WHERE s.status = 'COMPLETE' AND s.deleted_at IS NULL GROUP BY s.owner_id) AS o ON o.owner_id = m.id) AS x \
             WHERE learn_stats.member_id = x.member_id AND (learn_stats.total_solved_question_count <> x.questions \
               OR learn_stats.total_solved_question_set_count <> x.sets OR learn_stats.weekly_solved_question_count <> x.week \
               OR learn_stats.consecutive_learning_days <> x.streak OR learn_stats.total_correct_question_count <> x.correct \
               OR learn_stats.total_question_count <> x.owned OR learn_stats.last_learning_date IS DISTINCT FROM x.last_day)"
        )
    };
}

/// $1: yesterday.
pub(crate) const STREAKS: &str = "UPDATE learn_stats SET consecutive_learning_days = 0 \
     WHERE consecutive_learning_days <> 0 AND (last_learning_date IS NULL OR last_learning_date < $1)";
/// $1: the week, $2: now.
pub(crate) const PUBLISH: Dialects = Dialects {
    sqlite: "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, next_attempt_at, created_at) \
         SELECT lower(hex(randomblob(16))), 'WEEKLY_RESET', 'member:' || id, json_object('version', 1, 'memberId', id, 'week', $1), $2, $2 \
         FROM member ORDER BY id",
    postgres: "INSERT INTO outbox_event (event_id, event_type, aggregate_key, payload, next_attempt_at, created_at) \
         SELECT gen_random_uuid(), 'WEEKLY_RESET', 'member:' || id, jsonb_build_object('version', 1, 'memberId', id, 'week', $1::text), $2, $2 \
         FROM member ORDER BY id",
};
/// $1: Monday.
pub(crate) const APPLY: &str = "UPDATE learn_stats SET weekly_solved_question_count = x.questions FROM \
     (SELECT s.member_id, coalesce(sum(d.solved_question_count), 0) AS questions FROM learn_stats s \
       LEFT JOIN learn_stats_daily d ON d.member_id = s.member_id AND d.activity_date >= $1 GROUP BY s.member_id) AS x \
     WHERE learn_stats.member_id = x.member_id AND learn_stats.weekly_solved_question_count <> x.questions";
pub(crate) const DELETE: &str = "DELETE FROM outbox_event";
/// $1: Monday, $2: today, $3: yesterday.
pub(crate) const RECALIBRATE: Dialects = Dialects {
    sqlite: recalibrate!(
        "julianday(activity_date) - row_number() OVER (PARTITION BY member_id ORDER BY activity_date)"
    ),
    postgres: recalibrate!(
        "activity_date - (row_number() OVER (PARTITION BY member_id ORDER BY activity_date))::int"
    ),
};
