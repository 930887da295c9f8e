//! The statements on `source` and `source_text`.

use crate::source::model::{ListedSource, SourceState, SourceText};
use chrono::{DateTime, Utc};
use ground::{Dialects, Statements, Value};

/// The newest thousand: a list does not grow without a bound.
const OF_MEMBER: &str = "SELECT s.id, s.original_name, s.status, s.page_count, s.file_size_bytes, s.created_at, s.failure_reason, \
       (SELECT COUNT(*) FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
         WHERE l.source_id = s.id AND q.deleted_at IS NULL) AS question_set_count, \
       (SELECT MAX(q.created_at) FROM question_set_source l JOIN question_set q ON q.id = l.question_set_id \
         WHERE l.source_id = s.id AND q.deleted_at IS NULL AND q.status = 'COMPLETE') AS recent_question_generated_at \
     FROM source s WHERE s.member_id = $1 AND s.status <> 'DELETED' ORDER BY s.created_at DESC, s.id DESC LIMIT 1000";
const MARK_DELETED: &str = "UPDATE source SET status = 'DELETED', deleted_at = $3, updated_at = $3 \
     WHERE id = $1 AND member_id = $2 AND status <> 'DELETED'";
const LIVING: &str = "SELECT id FROM source WHERE id = $1 AND status <> 'DELETED'";
/// In PostgreSQL the rows are held to the end of the caller's transaction: a source that it links to cannot be deleted meanwhile, and so
/// the cleanup, which only looks at DELETED ones, sees the link.
const USABLE: Dialects = Dialects {
    sqlite: "SELECT id, status, original_name, failure_reason FROM source \
             WHERE member_id = $1 AND status <> 'DELETED' AND id IN (SELECT value FROM json_each($2)) ORDER BY id",
    postgres: "SELECT id, status, original_name, failure_reason FROM source \
               WHERE member_id = $1 AND status <> 'DELETED' \
                 AND id = ANY ($2) ORDER BY id FOR SHARE",
};
const TEXTS: Dialects = Dialects {
    sqlite: "SELECT s.id, s.original_name, t.content FROM source s JOIN source_text t ON t.source_id = s.id \
             WHERE s.status IN ('READY', 'DELETED') AND s.id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT s.id, s.original_name, t.content FROM source s JOIN source_text t ON t.source_id = s.id \
               WHERE s.status IN ('READY', 'DELETED') AND s.id = ANY ($1)",
};

const TEXT_LENGTH: Dialects = Dialects {
    sqlite: "SELECT coalesce(sum(length(content)), 0) FROM source_text WHERE source_id IN (SELECT value FROM json_each($1))",
    postgres: "SELECT coalesce(sum(length(content)), 0)::bigint FROM source_text \
               WHERE source_id = ANY ($1)",
};

const DOCUMENTS: Dialects = Dialects {
    sqlite: "SELECT id, file_path, content_type, etag, file_size_bytes FROM source \
             WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
    postgres: "SELECT id, file_path, content_type, etag, file_size_bytes FROM source \
               WHERE id = ANY ($1) ORDER BY id",
};

/// Where the document of a source is.
pub(in crate::source) struct Document {
    pub(in crate::source) id: i64,
    pub(in crate::source) file_path: String,
    pub(in crate::source) content_type: String,
    pub(in crate::source) etag: Option<String>,
    pub(in crate::source) file_size_bytes: i64,
}
ground::from_row!(Document {
    id,
    file_path,
    content_type,
    etag,
    file_size_bytes
});

pub(in crate::source) async fn of_member(
    db: impl Statements<'_>,
    member_id: i64,
) -> Result<Vec<ListedSource>, sqlx::Error> {
    db.rows(OF_MEMBER, vec![member_id.into()]).await
}

/// Whether there was such a source to delete.
pub(in crate::source) async fn mark_deleted(
    db: impl Statements<'_>,
    id: i64,
    member_id: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), member_id.into(), now.into()];
    Ok(db.run(MARK_DELETED, values).await? == 1)
}

pub(in crate::source) async fn living(
    db: impl Statements<'_>,
    id: i64,
) -> Result<bool, sqlx::Error> {
    let found = db.scalar::<i64, _>(LIVING, vec![id.into()]).await?;
    Ok(found.is_some())
}

pub(in crate::source) async fn usable(
    db: impl Statements<'_>,
    member_id: i64,
    ids: &[i64],
) -> Result<Vec<SourceState>, sqlx::Error> {
    db.rows(USABLE, vec![member_id.into(), Value::ids(ids)])
        .await
}

/// The characters of all these texts together.
pub(in crate::source) async fn text_length(
    db: impl Statements<'_>,
    ids: &[i64],
) -> Result<i64, sqlx::Error> {
    let length = db
        .scalar::<i64, _>(TEXT_LENGTH, vec![Value::ids(ids)])
        .await?;
    Ok(length.unwrap_or_default())
}

pub(in crate::source) async fn documents(
    db: impl Statements<'_>,
    ids: &[i64],
) -> Result<Vec<Document>, sqlx::Error> {
    db.rows(DOCUMENTS, vec![Value::ids(ids)]).await
}

pub(in crate::source) async fn texts(
    db: impl Statements<'_>,
    ids: &[i64],
) -> Result<Vec<SourceText>, sqlx::Error> {
    db.rows(TEXTS, vec![Value::ids(ids)]).await
}
