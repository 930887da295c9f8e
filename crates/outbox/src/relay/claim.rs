use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult};
use uuid::Uuid;

use crate::{
    Event,
    sql::{Sql, time},
};

/// An event that is due, with what is known of earlier attempts.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) event: Event,
    /// The destinations that confirmed it before.
    pub(super) delivered_to: Vec<String>,
    /// Why the row cannot be read, if so. Such a row is given up, or it would stop everything behind it.
    pub(super) unreadable: Option<String>,
}

// An event waits when it was ever put off (after a failure, or by its publisher) and its time has not come; it then
// holds back the later events of its key. One that was never put off is due whatever the publisher's clock said.
// The earliest waiting event of the key is looked up as a scalar: a join could be planned to read the whole backlog.
const CLAIM: Sql = Sql {
    postgres: "SELECT e.id, e.event_id::text AS event_id, e.event_type, e.aggregate_key,
            e.payload::text AS payload, e.attempts, e.created_at, e.delivered_to::text AS delivered_to
        FROM outbox_event e
        WHERE e.status = 'PENDING'
          AND (e.next_attempt_at <= $1 OR (e.attempts = 0 AND e.next_attempt_at <= e.created_at))
          AND e.id <= COALESCE((
                SELECT MIN(w.id) FROM outbox_event w
                WHERE w.aggregate_key = e.aggregate_key AND w.status = 'PENDING'
                  AND (w.attempts > 0 OR w.next_attempt_at > w.created_at)
                  AND w.next_attempt_at > $1), e.id)
        ORDER BY e.id LIMIT $2",
    sqlite: "SELECT e.id, e.event_id, e.event_type, e.aggregate_key,
            e.payload, e.attempts, e.created_at, e.delivered_to
        FROM outbox_event e INDEXED BY outbox_event_pending
        WHERE e.status = 'PENDING'
          AND (e.next_attempt_at <= $1 OR (e.attempts = 0 AND e.next_attempt_at <= e.created_at))
          AND e.id <= COALESCE((
                SELECT MIN(w.id) FROM outbox_event w INDEXED BY outbox_event_put_off
                WHERE w.aggregate_key = e.aggregate_key AND w.status = 'PENDING'
                  AND (w.attempts > 0 OR w.next_attempt_at > w.created_at)
                  AND w.next_attempt_at > $1), e.id)
        ORDER BY e.id LIMIT $2",
};

/// The first `limit` due events, in id order.
pub(super) async fn claim(
    db: &DatabaseConnection,
    now: chrono::DateTime<chrono::Utc>,
    limit: u64,
) -> Result<Vec<Claimed>, DbErr> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = CLAIM.with(db, [time(db, now), limit.into()]);
    db.query_all_raw(statement)
        .await?
        .iter()
        .map(|row| {
            read(row).or_else(|reason| {
                Ok(Claimed {
                    event: Event {
                        id: row.try_get("", "id")?,
                        event_id: Uuid::nil(),
                        event_type: row.try_get("", "event_type")?,
                        aggregate_key: row.try_get("", "aggregate_key")?,
                        payload: serde_json::Value::Null,
                        attempts: row.try_get("", "attempts")?,
                        created_at: now,
                    },
                    delivered_to: Vec::new(),
                    unreadable: Some(reason.to_string()),
                })
            })
        })
        .collect()
}

fn read(row: &QueryResult) -> Result<Claimed, Box<dyn std::error::Error>> {
    let event_id: String = row.try_get("", "event_id")?;
    let payload: String = row.try_get("", "payload")?;
    let delivered_to: String = row.try_get("", "delivered_to")?;
    Ok(Claimed {
        event: Event {
            id: row.try_get("", "id")?,
            event_id: event_id
                .parse()
                .map_err(|error| format!("event_id: {error}"))?,
            event_type: row.try_get("", "event_type")?,
            aggregate_key: row.try_get("", "aggregate_key")?,
            payload: serde_json::from_str(&payload).map_err(|error| format!("payload: {error}"))?,
            attempts: row.try_get("", "attempts")?,
            created_at: row.try_get("", "created_at")?,
        },
        delivered_to: serde_json::from_str(&delivered_to)
            .map_err(|error| format!("delivered_to: {error}"))?,
        unreadable: None,
    })
}
