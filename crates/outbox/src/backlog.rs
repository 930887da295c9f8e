use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::gauge;
use sea_orm::{ConnectionTrait, QueryResult};
use serde::Serialize;

use crate::{
    EventStatus, OutboxError, StoredEvent, TraceParent,
    sql::{Sql, text},
};

const LIST: Sql = Sql {
    postgres: "SELECT id, event_id::text AS event_id, event_type, aggregate_key, status, attempts,
            next_attempt_at, last_error, created_at, traceparent
        FROM outbox_event WHERE id > $1 AND (NOT $2 OR status = 'DEAD') ORDER BY id LIMIT $3",
    sqlite: "SELECT id, event_id, event_type, aggregate_key, status, attempts,
            next_attempt_at, last_error, created_at, traceparent
        FROM outbox_event WHERE id > $1 AND (NOT $2 OR status = 'DEAD') ORDER BY id LIMIT $3",
};

/// A greater backlog reads as this many: what a count costs has a limit.
const COUNTED: i64 = 100_000;

// In the order of an index that has nothing but the status: neither other rows nor more than the limit are read.
const COUNT: Sql = Sql::same(
    "SELECT
        (SELECT COUNT(*) FROM (SELECT id FROM outbox_event WHERE status = 'PENDING' ORDER BY id LIMIT $1) AS p)
            AS pending,
        (SELECT created_at FROM outbox_event WHERE status = 'PENDING' ORDER BY id LIMIT 1) AS oldest_pending,
        (SELECT COUNT(*) FROM (SELECT id FROM outbox_event WHERE status = 'DEAD' ORDER BY id LIMIT $1) AS d) AS dead,
        (SELECT created_at FROM outbox_event WHERE status = 'DEAD' ORDER BY id LIMIT 1) AS oldest_dead",
);

/// What one status holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusCount {
    /// How many events; 100,000 when it is more.
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
    /// Given up.
    pub dead: StatusCount,
}

impl Backlog {
    /// How long the oldest pending event has waited; zero when there is none.
    #[must_use]
    pub fn oldest_age(&self, now: DateTime<Utc>) -> Duration {
        self.pending
            .oldest_created_at
            .and_then(|oldest| (now - oldest).to_std().ok())
            .unwrap_or_default()
    }

    /// Sets the gauges `outbox_backlog{status}` and `outbox_oldest_age_seconds`.
    pub fn record(&self, now: DateTime<Utc>) {
        for (status, held) in [
            (EventStatus::Pending, self.pending),
            (EventStatus::Dead, self.dead),
        ] {
            gauge!("outbox_backlog", "status" => status.as_str()).set(held.count as f64);
        }
        gauge!("outbox_oldest_age_seconds").set(self.oldest_age(now).as_secs_f64());
    }
}

/// Counts the outbox by status, each up to 100,000. Behind an old open snapshot it also reads what was delivered since:
/// meant for a metric every few seconds.
///
/// # Errors
/// When the database fails.
pub async fn backlog<C: ConnectionTrait>(db: &C) -> Result<Backlog, OutboxError> {
    let row = db.query_one_raw(COUNT.with(db, [COUNTED.into()])).await?;
    row.map_or_else(|| Ok(Backlog::default()), |row| counts(&row))
}

fn counts(row: &QueryResult) -> Result<Backlog, OutboxError> {
    let held = |count: &str, oldest: &str| -> Result<StatusCount, OutboxError> {
        let events: i64 = row.try_get("", count)?;
        Ok(StatusCount {
            count: u64::try_from(events).unwrap_or_default(),
            oldest_created_at: row.try_get("", oldest)?,
        })
    };
    Ok(Backlog {
        pending: held("pending", "oldest_pending")?,
        dead: held("dead", "oldest_dead")?,
    })
}

/// The events with an id above `after_id` (0 for the first page), at most `limit`; only the dead ones if `dead_only`.
///
/// # Errors
/// When the database fails.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    dead_only: bool,
    after_id: i64,
    limit: u64,
) -> Result<Vec<StoredEvent>, OutboxError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = LIST.with(db, [after_id.into(), dead_only.into(), limit.into()]);
    db.query_all_raw(statement)
        .await?
        .iter()
        .map(stored)
        .collect()
}

fn stored(row: &QueryResult) -> Result<StoredEvent, OutboxError> {
    Ok(StoredEvent {
        id: row.try_get("", "id")?,
        event_id: text(row, "event_id")?,
        event_type: text(row, "event_type")?,
        aggregate_key: text(row, "aggregate_key")?,
        status: status(row)?,
        attempts: row.try_get("", "attempts")?,
        next_attempt_at: row.try_get("", "next_attempt_at")?,
        last_error: row.try_get("", "last_error")?,
        created_at: row.try_get("", "created_at")?,
        trace_id: trace_id(row)?,
    })
}

/// One that cannot be read is none, as for the relay.
fn trace_id(row: &QueryResult) -> Result<Option<String>, OutboxError> {
    let text: Option<String> = row.try_get("", "traceparent").unwrap_or_default();
    let trace = text.and_then(|text| text.parse::<TraceParent>().ok());
    Ok(trace.map(|trace| trace.trace_id()))
}

fn status(row: &QueryResult) -> Result<EventStatus, OutboxError> {
    let text: String = row.try_get("", "status")?;
    EventStatus::parse(&text).ok_or(OutboxError::Unreadable(format!("status {text:?}")))
}
