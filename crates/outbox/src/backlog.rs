//! Counts and lists the events in the outbox.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::{Dialects, Executor, Row, Statements, TraceParent};
use metrics::gauge;
use serde::Serialize;

use crate::{EventStatus, OutboxError, StoredEvent};

const LIST: Dialects = Dialects {
    postgres: "SELECT id, event_id::text AS event_id, event_type, aggregate_key, status, attempts,
            next_attempt_at, last_error, created_at, traceparent
        FROM outbox_event WHERE id > $1 AND (NOT $2 OR status = 'DEAD') ORDER BY id LIMIT $3",
    sqlite: "SELECT id, event_id, event_type, aggregate_key, status, attempts,
            next_attempt_at, last_error, created_at, traceparent
        FROM outbox_event WHERE id > $1 AND (NOT $2 OR status = 'DEAD') ORDER BY id LIMIT $3",
};

/// A greater backlog reads as this many, so that the cost of a count has a limit.
const COUNTED: i64 = 100_000;

// In the order of an index that has nothing but the status: neither other rows nor more than the limit are read.
const COUNT: Dialects = Dialects::same(
    "SELECT
        (SELECT COUNT(*) FROM (SELECT id FROM outbox_event WHERE status = 'PENDING' ORDER BY id LIMIT $1) AS p)
            AS pending,
        (SELECT created_at FROM outbox_event WHERE status = 'PENDING' ORDER BY id LIMIT 1) AS oldest_pending,
        (SELECT COUNT(*) FROM (SELECT id FROM outbox_event WHERE status = 'DEAD' ORDER BY id LIMIT $1) AS d) AS dead,
        (SELECT created_at FROM outbox_event WHERE status = 'DEAD' ORDER BY id LIMIT 1) AS oldest_dead",
);

/// The events of one status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusCount {
    /// How many events, up to 100,000.
    pub count: u64,
    /// When the first of them, in the order of their ids, was published.
    pub oldest_created_at: Option<DateTime<Utc>>,
}

/// What waits in the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// To be delivered.
    pub pending: StatusCount,
    /// Dead: given up until an operator acts.
    pub dead: StatusCount,
}

impl Backlog {
    /// How long the oldest pending event has waited, or zero when there is none.
    #[must_use]
    pub fn oldest_age(&self, now: DateTime<Utc>) -> Duration {
        self.pending
            .oldest_created_at
            .and_then(|oldest| (now - oldest).to_std().ok())
            .unwrap_or_default()
    }

    /// Sets the gauges `outbox_backlog{status}` and `outbox_oldest_age_seconds`.
    pub fn record(&self, now: DateTime<Utc>) {
        for (status, events) in [
            (EventStatus::Pending, self.pending),
            (EventStatus::Dead, self.dead),
        ] {
            gauge!("outbox_backlog", "status" => status.as_str()).set(events.count as f64);
        }
        gauge!("outbox_oldest_age_seconds").set(self.oldest_age(now).as_secs_f64());
    }
}

/// Counts the outbox by status, each up to 100,000.
///
/// It is meant for a metric every few seconds: behind an old open snapshot it also reads what was delivered since.
///
/// # Errors
/// When the database fails.
pub async fn backlog(db: impl Into<Executor<'_>>) -> Result<Backlog, OutboxError> {
    let row = db.into().raw_row(COUNT, vec![COUNTED.into()]).await?;
    row.map_or_else(|| Ok(Backlog::default()), |row| counts(&row))
}

fn counts(row: &Row) -> Result<Backlog, OutboxError> {
    let of = |count: &str, oldest: &str| -> Result<StatusCount, OutboxError> {
        let events: i64 = row.get(count)?;
        Ok(StatusCount {
            count: u64::try_from(events).unwrap_or_default(),
            oldest_created_at: row.get(oldest)?,
        })
    };
    Ok(Backlog {
        pending: of("pending", "oldest_pending")?,
        dead: of("dead", "oldest_dead")?,
    })
}

/// The events with an id above `after_id` (0 for the first page), at most `limit`; only the dead ones if `dead_only`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: impl Into<Executor<'_>>,
    dead_only: bool,
    after_id: i64,
    limit: u64,
) -> Result<Vec<StoredEvent>, OutboxError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = vec![after_id.into(), dead_only.into(), limit.into()];
    let rows = db.into().raw_rows(LIST, values).await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &Row) -> Result<StoredEvent, OutboxError> {
    Ok(StoredEvent {
        id: row.get("id")?,
        event_id: row.lossy_text("event_id")?,
        event_type: row.lossy_text("event_type")?,
        aggregate_key: row.lossy_text("aggregate_key")?,
        status: status(row)?,
        attempts: row.get("attempts")?,
        next_attempt_at: row.get("next_attempt_at")?,
        last_error: row.get("last_error")?,
        created_at: row.get("created_at")?,
        trace_id: trace_id(row)?,
    })
}

/// One that cannot be read is none, as for the relay.
fn trace_id(row: &Row) -> Result<Option<String>, OutboxError> {
    let text: Option<String> = row.get("traceparent").unwrap_or_default();
    let trace = text.and_then(|text| text.parse::<TraceParent>().ok());
    Ok(trace.map(|trace| trace.trace_id()))
}

fn status(row: &Row) -> Result<EventStatus, OutboxError> {
    let text: String = row.get("status")?;
    EventStatus::parse(&text).ok_or(OutboxError::Unreadable(format!("status {text:?}")))
}
