//! Releasing the lock of a dead holder by hand, and the record of who did it.

use chrono::{DateTime, Utc};
use ground::{Executor, Row, Statements};
use serde::Serialize;
use shedlock::{LockError, LockInfo, LockProvider};
use thiserror::Error;

use crate::platform::db::Db;

const BEGIN: &str = "INSERT INTO lock_audit (at, actor, lock_name, locked_by, locked_at, lock_until) \
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
const END: &str = "UPDATE lock_audit SET released = $2 WHERE id = $1";
const LIST: &str = "SELECT id, at, actor, lock_name, locked_by, locked_at, lock_until, released FROM lock_audit \
     ORDER BY id DESC LIMIT $1";
const PRUNE: &str = "DELETE FROM lock_audit WHERE id IN (SELECT id FROM lock_audit WHERE at < $1 ORDER BY at LIMIT $2)";

/// Why a lock was not released.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// Nobody could be named as the one who did it, so nothing was done.
    #[error("the release cannot be recorded, so the lock stays as it is")]
    Audit(#[source] sqlx::Error),
    /// The lock may be released or not.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// A lock that somebody released by hand, or tried to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockRelease {
    /// Its place in the order of the entries.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the system's user and host.
    pub actor: String,
    /// The lock.
    pub name: String,
    /// Who held it.
    pub locked_by: String,
    /// Since when.
    pub locked_at: DateTime<Utc>,
    /// Until when it would have been held.
    pub lock_until: DateTime<Utc>,
    /// Whether it was released. Unknown when the command did not come to its end.
    pub released: Option<bool>,
}

/// Releases a lock that is still as `held` shows it, and records that `actor` did. False: it was another by then.
///
/// The record comes first. What is done and not recorded would be worse than what is recorded and not done.
///
/// # Errors
/// When the record cannot be written, or the lock cannot be reached.
pub async fn release(
    db: &Db,
    locks: &dyn LockProvider,
    held: &LockInfo,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, ReleaseError> {
    let values = vec![
        now.into(),
        actor.into(),
        held.name.as_str().into(),
        held.locked_by.as_str().into(),
        held.locked_at.into(),
        held.lock_until.into(),
    ];
    let id: Option<i64> = db
        .write()
        .scalar(BEGIN, values)
        .await
        .map_err(ReleaseError::Audit)?;
    let released = locks.force_release(held).await?;
    tracing::warn!(
        lock = held.name,
        locked_by = held.locked_by,
        actor,
        released,
        "an operator released a lock by hand: if its holder lives, its next write fails"
    );
    let ended = db
        .write()
        .run(END, vec![id.unwrap_or_default().into(), released.into()]);
    if let Err(error) = ended.await {
        tracing::warn!(
            lock = held.name,
            error = ground::chain(&error),
            "the record of the release lacks its end"
        );
    }
    Ok(released)
}

/// The newest entries, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: impl Into<Executor<'_>>,
    limit: u64,
) -> Result<Vec<LockRelease>, sqlx::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db.into().raw_rows(LIST, vec![limit.into()]).await?;
    rows.iter().map(entry).collect()
}

/// Deletes at most `batch` entries from before `older_than`, the oldest first, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn prune_batch(
    db: impl Into<Executor<'_>>,
    older_than: DateTime<Utc>,
    batch: u64,
) -> Result<u64, sqlx::Error> {
    let limit = i64::try_from(batch).unwrap_or(i64::MAX);
    let values = vec![older_than.into(), limit.into()];
    db.into().run(PRUNE, values).await
}

fn entry(row: &Row) -> Result<LockRelease, sqlx::Error> {
    Ok(LockRelease {
        id: row.get("id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        name: row.get("lock_name")?,
        locked_by: row.get("locked_by")?,
        locked_at: row.get("locked_at")?,
        lock_until: row.get("lock_until")?,
        released: row.get("released")?,
    })
}
