//! Dead events: an operator lists, replays or discards them.
//!
//! The operator's name goes into the [`audit`] in the same transaction.

use chrono::{DateTime, Utc};
use ground::{Connection, Database, Dialects, Executor, Statements, Value, unexpected};

use crate::{
    OutboxError, StoredEvent,
    audit::{self, Action},
};

// Put off, even if to now: so it is found wherever it stands, whatever the clock of its publisher said.
const REPLAY: Dialects = Dialects {
    postgres: "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 1, next_attempt_at = $2
        WHERE status = 'DEAD' AND id = ANY ($1)",
    sqlite: "UPDATE outbox_event SET status = 'PENDING', attempts = 0, postponed = 1, next_attempt_at = $2
        WHERE status = 'DEAD' AND id IN (SELECT value FROM json_each($1))",
};

const DISCARD: Dialects = Dialects {
    postgres: "DELETE FROM outbox_event
        WHERE status = 'DEAD' AND id = ANY ($1)",
    sqlite: "DELETE FROM outbox_event
        WHERE status = 'DEAD' AND id IN (SELECT value FROM json_each($1))",
};

const NEWEST: Dialects =
    Dialects::same("SELECT id FROM outbox_event WHERE status = 'DEAD' ORDER BY id DESC LIMIT 1");

const PAGE: Dialects = Dialects::same(
    "SELECT id FROM outbox_event WHERE status = 'DEAD' AND id > $1 AND id <= $2 ORDER BY id LIMIT $3",
);

const REPLAYED_AT_ONCE: i64 = 1000;

/// The dead events with an id above `after_id` (0 for the first page), at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: impl Into<Executor<'_>>,
    limit: u64,
    after_id: i64,
) -> Result<Vec<StoredEvent>, OutboxError> {
    crate::list(db, true, after_id, limit).await
}

/// Makes a dead event pending again, with all its attempts. Returns false when there is no dead event of this id.
///
/// Destinations that had confirmed it do not get it again. `actor` is who does it.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn replay(
    db: &Database,
    id: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    Ok(act(db, Action::Replay, &[id], actor, now).await? == 1)
}

/// Replays every event that is dead now, a thousand in a transaction, and returns how many.
///
/// An event that dies meanwhile, again or for the first time, stays dead.
///
/// # Errors
/// When the database fails; what was replayed before stays replayed.
pub async fn replay_all(
    db: &Database,
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

/// Deletes a dead event for good. Returns false when there is no dead event of this id. `actor` is who does it.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn discard(
    db: &Database,
    id: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, OutboxError> {
    Ok(act(db, Action::Discard, &[id], actor, now).await? == 1)
}

async fn ids(db: &Database, sql: &Dialects, values: &[i64]) -> Result<Vec<i64>, OutboxError> {
    let values = values.iter().map(|value| (*value).into());
    Ok(db.scalars(sql, values.collect()).await?)
}

async fn act(
    db: &Database,
    action: Action,
    ids: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let mut tx = db.begin().await?;
    let acted = act_in(&mut tx, action, ids, actor, now).await;
    // Ended here in either case, so that the one connection of SQLite is free for the next statement.
    match acted {
        Ok(_) => tx.commit().await?,
        Err(_) => tx.rollback().await,
    }
    acted
}

async fn act_in(
    tx: &mut Connection<'_>,
    action: Action,
    ids: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, OutboxError> {
    let audited = audit::write(tx, action, ids, actor, now).await?;
    let events = Value::ids(&audited);
    let acted = match action {
        Action::Replay | Action::ReplayAll => tx.run(REPLAY, vec![events, now.into()]).await?,
        Action::Discard => tx.run(DISCARD, vec![events]).await?,
    };
    if acted != audited.len() as u64 {
        let message = format!("{acted} dead events changed for {} entries", audited.len());
        return Err(unexpected(message).into());
    }
    Ok(acted)
}
