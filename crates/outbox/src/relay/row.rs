//! Events as they stand in the table.

use std::error::Error;

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

use crate::{Event, sql::text};

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
fn event(row: &QueryResult) -> Result<Event, Box<dyn Error>> {
    let event_id: String = row.try_get_by_index(1)?;
    let payload: String = row.try_get_by_index(4)?;
    let traceparent: Option<String> = row.try_get_by_index(5).unwrap_or_default();
    Ok(Event {
        id: row.try_get_by_index(0)?,
        event_id: event_id
            .parse()
            .map_err(|error| format!("event_id: {error}"))?,
        event_type: row.try_get_by_index(2)?,
        aggregate_key: row.try_get_by_index(3)?,
        payload: serde_json::from_str(&payload).map_err(|error| format!("payload: {error}"))?,
        // A trace is for looking things up: one that cannot be read must not stop its event.
        traceparent: traceparent.and_then(|text| text.parse().ok()),
        attempts: 0,
        created_at: row.try_get_by_index(6)?,
    })
}

/// Reads a row of the same columns and `attempts, postponed, delivered_to`.
pub(super) fn claimed(row: &QueryResult, now: DateTime<Utc>) -> Result<Claimed, DbErr> {
    readable(row).or_else(|reason| unreadable(row, now, reason.as_ref()))
}

fn readable(row: &QueryResult) -> Result<Claimed, Box<dyn Error>> {
    let delivered_to: String = row.try_get_by_index(9)?;
    Ok(Claimed {
        event: Event {
            attempts: row.try_get_by_index(7)?,
            ..event(row)?
        },
        postponed: row.try_get_by_index(8)?,
        delivered_to: serde_json::from_str(&delivered_to)
            .map_err(|error| format!("delivered_to: {error}"))?,
        unreadable: None,
    })
}

fn unreadable(row: &QueryResult, now: DateTime<Utc>, reason: &dyn Error) -> Result<Claimed, DbErr> {
    Ok(Claimed {
        event: Event {
            id: row.try_get_by_index(0)?,
            event_id: Uuid::nil(),
            event_type: text(row, 2_usize)?,
            aggregate_key: text(row, 3_usize)?,
            payload: serde_json::Value::Null,
            traceparent: None,
            attempts: row.try_get_by_index(7)?,
            created_at: now,
        },
        postponed: 0,
        delivered_to: Vec::new(),
        unreadable: Some(reason.to_string()),
    })
}
