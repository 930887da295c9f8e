//! What the cleanup and the pruning may take away, and its taking away.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, Value};

// DELETED, no living question set needs it, and no reader holds its object open: the same condition thrice, so that the rows go only if
// it still holds when they go.
const COUNT: Dialects = Dialects {
    sqlite: "SELECT COUNT(*) FROM source s WHERE s.status = 'DELETED' \
             AND (s.extraction_until IS NULL OR s.extraction_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00') \
             AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
               WHERE l.source_id = s.id AND q.deleted_at IS NULL)",
    postgres: "SELECT COUNT(*) FROM source s WHERE s.status = 'DELETED' \
               AND (s.extraction_until IS NULL OR s.extraction_until <= now()) \
               AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
                 WHERE l.source_id = s.id AND q.deleted_at IS NULL)",
};
const PAGE: Dialects = Dialects {
    sqlite: "SELECT s.id, s.file_path FROM source s WHERE s.status = 'DELETED' AND s.id > $1 \
             AND (s.extraction_until IS NULL OR s.extraction_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00') \
             AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
               WHERE l.source_id = s.id AND q.deleted_at IS NULL) \
             ORDER BY s.id LIMIT $2",
    postgres: "SELECT s.id, s.file_path FROM source s WHERE s.status = 'DELETED' AND s.id > $1 \
               AND (s.extraction_until IS NULL OR s.extraction_until <= now()) \
               AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
                 WHERE l.source_id = s.id AND q.deleted_at IS NULL) \
               ORDER BY s.id LIMIT $2",
};
const REMOVE: Dialects = Dialects {
    sqlite: "DELETE FROM source WHERE id IN (SELECT value FROM json_each($1)) AND status = 'DELETED' \
             AND (extraction_until IS NULL OR extraction_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00') \
             AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
               WHERE l.source_id = source.id AND q.deleted_at IS NULL) \
             RETURNING file_path",
    postgres: "DELETE FROM source WHERE id = ANY ($1) AND status = 'DELETED' \
               AND (extraction_until IS NULL OR extraction_until <= now()) \
               AND NOT EXISTS (SELECT 1 FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
                 WHERE l.source_id = source.id AND q.deleted_at IS NULL) \
               RETURNING file_path",
};
/// An upload whose URL still takes bytes is given up instead: the pruning deletes once more whatever is put there.
const GIVE_UP_OPEN: Dialects = Dialects {
    sqlite: "UPDATE upload SET source_id = NULL \
             WHERE file_path IN (SELECT value FROM json_each($1)) AND source_id IS NOT NULL AND expires_at >= $2",
    postgres: "UPDATE upload SET source_id = NULL \
               WHERE file_path = ANY ($1) AND source_id IS NOT NULL AND expires_at >= $2",
};
const FORGET_UPLOADS: Dialects = Dialects {
    sqlite: "DELETE FROM upload WHERE file_path IN (SELECT value FROM json_each($1)) AND source_id IS NOT NULL",
    postgres: "DELETE FROM upload WHERE file_path = ANY ($1) AND source_id IS NOT NULL",
};

const ABANDONED: &str = "SELECT id, file_path FROM upload \
     WHERE source_id IS NULL AND created_at < $1 AND id > $2 ORDER BY id LIMIT $3";
/// From here on nothing can be put to it and it cannot be completed. Completion sets both columns in one transaction, so an upload that
/// has the first alone was given up, by this run or by one that was killed.
const GIVE_UP: Dialects = Dialects {
    sqlite: "UPDATE upload SET completed_at = COALESCE(completed_at, $2) \
             WHERE id IN (SELECT value FROM json_each($1)) AND source_id IS NULL",
    postgres: "UPDATE upload SET completed_at = COALESCE(completed_at, $2) \
               WHERE id = ANY ($1) AND source_id IS NULL",
};
const GIVEN_UP: Dialects = Dialects {
    sqlite: "SELECT id, file_path FROM upload \
             WHERE id IN (SELECT value FROM json_each($1)) AND source_id IS NULL AND completed_at IS NOT NULL",
    postgres: "SELECT id, file_path FROM upload \
               WHERE id = ANY ($1) AND source_id IS NULL AND completed_at IS NOT NULL",
};
const PRUNE: Dialects = Dialects {
    sqlite: "DELETE FROM upload \
             WHERE id IN (SELECT value FROM json_each($1)) AND source_id IS NULL AND completed_at IS NOT NULL",
    postgres: "DELETE FROM upload \
               WHERE id = ANY ($1) AND source_id IS NULL AND completed_at IS NOT NULL",
};

#[derive(Clone, Debug)]
pub(in crate::source) struct Removable {
    pub(in crate::source) id: i64,
    pub(in crate::source) file_path: String,
}
ground::from_row!(Removable { id, file_path });

#[derive(Clone, Debug)]
pub(in crate::source) struct Abandoned {
    pub(in crate::source) id: String,
    pub(in crate::source) file_path: String,
}
ground::from_row!(Abandoned { id, file_path });

pub(in crate::source) async fn count(db: impl Statements<'_>) -> Result<u64, sqlx::Error> {
    let count = db.scalar::<i64, _>(COUNT, vec![]).await?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

pub(in crate::source) async fn page(
    db: impl Statements<'_>,
    after: i64,
    limit: u32,
) -> Result<Vec<Removable>, sqlx::Error> {
    let values = vec![after.into(), i64::from(limit).into()];
    db.rows(PAGE, values).await
}

/// Removes the rows of those of these sources that may still go. How many went. Where upload URLs outlive their uploads, `expired` is a
/// time by which the URLs of older ones are closed for sure.
pub(in crate::source) async fn remove(
    tx: &mut Connection<'_>,
    ids: &[i64],
    expired: Option<DateTime<Utc>>,
) -> Result<u64, sqlx::Error> {
    let paths = tx
        .scalars::<String, _>(REMOVE, vec![Value::ids(ids)])
        .await?;
    let removed = paths.len() as u64;
    if let Some(expired) = expired {
        tx.run(GIVE_UP_OPEN, vec![Value::texts(&paths), expired.into()])
            .await?;
    }
    tx.run(FORGET_UPLOADS, vec![Value::texts(&paths)]).await?;
    Ok(removed)
}

/// Uploads asked for before `cutoff` that never became a source.
pub(in crate::source) async fn abandoned(
    db: impl Statements<'_>,
    cutoff: DateTime<Utc>,
    after: &str,
    limit: u32,
) -> Result<Vec<Abandoned>, sqlx::Error> {
    let values = vec![cutoff.into(), after.into(), i64::from(limit).into()];
    db.rows(ABANDONED, values).await
}

/// Closes these uploads for ever; those that are closed and never became a source.
pub(in crate::source) async fn give_up(
    tx: &mut Connection<'_>,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<Abandoned>, sqlx::Error> {
    tx.run(GIVE_UP, vec![Value::texts(ids), now.into()]).await?;
    tx.rows(GIVEN_UP, vec![Value::texts(ids)]).await
}

pub(in crate::source) async fn prune(
    tx: &mut Connection<'_>,
    ids: &[String],
) -> Result<u64, sqlx::Error> {
    tx.run(PRUNE, vec![Value::texts(ids)]).await
}
