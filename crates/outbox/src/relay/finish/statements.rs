//! The statements that finish events. Each changes only events that are still as they were claimed.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, Value, time_text};
use serde_json::json;

use crate::{
    EventStatus,
    relay::steps::{Step, reached},
};

const DELETE: Dialects = Dialects {
    postgres: "DELETE FROM outbox_event
        WHERE status = 'PENDING' AND id = ANY ($1)",
    sqlite: "DELETE FROM outbox_event
        WHERE status = 'PENDING' AND id IN (SELECT value FROM json_each($1))",
};

const NOTE_DELIVERED: Dialects = Dialects {
    postgres: "UPDATE outbox_event e SET delivered_to = r.delivered_to
        FROM jsonb_to_recordset($1::jsonb) AS r (id bigint, delivered_to jsonb)
        WHERE e.id = r.id AND e.status = 'PENDING'",
    sqlite: "UPDATE outbox_event SET delivered_to = r.delivered_to
        FROM (SELECT value ->> 'id' AS id, value -> 'delivered_to' AS delivered_to
              FROM json_each($1)) AS r
        WHERE outbox_event.id = r.id AND outbox_event.status = 'PENDING'",
};

const STORE_FAILED: Dialects = Dialects {
    postgres: "UPDATE outbox_event e SET attempts = r.attempts, postponed = r.postponed, status = r.status,
            next_attempt_at = r.next_attempt_at, last_error = r.last_error
        FROM jsonb_to_recordset($1::jsonb) AS r
            (id bigint, seen int, attempts int, postponed int, status text,
             next_attempt_at timestamptz, last_error text)
        WHERE e.id = r.id AND e.status = 'PENDING' AND e.attempts = r.seen",
    sqlite: "UPDATE outbox_event SET attempts = r.attempts, postponed = r.postponed, status = r.status,
            next_attempt_at = r.next_attempt_at, last_error = r.last_error
        FROM (SELECT value ->> 'id' AS id, value ->> 'seen' AS seen, value ->> 'attempts' AS attempts,
                     value ->> 'postponed' AS postponed, value ->> 'status' AS status,
                     value ->> 'next_attempt_at' AS next_attempt_at, value ->> 'last_error' AS last_error
              FROM json_each($1)) AS r
        WHERE outbox_event.id = r.id AND outbox_event.status = 'PENDING'
          AND outbox_event.attempts = r.seen",
};

const LONGEST_ERROR: usize = 2000;

/// An event that was not delivered, and what becomes of it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) id: i64,
    /// The attempts it had when it was claimed.
    pub(super) seen: i32,
    pub(super) attempts: i32,
    pub(super) postponed: i32,
    pub(super) status: EventStatus,
    pub(super) next_attempt_at: DateTime<Utc>,
    pub(super) last_error: String,
}

/// Deletes events that have reached all their destinations. Returns how many were still there.
pub(super) async fn delete(tx: &mut Connection<'_>, ids: &[i64]) -> Result<u64, sqlx::Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = tx.run(DELETE, vec![Value::ids(ids)]).await?;
    reached(Step::Deleted, ids.len());
    Ok(deleted)
}

/// Notes which destinations have confirmed events that others still wait for. Returns how many were still there.
pub(super) async fn note_delivered(
    tx: &mut Connection<'_>,
    rows: &[(i64, Vec<String>)],
) -> Result<u64, sqlx::Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let rows: serde_json::Value = rows
        .iter()
        .map(|(id, delivered_to)| json!({ "id": id, "delivered_to": delivered_to }))
        .collect();
    tx.run(NOTE_DELIVERED, vec![rows.to_string().into()]).await
}

/// Puts events off or makes them dead. Returns how many were still as they were claimed.
pub(super) async fn store_failed(
    tx: &mut Connection<'_>,
    failed: &[Failed],
) -> Result<u64, sqlx::Error> {
    let rows: serde_json::Value = failed
        .iter()
        .map(|event| {
            json!({
                "id": event.id,
                "seen": event.seen,
                "attempts": event.attempts,
                "postponed": event.postponed,
                "status": event.status.as_str(),
                "next_attempt_at": time_text(event.next_attempt_at),
                "last_error": storable(&event.last_error),
            })
        })
        .collect();
    tx.run(STORE_FAILED, vec![rows.to_string().into()]).await
}

/// PostgreSQL stores no NUL character, and an error that cannot be stored would stop its key for ever.
fn storable(error: &str) -> String {
    error
        .chars()
        .filter(|character| *character != '\0')
        .take(LONGEST_ERROR)
        .collect()
}
