//! What a consumer has already handled, so that a delivery that comes again has no second effect.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

use crate::{
    OutboxError,
    sql::{Sql, time},
};

const REMEMBER: Sql = Sql {
    postgres: "INSERT INTO processed_event (event_id, consumer, processed_at)
        VALUES ($1::uuid, $2, $3) ON CONFLICT (event_id, consumer) DO NOTHING",
    sqlite: "INSERT INTO processed_event (event_id, consumer, processed_at)
        VALUES ($1, $2, $3) ON CONFLICT (event_id, consumer) DO NOTHING",
};

const PRUNE: Sql = Sql::same(
    "DELETE FROM processed_event WHERE (event_id, consumer) IN (
        SELECT event_id, consumer FROM processed_event
        WHERE processed_at < $1 ORDER BY processed_at LIMIT $2)",
);

/// Whether `consumer` meets this event for the first time. Call it in the transaction of the effect: both commit or
/// neither does. A second transaction that asks at the same time waits for the first to end.
///
/// # Errors
/// When the database fails; roll the transaction back.
pub async fn first_time<C: ConnectionTrait>(
    tx: &C,
    event_id: Uuid,
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    let statement = REMEMBER.with(
        tx,
        [event_id.to_string().into(), consumer.into(), time(tx, now)],
    );
    Ok(tx.execute_raw(statement).await?.rows_affected() == 1)
}

/// Forgets what was processed before `older_than`, `batch` rows a transaction, and returns how many. Keep more than the
/// longest retry ([`Relay::longest_retry`](crate::Relay::longest_retry)) and any replay by hand.
///
/// # Errors
/// When the database fails; what was pruned before stays pruned.
pub async fn prune(
    db: &DatabaseConnection,
    older_than: DateTime<Utc>,
    batch: u64,
) -> Result<u64, OutboxError> {
    let batch = batch.max(1);
    let limit = i64::try_from(batch).unwrap_or(i64::MAX);
    let mut pruned = 0;
    loop {
        let statement = PRUNE.with(db, [time(db, older_than), limit.into()]);
        let rows = db.execute_raw(statement).await?.rows_affected();
        pruned += rows;
        if rows < batch {
            return Ok(pruned);
        }
    }
}
