//! The record of who replayed or discarded which dead event.
//!
//! An entry is written in the transaction of the action: both commit or neither does. It has no payload, which may hold a
//! member's data.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Executor, Row, Statements, Value};
use serde::Serialize;

use crate::OutboxError;

/// What an operator did to a dead event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// Replayed this one.
    Replay,
    /// Replayed every dead event, and so this one.
    ReplayAll,
    /// Deleted it for good.
    Discard,
}

impl Action {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "REPLAY",
            Self::ReplayAll => "REPLAY_ALL",
            Self::Discard => "DISCARD",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Replay, Self::ReplayAll, Self::Discard]
            .into_iter()
            .find(|action| action.as_str() == text)
    }
}

/// One event's part in an action, with the event as it was before.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its place in the order of the entries.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, in the caller's words.
    pub actor: String,
    /// What.
    pub action: Action,
    /// Row id of the event.
    pub event: i64,
    /// The event's name everywhere.
    pub event_id: String,
    /// What had happened.
    pub event_type: String,
    /// Whom it had happened to.
    pub aggregate_key: String,
    /// Failed attempts.
    pub attempts: i32,
    /// What the last attempt had said.
    pub last_error: Option<String>,
}

// Locked in PostgreSQL, so that what is written here is what the action finds.
const WRITE: Dialects = Dialects {
    postgres: "INSERT INTO outbox_audit
            (at, actor, action, event, event_id, event_type, aggregate_key, attempts, last_error)
        SELECT $2, $3, $4, id, event_id, event_type, aggregate_key, attempts, last_error FROM outbox_event
        WHERE status = 'DEAD' AND id = ANY ($1)
        ORDER BY id FOR UPDATE
        RETURNING event",
    sqlite: "INSERT INTO outbox_audit
            (at, actor, action, event, event_id, event_type, aggregate_key, attempts, last_error)
        SELECT $2, $3, $4, id, event_id, event_type, aggregate_key, attempts, last_error FROM outbox_event
        WHERE status = 'DEAD' AND id IN (SELECT value FROM json_each($1))
        ORDER BY id
        RETURNING event",
};

const LIST: Dialects = Dialects {
    postgres: "SELECT id, at, actor, action, event, event_id::text AS event_id, event_type, aggregate_key, attempts,
            last_error
        FROM outbox_audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
    sqlite: "SELECT id, at, actor, action, event, event_id, event_type, aggregate_key, attempts, last_error
        FROM outbox_audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
};

const PRUNE: Dialects = Dialects::same(
    "DELETE FROM outbox_audit WHERE id IN (SELECT id FROM outbox_audit WHERE at < $1 ORDER BY at LIMIT $2)",
);

/// Writes an entry for each of these events that is dead, and returns those.
pub(crate) async fn write(
    tx: &mut Connection<'_>,
    action: Action,
    ids: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, OutboxError> {
    let values = vec![
        Value::ids(ids),
        now.into(),
        actor.into(),
        action.as_str().into(),
    ];
    Ok(tx.scalars(WRITE, values).await?)
}

/// The entries before `before` (none: the newest), newest first, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: impl Into<Executor<'_>>,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<AuditEntry>, OutboxError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = vec![before.unwrap_or(i64::MAX).into(), limit.into()];
    let rows = db.into().raw_rows(LIST, values).await?;
    rows.iter().map(entry).collect()
}

/// Deletes at most `batch` entries from before `older_than`, the oldest first, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn prune_batch(
    db: impl Into<Executor<'_>>,
    older_than: DateTime<Utc>,
    batch: u64,
) -> Result<u64, OutboxError> {
    let limit = i64::try_from(batch).unwrap_or(i64::MAX);
    Ok(db
        .into()
        .run(PRUNE, vec![older_than.into(), limit.into()])
        .await?)
}

fn entry(row: &Row) -> Result<AuditEntry, OutboxError> {
    let action: String = row.get("action")?;
    let action =
        Action::parse(&action).ok_or(OutboxError::Unreadable(format!("action {action:?}")))?;
    Ok(AuditEntry {
        id: row.get("id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        action,
        event: row.get("event")?,
        event_id: row.get("event_id")?,
        event_type: row.lossy_text("event_type")?,
        aggregate_key: row.lossy_text("aggregate_key")?,
        attempts: row.get("attempts")?,
        last_error: row.get("last_error")?,
    })
}
