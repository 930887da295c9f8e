//! Reads claimed events from their rows.

use std::error::Error;

use chrono::{DateTime, Utc};
use ground::Row;
use uuid::Uuid;

use crate::Event;

/// An event that is due, with what is known of earlier attempts.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) event: Event,
    /// Attempts that failed because a destination could not be reached.
    pub(super) postponed: i32,
    /// The destinations that confirmed it before.
    pub(super) delivered_to: Vec<String>,
    /// Why the row cannot be read, if so. Such a row is given up, or it would stop everything behind it.
    pub(super) unreadable: Option<String>,
}

/// Reads a row of `id, event_id, event_type, aggregate_key, payload, traceparent, created_at`, the texts as texts. By their
/// places: looking names up costs more than all else.
fn event(row: &Row) -> Result<Event, Box<dyn Error>> {
    let event_id: String = row.get(1)?;
    let payload: String = row.get(4)?;
    let traceparent: Option<String> = row.get(5).unwrap_or_default();
    Ok(Event {
        id: row.get(0)?,
        event_id: event_id
            .parse()
            .map_err(|error| format!("event_id: {error}"))?,
        event_type: row.get(2)?,
        aggregate_key: row.get(3)?,
        payload: serde_json::from_str(&payload).map_err(|error| format!("payload: {error}"))?,
        // A trace is for looking things up: one that cannot be read must not stop its event.
        traceparent: traceparent.and_then(|text| text.parse().ok()),
        attempts: 0,
        created_at: row.get(6)?,
    })
}

/// Reads a row of the same columns and `attempts, postponed, delivered_to`.
pub(super) fn claimed(row: &Row, now: DateTime<Utc>) -> Result<Claimed, sqlx::Error> {
    readable(row).or_else(|reason| unreadable(row, now, reason.as_ref()))
}

fn readable(row: &Row) -> Result<Claimed, Box<dyn Error>> {
    let delivered_to: String = row.get(9)?;
    Ok(Claimed {
        event: Event {
            attempts: row.get(7)?,
            ..event(row)?
        },
        postponed: row.get(8)?,
        delivered_to: serde_json::from_str(&delivered_to)
            .map_err(|error| format!("delivered_to: {error}"))?,
        unreadable: None,
    })
}

fn unreadable(row: &Row, now: DateTime<Utc>, reason: &dyn Error) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        event: Event {
            id: row.get(0)?,
            event_id: Uuid::nil(),
            event_type: row.lossy_text(2)?,
            aggregate_key: row.lossy_text(3)?,
            payload: serde_json::Value::Null,
            traceparent: None,
            attempts: row.get(7)?,
            created_at: now,
        },
        postponed: 0,
        delivered_to: Vec::new(),
        unreadable: Some(reason.to_string()),
    })
}
