//! The events that a consumer has already handled, so that a repeated delivery has no second effect.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ground::{Connection, Database, Dialects, Executor, Statements, unexpected};
use uuid::Uuid;

use crate::OutboxError;

const REMEMBER: Dialects = Dialects {
    postgres: "INSERT INTO processed_event (event_id, consumer, processed_at)
        VALUES ($1::uuid, $2, $3) ON CONFLICT (event_id, consumer) DO NOTHING",
    sqlite: "INSERT INTO processed_event (event_id, consumer, processed_at)
        VALUES ($1, $2, $3) ON CONFLICT (event_id, consumer) DO NOTHING",
};

// In one order: two batches with the same events would otherwise wait for each other.
const REMEMBER_ALL: Dialects = Dialects {
    postgres: "INSERT INTO processed_event (event_id, consumer, processed_at)
        SELECT e::uuid, $2, $3 FROM jsonb_array_elements_text($1::jsonb) AS list (e) ORDER BY 1
        ON CONFLICT (event_id, consumer) DO NOTHING RETURNING event_id::text AS event_id",
    sqlite: "INSERT INTO processed_event (event_id, consumer, processed_at)
        SELECT value, $2, $3 FROM json_each($1) WHERE true ORDER BY 1
        ON CONFLICT (event_id, consumer) DO NOTHING RETURNING event_id",
};

// An event that still stands in the outbox, dead perhaps, may be delivered again however old its mark is.
const PRUNE: Dialects = Dialects::same(
    "DELETE FROM processed_event WHERE (event_id, consumer) IN (
        SELECT event_id, consumer FROM processed_event
        WHERE processed_at < $1
          AND NOT EXISTS (SELECT 1 FROM outbox_event WHERE outbox_event.event_id = processed_event.event_id)
        ORDER BY processed_at LIMIT $2)",
);

/// Whether `consumer` gets this event for the first time.
///
/// Call it in the transaction of the effect: both commit or neither does. A second transaction that asks at the same time
/// waits for the first to end.
///
/// # Errors
/// When the database fails; roll the transaction back.
pub async fn first_time(
    tx: impl Into<Connection<'_>>,
    event_id: Uuid,
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    let values = vec![event_id.to_string().into(), consumer.into(), now.into()];
    Ok(tx.into().run(REMEMBER, values).await? == 1)
}

/// The events of a batch that `consumer` gets for the first time: [`first_time`] for many, in one statement.
///
/// # Errors
/// When the database fails; roll the transaction back.
pub async fn first_times(
    tx: impl Into<Connection<'_>>,
    event_ids: &[Uuid],
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, OutboxError> {
    let list: serde_json::Value = event_ids.iter().map(Uuid::to_string).collect();
    let values = vec![list.to_string().into(), consumer.into(), now.into()];
    let new: Vec<String> = tx.into().scalars(REMEMBER_ALL, values).await?;
    new.iter()
        .map(|text| {
            let id = text.parse().map_err(|error| {
                unexpected(format!("processed_event: event_id {text:?}: {error}"))
            })?;
            Ok(id)
        })
        .collect()
}

/// Forgets at most `batch` events that were processed before `older_than`, the oldest first, and returns how many.
///
/// Remember events for longer than the longest retry ([`Relay::longest_retry`](crate::Relay::longest_retry)) and any
/// replay by hand at a broker. Events that still stand in the outbox are never forgotten.
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

/// Forgets all of them, as [`prune_batch`] in transactions of their own, and returns how many.
///
/// # Errors
/// When the database fails; what was pruned before stays pruned.
pub async fn prune(
    db: &Database,
    older_than: DateTime<Utc>,
    batch: u64,
) -> Result<u64, OutboxError> {
    let batch = batch.max(1);
    let mut pruned = 0;
    loop {
        let rows = prune_batch(db, older_than, batch).await?;
        pruned += rows;
        if rows < batch {
            return Ok(pruned);
        }
    }
}
