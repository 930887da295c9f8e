//! The statements on `question_set`, its sources and its questions.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, Value};
use question_maker::{Answer, Difficulty, GeneratedQuestion, QuestionKind};

use super::model::{MarkableQuestion, Question, QuestionSet};

macro_rules! set_columns {
    () => {
        "id, owner_id, title, difficulty, type, question_length, status, retry_count, retryable, \
         failure_reason, failure_message, version, pending_since, created_at, updated_at, deleted_at"
    };
}

// Counted by the statement that inserts.
const INSERT: &str = "INSERT INTO question_set \
     (owner_id, title, difficulty, type, question_length, status, pending_since, created_at, updated_at) \
     SELECT $1, $2, $3, $4, $5, 'PENDING', $6, $6, $6 \
     WHERE (SELECT COUNT(*) FROM question_set WHERE owner_id = $1 AND created_at >= $7) < $8 \
       AND (SELECT COUNT(*) FROM question_set WHERE owner_id = $1 AND status = 'PENDING' AND deleted_at IS NULL) < $9 \
     RETURNING id";
// PostgreSQL counts what is committed: requests of one member take turns, and each counts after the one before.
const TAKE_TURNS: Dialects = Dialects {
    sqlite: "SELECT id FROM member WHERE id = $1",
    postgres: "SELECT id FROM member WHERE id = $1 FOR NO KEY UPDATE",
};
const ASKED_SINCE: &str =
    "SELECT COUNT(*) FROM question_set WHERE owner_id = $1 AND created_at >= $2";
const LINK: Dialects = Dialects {
    sqlite: "INSERT INTO question_set_source (question_set_id, source_id) SELECT $1, value FROM json_each($2)",
    postgres: "INSERT INTO question_set_source (question_set_id, source_id) \
         SELECT $1, unnest($2)",
};
const BY_ID: &str = concat!(
    "SELECT ",
    set_columns!(),
    " FROM question_set WHERE id = $1"
);
const OWNED: &str = concat!(
    "SELECT ",
    set_columns!(),
    " FROM question_set WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL"
);
const PAGE: &str = concat!(
    "SELECT ",
    set_columns!(),
    " FROM question_set WHERE owner_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3"
);
const SOURCES: &str =
    "SELECT source_id FROM question_set_source WHERE question_set_id = $1 ORDER BY source_id";
const QUESTIONS: &str = "SELECT id, question_type, question_text, options, answer, explanation \
     FROM question WHERE question_set_id = $1 ORDER BY position";
const RENAME: &str = "UPDATE question_set SET title = $3, version = version + 1, updated_at = $4 \
     WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE question_set SET deleted_at = $3, version = version + 1, updated_at = $3 \
     WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL";
// A result counts only for the attempt that is waiting for it.
const COMPLETE: &str = "UPDATE question_set SET status = 'COMPLETE', failure_reason = NULL, failure_message = NULL, \
     version = version + 1, updated_at = $3 \
     WHERE id = $1 AND retry_count = $2 AND status = 'PENDING' AND deleted_at IS NULL";
const FAIL: &str = "UPDATE question_set SET status = 'FAILED', failure_reason = $3, failure_message = $4, \
     retryable = $5, version = version + 1, updated_at = $6 \
     WHERE id = $1 AND retry_count = $2 AND status = 'PENDING' AND deleted_at IS NULL";
const INSERT_QUESTIONS: Dialects = Dialects {
    sqlite: "INSERT INTO question (question_set_id, position, question_type, question_text, options, answer, explanation) \
         SELECT $1, key + 1, $2, value ->> 'text', value -> 'options', value ->> 'answer', value ->> 'explanation' \
         FROM json_each($3) ORDER BY key",
    postgres: "INSERT INTO question (question_set_id, position, question_type, question_text, options, answer, explanation) \
         SELECT $1, place, $2, value ->> 'text', NULLIF(value -> 'options', 'null'::jsonb), value ->> 'answer', \
         value ->> 'explanation' FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS item (value, place) ORDER BY place",
};
const MARKABLE: Dialects = Dialects {
    sqlite: "SELECT q.id, q.question_set_id, q.question_type, q.answer, \
         (SELECT count(*) FROM question o WHERE o.question_set_id = q.question_set_id) AS questions_in_set \
         FROM question q JOIN question_set s ON s.id = q.question_set_id \
         WHERE q.id IN (SELECT value FROM json_each($1)) AND s.owner_id = $2 AND s.deleted_at IS NULL \
         AND s.status = 'COMPLETE'",
    postgres: "SELECT q.id, q.question_set_id, q.question_type, q.answer, \
         (SELECT count(*) FROM question o WHERE o.question_set_id = q.question_set_id) AS questions_in_set \
         FROM question q JOIN question_set s ON s.id = q.question_set_id \
         WHERE q.id = ANY ($1) AND s.owner_id = $2 \
         AND s.deleted_at IS NULL AND s.status = 'COMPLETE'",
};

/// How many sets one member may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// The day's beginning.
    pub(super) since: DateTime<Utc>,
    /// Asked for since then.
    pub(super) since_then: i64,
    /// Being made.
    pub(super) pending: i64,
}

/// A set to make.
pub(super) struct NewSet<'a> {
    pub(super) owner_id: i64,
    pub(super) title: &'a str,
    pub(super) difficulty: Difficulty,
    pub(super) kind: QuestionKind,
    pub(super) count: i32,
    pub(super) source_ids: &'a [i64],
    pub(super) now: DateTime<Utc>,
}

pub(super) async fn insert(
    tx: &mut Connection<'_>,
    set: NewSet<'_>,
    most: Most,
) -> Result<Option<i64>, sqlx::Error> {
    let owner = vec![set.owner_id.into()];
    tx.scalar::<i64, _>(TAKE_TURNS, owner).await?;
    let values = vec![
        set.owner_id.into(),
        set.title.into(),
        set.difficulty.as_str().into(),
        set.kind.as_str().into(),
        set.count.into(),
        set.now.into(),
        most.since.into(),
        most.since_then.into(),
        most.pending.into(),
    ];
    let Some(id) = tx.scalar::<i64, _>(INSERT, values).await? else {
        return Ok(None);
    };
    tx.run(LINK, vec![id.into(), Value::ids(set.source_ids)])
        .await?;
    Ok(Some(id))
}

/// Sets that a member has asked for since then, deleted ones included.
pub(super) async fn asked_since(
    tx: &mut Connection<'_>,
    owner_id: i64,
    since: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let asked = tx.scalar(ASKED_SINCE, vec![owner_id.into(), since.into()]);
    Ok(asked.await?.unwrap_or_default())
}

pub(super) async fn by_id(
    c: impl Statements<'_>,
    id: i64,
) -> Result<Option<QuestionSet>, sqlx::Error> {
    c.row(BY_ID, vec![id.into()]).await
}

/// The living set of this owner.
pub(super) async fn owned(
    c: impl Statements<'_>,
    id: i64,
    owner_id: i64,
) -> Result<Option<QuestionSet>, sqlx::Error> {
    c.row(OWNED, vec![id.into(), owner_id.into()]).await
}

/// The owner's living sets with ids below `before`, newest first.
pub(super) async fn page(
    c: impl Statements<'_>,
    owner_id: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<QuestionSet>, sqlx::Error> {
    c.rows(PAGE, vec![owner_id.into(), before.into(), limit.into()])
        .await
}

pub(super) async fn source_ids(c: impl Statements<'_>, id: i64) -> Result<Vec<i64>, sqlx::Error> {
    c.scalars(SOURCES, vec![id.into()]).await
}

pub(super) async fn questions(
    c: impl Statements<'_>,
    id: i64,
) -> Result<Vec<Question>, sqlx::Error> {
    c.rows(QUESTIONS, vec![id.into()]).await
}

/// Whether there was such a set.
pub(super) async fn rename(
    c: impl Statements<'_>,
    id: i64,
    owner_id: i64,
    title: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), owner_id.into(), title.into(), now.into()];
    Ok(c.run(RENAME, values).await? == 1)
}

/// Whether there was such a set.
pub(super) async fn delete(
    c: impl Statements<'_>,
    id: i64,
    owner_id: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), owner_id.into(), now.into()];
    Ok(c.run(DELETE, values).await? == 1)
}

/// Whether this attempt was still the one that is waited for.
pub(super) async fn complete(
    tx: &mut Connection<'_>,
    id: i64,
    attempt: i32,
    kind: QuestionKind,
    questions: &[GeneratedQuestion],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), attempt.into(), now.into()];
    if tx.run(COMPLETE, values).await? != 1 {
        return Ok(false);
    }
    let rows: Vec<_> = questions
        .iter()
        .map(|question| {
            let answer = match &question.answer {
                Answer::Text(text) => text.clone(),
                Answer::Boolean(value) => value.to_string(),
            };
            let mut row = serde_json::json!({
                "text": question.text, "answer": answer, "explanation": question.explanation,
            });
            if let Some(options) = &question.options {
                row["options"] = serde_json::json!(options);
            }
            row
        })
        .collect();
    let rows = serde_json::Value::Array(rows).to_string();
    let values = vec![id.into(), kind.as_str().into(), rows.into()];
    let inserted = tx.run(INSERT_QUESTIONS, values).await?;
    if inserted != questions.len() as u64 {
        return Err(ground::unexpected(format!(
            "{inserted} of {} questions were stored",
            questions.len()
        )));
    }
    Ok(true)
}

/// Why an attempt failed.
pub(super) struct Failure<'a> {
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    pub(super) retryable: bool,
}

/// Whether this attempt was still the one that is waited for.
pub(super) async fn fail(
    tx: &mut Connection<'_>,
    id: i64,
    attempt: i32,
    failure: &Failure<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![
        id.into(),
        attempt.into(),
        failure.reason.into(),
        failure.message.into(),
        failure.retryable.into(),
        now.into(),
    ];
    Ok(tx.run(FAIL, values).await? == 1)
}

/// Those of the questions that this member can solve now.
pub(super) async fn markable(
    c: impl Statements<'_>,
    owner_id: i64,
    ids: &[i64],
) -> Result<Vec<MarkableQuestion>, sqlx::Error> {
    c.rows(MARKABLE, vec![Value::ids(ids), owner_id.into()])
        .await
}
