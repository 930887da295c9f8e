//! The statements by which a relay settles events, each on condition that they are still as they were claimed.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, Value, time_text};
use serde_json::json;

use super::steps::{Step, reached};
use crate::EventStatus;

const DELETE: Dialects = Dialects {
    postgres: "DELETE FROM outbox_event
        WHERE status = 'PENDING' AND id = ANY ($1)",
    sqlite: "DELETE FROM outbox_event
        WHERE status = 'PENDING' AND id IN (SELECT value FROM json_each($1))",
};

const PROGRESS: Dialects = Dialects {
    postgres: "UPDATE outbox_event e SET delivered_to = r.delivered_to
        FROM jsonb_to_recordset($1::jsonb) AS r (id bigint, delivered_to jsonb)
        WHERE e.id = r.id AND e.status = 'PENDING'",
    sqlite: "UPDATE outbox_event SET delivered_to = r.delivered_to
        FROM (SELECT value ->> 'id' AS id, value -> 'delivered_to' AS delivered_to
              FROM json_each($1)) AS r
        WHERE outbox_event.id = r.id AND outbox_event.status = 'PENDING'",
};

const MARK: Dialects = Dialects {
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

/// What becomes of an event that was not delivered.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) id: i64,
    /// The attempts it had when it was claimed.
    pub(super) seen: i32,
    pub(super) attempts: i32,
    pub(super) postponed: i32,
    pub(super) status: EventStatus,
    pub(super) next_attempt_at: DateTime<Utc>,
    pub(super) last_error: String,
}

/// Deletes events that reached all their destinations, and returns how many were still there.
pub(super) async fn delete(tx: &mut Connection<'_>, ids: &[i64]) -> Result<u64, sqlx::Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let deleted = tx.run(DELETE, vec![Value::ids(ids)]).await?;
    reached(Step::Deleted, ids.len());
    Ok(deleted)
}

/// Remembers which destinations have confirmed events that others still wait for.
pub(super) async fn progress(
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
    tx.run(PROGRESS, vec![rows.to_string().into()]).await
}

/// Puts off or gives up events.
pub(super) async fn mark(tx: &mut Connection<'_>, marks: &[Mark]) -> Result<u64, sqlx::Error> {
    let rows: serde_json::Value = marks
        .iter()
        .map(|mark| {
            json!({
                "id": mark.id,
                "seen": mark.seen,
                "attempts": mark.attempts,
                "postponed": mark.postponed,
                "status": mark.status.as_str(),
                "next_attempt_at": time_text(mark.next_attempt_at),
                "last_error": storable(&mark.last_error),
            })
        })
        .collect();
    tx.run(MARK, vec![rows.to_string().into()]).await
}

/// PostgreSQL stores no NUL character, and an error that cannot be stored would stop its key for ever.
fn storable(error: &str) -> String {
    error
        .chars()
        .filter(|character| *character != '\0')
        .take(LONGEST_ERROR)
        .collect()
}
