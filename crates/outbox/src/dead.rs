//! Events that were given up: listed, replayed or discarded by an operator. Every statement takes any connection, so
//! that a caller can write its audit entry in the same transaction.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use crate::{
    OutboxError, StoredEvent,
    sql::{Sql, time},
};

const REPLAY: Sql = Sql::same(
    "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 0, next_attempt_at = $2
        WHERE id = $1 AND status = 'DEAD'",
);

const REPLAY_ALL: Sql = Sql::same(
    "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 0, next_attempt_at = $1
        WHERE status = 'DEAD'",
);

const DISCARD: Sql = Sql::same("DELETE FROM outbox_event WHERE id = $1 AND status = 'DEAD'");

/// The dead events with an id above `after_id` (0 for the first page), at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    limit: u64,
    after_id: i64,
) -> Result<Vec<StoredEvent>, OutboxError> {
    crate::list(db, true, after_id, limit).await
}

/// Makes a dead event pending again, with all its attempts; destinations that had confirmed it do not get it again.
/// False when there is no dead event of this id.
///
/// # Errors
/// When the database fails.
pub async fn replay<C: ConnectionTrait>(
    db: &C,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    let statement = REPLAY.with(db, [id.into(), time(db, now)]);
    Ok(db.execute_raw(statement).await?.rows_affected() == 1)
}

/// Replays every dead event, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn replay_all<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let statement = REPLAY_ALL.with(db, [time(db, now)]);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// Deletes a dead event for good. False when there is no dead event of this id.
///
/// # Errors
/// When the database fails.
pub async fn discard<C: ConnectionTrait>(db: &C, id: i64) -> Result<bool, OutboxError> {
    let statement = DISCARD.with(db, [id.into()]);
    Ok(db.execute_raw(statement).await?.rows_affected() == 1)
}
