//! Publishing: an INSERT in the caller's transaction.

use chrono::{DateTime, Utc};
use ground::{Connection, Dialects, Statements, trace, unexpected};
use serde_json::json;
use uuid::Uuid;

use crate::{NewEvent, OutboxError, statements};

/// `$1` is an array of `[event_id, event_type, aggregate_key, payload as text, traceparent]`.
const INSERT_ALL: Dialects = Dialects {
    postgres: "INSERT INTO outbox_event
            (event_id, event_type, aggregate_key, payload, traceparent, next_attempt_at, created_at)
        SELECT (e ->> 0)::uuid, e ->> 1, e ->> 2, (e ->> 3)::jsonb, e ->> 4, $2, $2
        FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS list (e, place)
        ORDER BY place",
    sqlite: "INSERT INTO outbox_event
            (event_id, event_type, aggregate_key, payload, traceparent, next_attempt_at, created_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $2, $2
        FROM json_each($1)
        ORDER BY key",
};

const ROWS_PER_STATEMENT: usize = 1000;
const BYTES_PER_STATEMENT: usize = 1 << 20;

/// Publishes an event in the caller's transaction, and returns its event id.
///
/// After the commit, wake the relay with [`Signal::notify`](crate::Signal::notify).
///
/// `tx` is what you have: `&mut sqlx::Transaction`, or `&mut` connection of PostgreSQL or SQLite. From another driver or
/// language, run the [`statements`] yourself.
///
/// # Errors
/// When the database refuses the row; roll the transaction back.
pub async fn publish(
    tx: impl Into<Connection<'_>>,
    event: NewEvent,
    now: DateTime<Utc>,
) -> Result<Uuid, OutboxError> {
    let event_id = Uuid::now_v7();
    let trace = trace_of(&event);
    let values = vec![
        event_id.to_string().into(),
        event.event_type.into(),
        event.aggregate_key.into(),
        event.payload.to_string().into(),
        trace.into(),
        now.into(),
    ];
    expect_rows(tx.into().run(statements::INSERT, values).await?, 1)?;
    Ok(event_id)
}

/// Publishes many events in the caller's transaction, in their order, and returns how many.
///
/// The transaction grows with them. For a million events see [`Bulk`](crate::Bulk) and
/// [`publish_select`](crate::publish_select).
///
/// # Errors
/// When the database refuses a row; roll the transaction back.
pub async fn publish_all(
    tx: impl Into<Connection<'_>>,
    events: Vec<NewEvent>,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    insert_rows(&mut tx.into(), events.into_iter().map(Row::of), now).await
}

/// An event as [`INSERT_ALL`] takes it.
pub(crate) struct Row {
    json: serde_json::Value,
    /// About how much it is to send.
    pub(crate) bytes: usize,
}

impl Row {
    pub(crate) fn of(event: NewEvent) -> Self {
        let trace = trace_of(&event);
        let payload = event.payload.to_string();
        let bytes = payload.len() + event.aggregate_key.len() + event.event_type.len();
        let json = json!([
            Uuid::now_v7(),
            event.event_type,
            event.aggregate_key,
            payload,
            trace
        ]);
        Self { json, bytes }
    }
}

/// In statements of bounded size.
pub(crate) async fn insert_rows(
    tx: &mut Connection<'_>,
    rows: impl Iterator<Item = Row>,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let mut inserted = 0;
    let mut statement = Vec::new();
    let mut bytes = 0;
    for row in rows {
        bytes += row.bytes;
        statement.push(row.json);
        if statement.len() >= ROWS_PER_STATEMENT || bytes >= BYTES_PER_STATEMENT {
            inserted += insert_all(tx, std::mem::take(&mut statement), now).await?;
            bytes = 0;
        }
    }
    if !statement.is_empty() {
        inserted += insert_all(tx, statement, now).await?;
    }
    Ok(inserted)
}

async fn insert_all(
    tx: &mut Connection<'_>,
    rows: Vec<serde_json::Value>,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let expected = rows.len() as u64;
    let rows = serde_json::Value::Array(rows).to_string();
    let inserted = tx.run(INSERT_ALL, vec![rows.into(), now.into()]).await?;
    expect_rows(inserted, expected)?;
    Ok(inserted)
}

/// The event's own trace, or the one in which it is published.
pub(crate) fn trace_of(event: &NewEvent) -> Option<String> {
    let trace = event.traceparent.or_else(trace::current);
    trace.map(|trace| trace.to_string())
}

fn expect_rows(found: u64, expected: u64) -> Result<(), OutboxError> {
    if found == expected {
        // Not committed yet: that is the caller's.
        tracing::trace!(target: "outbox::step", step = "published", events = found);
        return Ok(());
    }
    Err(unexpected(format!("{found} of {expected} events were stored")).into())
}
