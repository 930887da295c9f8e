//! Events that were given up: listed, replayed or discarded by an operator, whose name goes into the
//! [`audit`](crate::audit) in the same transaction.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};

use crate::{
    OutboxError, StoredEvent,
    audit::{self, Action},
    sql::{Sql, begin_write, id_list, time},
};

// Put off, even if to now: so it is found wherever it stands, whatever the clock of its publisher said.
const REPLAY: Sql = Sql {
    postgres: "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 1, next_attempt_at = $2
        WHERE status = 'DEAD' AND id = ANY ($1)",
    sqlite: "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 1, next_attempt_at = $2
        WHERE status = 'DEAD' AND id IN (SELECT value FROM json_each($1))",
};

const DISCARD: Sql = Sql {
    postgres: "DELETE FROM outbox_event
        WHERE status = 'DEAD' AND id = ANY ($1)",
    sqlite: "DELETE FROM outbox_event
        WHERE status = 'DEAD' AND id IN (SELECT value FROM json_each($1))",
};

const NEWEST: Sql =
    Sql::same("SELECT id FROM outbox_event WHERE status = 'DEAD' ORDER BY id DESC LIMIT 1");

const PAGE: Sql = Sql::same(
    "SELECT id FROM outbox_event WHERE status = 'DEAD' AND id > $1 AND id <= $2 ORDER BY id LIMIT $3",
);

const REPLAYED_AT_ONCE: i64 = 1000;

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
/// False when there is no dead event of this id. `actor` is who does it.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn replay(
    db: &DatabaseConnection,
    id: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    Ok(act(db, Action::Replay, &[id], actor, now).await? == 1)
}

/// Replays every event that is dead now, a thousand in a transaction, and returns how many. What dies meanwhile, again or
/// for the first time, stays dead.
///
/// # Errors
/// When the database fails; what was replayed before stays replayed.
pub async fn replay_all(
    db: &DatabaseConnection,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let Some(newest) = ids(db, &NEWEST, &[]).await?.pop() else {
        return Ok(0);
    };
    let (mut replayed, mut after) = (0, i64::MIN);
    loop {
        let page = ids(db, &PAGE, &[after, newest, REPLAYED_AT_ONCE]).await?;
        let Some(last) = page.last() else {
            return Ok(replayed);
        };
        after = *last;
        replayed += act(db, Action::ReplayAll, &page, actor, now).await?;
    }
}

/// Deletes a dead event for good. False when there is no dead event of this id. `actor` is who does it.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn discard(
    db: &DatabaseConnection,
    id: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    Ok(act(db, Action::Discard, &[id], actor, now).await? == 1)
}

async fn ids(db: &DatabaseConnection, sql: &Sql, values: &[i64]) -> Result<Vec<i64>, OutboxError> {
    let statement = sql.with(db, values.iter().map(|value| (*value).into()));
    let rows = db.query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get("", "id"));
    Ok(ids.collect::<Result<_, _>>()?)
}

async fn act(
    db: &DatabaseConnection,
    action: Action,
    ids: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let tx = begin_write(db).await?;
    let acted = act_in(&tx, action, ids, actor, now).await;
    // Ended here in either case, so that the one connection of SQLite is free for the next statement.
    match acted {
        Ok(_) => tx.commit().await?,
        Err(_) => tx.rollback().await?,
    }
    acted
}

async fn act_in(
    tx: &DatabaseTransaction,
    action: Action,
    ids: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let audited = audit::write(tx, action, ids, actor, now).await?;
    let events = id_list(tx, &audited);
    let statement = match action {
        Action::Replay | Action::ReplayAll => REPLAY.with(tx, [events, time(tx, now)]),
        Action::Discard => DISCARD.with(tx, [events]),
    };
    let acted = tx.execute_raw(statement).await?.rows_affected();
    if acted != audited.len() as u64 {
        let message = format!("{acted} dead events changed for {} entries", audited.len());
        return Err(DbErr::Custom(message).into());
    }
    Ok(acted)
}
