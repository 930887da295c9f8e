//! Who reads a source's text, and until when that reader may be believed alive.
//!
//! The database's clock alone measures leases, so that nodes need not agree on the time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements};

/// A source that waits, and a reader that died: nobody holds it, or not any more.
const WAITING: Dialects = Dialects {
    sqlite: "SELECT id FROM source WHERE status IN ('UPLOADED', 'PROCESSING') \
             AND extraction_slow <= $1 AND (extraction_until IS NULL OR extraction_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00') \
             ORDER BY extraction_slow, extraction_turn, id LIMIT 1",
    postgres: "SELECT id FROM source WHERE status IN ('UPLOADED', 'PROCESSING') \
               AND extraction_slow <= $1 AND (extraction_until IS NULL OR extraction_until <= now()) ORDER BY extraction_slow, extraction_turn, id LIMIT 1",
};
const CLAIM: Dialects = Dialects {
    sqlite: "UPDATE source SET status = 'PROCESSING', extraction_owner = $1, updated_at = $3, \
               extraction_until = strftime('%Y-%m-%dT%H:%M:%f', 'now', '+' || $2 || ' seconds') || '000+00:00' \
             WHERE id = (SELECT id FROM source WHERE status IN ('UPLOADED', 'PROCESSING') \
               AND extraction_slow <= $4 AND (extraction_until IS NULL OR extraction_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00') \
               ORDER BY extraction_slow, extraction_turn, id LIMIT 1) \
             RETURNING id, file_path, content_type, etag, extraction_attempts AS attempts, extraction_slow AS slow",
    postgres: "UPDATE source SET status = 'PROCESSING', extraction_owner = $1, updated_at = $3, \
                 extraction_until = now() + make_interval(secs => $2) \
               WHERE id = (SELECT id FROM source WHERE status IN ('UPLOADED', 'PROCESSING') \
                 AND extraction_slow <= $4 AND (extraction_until IS NULL OR extraction_until <= now()) \
                 ORDER BY extraction_slow, extraction_turn, id LIMIT 1 FOR UPDATE SKIP LOCKED) \
               RETURNING id, file_path, content_type, etag, extraction_attempts AS attempts, extraction_slow AS slow",
};
const EXTEND: Dialects = Dialects {
    sqlite: "UPDATE source SET extraction_until = strftime('%Y-%m-%dT%H:%M:%f', 'now', '+' || $3 || ' seconds') || '000+00:00' \
             WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'",
    postgres: "UPDATE source SET extraction_until = now() + make_interval(secs => $3) \
               WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'",
};
const READY: &str = "UPDATE source SET status = 'READY', page_count = $3, updated_at = $4, failure_code = NULL, failure_reason = NULL, \
       extraction_owner = NULL, extraction_until = NULL \
     WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'";
const KEEP_TEXT: &str = "INSERT INTO source_text (source_id, content) VALUES ($1, $2) \
     ON CONFLICT (source_id) DO UPDATE SET content = excluded.content";
const FAILED: &str = "UPDATE source SET status = 'FAILED', failure_code = $3, failure_reason = $4, updated_at = $5, \
       extraction_owner = NULL, extraction_until = NULL \
     WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'";
const GIVE_BACK: Dialects = Dialects {
    sqlite: "UPDATE source SET status = 'UPLOADED', extraction_owner = NULL, extraction_attempts = $4, updated_at = $5, \
               extraction_until = strftime('%Y-%m-%dT%H:%M:%f', 'now', '+' || $3 || ' seconds') || '000+00:00' \
             WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'",
    postgres: "UPDATE source SET status = 'UPLOADED', extraction_owner = NULL, extraction_attempts = $4, updated_at = $5, \
                 extraction_until = now() + make_interval(secs => $3) \
               WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'",
};
const SLOW: &str = "UPDATE source SET status = 'UPLOADED', extraction_owner = NULL, extraction_until = NULL, extraction_slow = 1, \
       updated_at = $3 \
     WHERE id = $1 AND extraction_owner = $2 AND status = 'PROCESSING'";
const RELEASE: &str = "UPDATE source SET extraction_owner = NULL, extraction_until = NULL \
     WHERE id = $1 AND extraction_owner = $2 AND status <> 'PROCESSING'";

/// A source taken for reading.
#[derive(Clone, Debug)]
pub(in crate::source) struct Taken {
    pub(in crate::source) id: i64,
    pub(in crate::source) file_path: String,
    pub(in crate::source) content_type: String,
    pub(in crate::source) etag: Option<String>,
    /// Earlier readings that the machine, not the document, brought down.
    pub(in crate::source) attempts: i32,
    /// 1 when a first, short reading used up its time.
    pub(in crate::source) slow: i32,
}
ground::from_row!(Taken {
    id,
    file_path,
    content_type,
    etag,
    attempts,
    slow
});

/// Whether there is anything to claim, without taking a lock; `slow` when it may be slow.
pub(in crate::source) async fn any_waiting(
    db: impl Statements<'_>,
    slow: bool,
) -> Result<bool, sqlx::Error> {
    let values = vec![i32::from(slow).into()];
    Ok(db.scalar::<i64, _>(WAITING, values).await?.is_some())
}

pub(in crate::source) async fn claim(
    db: impl Statements<'_>,
    owner: &str,
    lease: Duration,
    slow: bool,
    now: DateTime<Utc>,
) -> Result<Option<Taken>, sqlx::Error> {
    let values = vec![
        owner.into(),
        lease.as_secs_f64().into(),
        now.into(),
        i32::from(slow).into(),
    ];
    db.row(CLAIM, values).await
}

/// Whether the source is still this owner's to read.
pub(in crate::source) async fn extend(
    db: impl Statements<'_>,
    id: i64,
    owner: &str,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), owner.into(), lease.as_secs_f64().into()];
    Ok(db.run(EXTEND, values).await? == 1)
}

/// Keeps the text, if the source is still this owner's; else changes nothing.
pub(in crate::source) async fn ready(
    tx: &mut Connection<'_>,
    id: i64,
    owner: &str,
    text: &str,
    page_count: Option<i32>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), owner.into(), page_count.into(), now.into()];
    if tx.run(READY, values).await? == 0 {
        return Ok(false);
    }
    tx.run(KEEP_TEXT, vec![id.into(), text.into()]).await?;
    Ok(true)
}

pub(in crate::source) async fn failed(
    db: impl Statements<'_>,
    id: i64,
    owner: &str,
    code: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    // The column holds 500 characters.
    let reason = reason.chars().take(500).collect::<String>();
    let values = vec![
        id.into(),
        owner.into(),
        code.into(),
        reason.into(),
        now.into(),
    ];
    Ok(db.run(FAILED, values).await? == 1)
}

/// Lets another reading begin, after a while.
pub(in crate::source) async fn give_back(
    db: impl Statements<'_>,
    id: i64,
    owner: &str,
    attempts: i32,
    after: Duration,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![
        id.into(),
        owner.into(),
        after.as_secs_f64().into(),
        attempts.into(),
        now.into(),
    ];
    Ok(db.run(GIVE_BACK, values).await? == 1)
}

/// Lets the source be read again, with all its time, behind those that need less.
pub(in crate::source) async fn slow(
    db: impl Statements<'_>,
    id: i64,
    owner: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let values = vec![id.into(), owner.into(), now.into()];
    Ok(db.run(SLOW, values).await? == 1)
}

/// Takes this owner's name off a source that was deleted while it was read, so that the cleanup need not wait for the lease.
pub(in crate::source) async fn release(
    db: impl Statements<'_>,
    id: i64,
    owner: &str,
) -> Result<(), sqlx::Error> {
    let values = vec![id.into(), owner.into()];
    db.run(RELEASE, values).await.map(drop)
}
