//! The statements on `upload`.

use crate::platform::storage::{ObjectMeta, UploadTicket};
use crate::source::model::{SourceStatus, Upload};
use chrono::{DateTime, Utc};
use ground::{Connection, Statements};

const INSERT: &str = "INSERT INTO upload \
     (id, member_id, file_path, original_name, content_type, file_size_bytes, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const BY_ID: &str = "SELECT id, member_id, file_path, original_name, content_type, file_size_bytes, completed_at, source_id \
     FROM upload WHERE id = $1";
const CLOSE: &str = "UPDATE upload SET completed_at = $2 WHERE id = $1 AND completed_at IS NULL";
// Its turn: behind the member's own waiting documents, and beside the first ones of all others.
const INSERT_SOURCE: &str = "INSERT INTO source \
     (member_id, original_name, content_type, file_path, file_size_bytes, status, created_at, updated_at, etag, extraction_turn) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $7, $8, max(turn) FROM \
       (SELECT COALESCE(min(extraction_turn), 0) AS turn FROM source \
          WHERE status IN ('UPLOADED', 'PROCESSING') AND extraction_slow = 0 \
        UNION ALL SELECT COALESCE(max(extraction_turn) + 1, 0) FROM source \
          WHERE status IN ('UPLOADED', 'PROCESSING') AND member_id = $1) AS turns RETURNING id";
const LINK: &str = "UPDATE upload SET source_id = $2 WHERE id = $1";

pub(in crate::source) async fn insert(
    db: impl Statements<'_>,
    member_id: i64,
    original_name: &str,
    ticket: &UploadTicket,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let values = vec![
        ticket.upload_id.to_string().into(),
        member_id.into(),
        ticket.key.as_str().into(),
        original_name.into(),
        ticket.content_type.as_str().into(),
        bytes(ticket.size).into(),
        now.into(),
        ticket.expires_at.into(),
    ];
    db.run(INSERT, values).await.map(drop)
}

pub(in crate::source) async fn by_id(
    db: impl Statements<'_>,
    id: &str,
) -> Result<Option<Upload>, sqlx::Error> {
    db.row(BY_ID, vec![id.into()]).await
}

/// Makes an open upload a source, once: `None` when somebody closed it before.
pub(in crate::source) async fn complete(
    tx: &mut Connection<'_>,
    upload: &Upload,
    object: &ObjectMeta,
    now: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let id = upload.id.as_str();
    if tx.run(CLOSE, vec![id.into(), now.into()]).await? == 0 {
        return Ok(None);
    }
    let values = vec![
        upload.member_id.into(),
        upload.original_name.as_str().into(),
        upload.content_type.as_str().into(),
        upload.file_path.as_str().into(),
        upload.file_size_bytes.into(),
        SourceStatus::Uploaded.name().into(),
        now.into(),
        object.etag.as_str().into(),
    ];
    let source_id = tx
        .scalar::<i64, _>(INSERT_SOURCE, values)
        .await?
        .ok_or_else(|| ground::unexpected("a new source has no id"))?;
    tx.run(LINK, vec![id.into(), source_id.into()]).await?;
    Ok(Some(source_id))
}

/// Sizes are bounded far below what the column holds.
fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
