//! May this run begin? Asked and answered inside one transaction.

use ground::{Connection, Statements};

use super::sql;
use crate::event::Passed;
use crate::fence::lock_row;
use crate::model::Cause;
use crate::store::{Entry, NewRun};

/// The steps of [`Store::enter`](crate::store::Store::enter).
pub(super) async fn write(tx: &mut Connection<'_>, run: &NewRun<'_>) -> Result<Entry, sqlx::Error> {
    let ask = &run.ask;
    if ask.cause != Cause::Manual {
        let paused = tx.scalar(sql::PAUSED, vec![run.job.into()]).await?;
        if paused.unwrap_or(false) {
            return Ok(Entry::Settled(Passed::Paused));
        }
    }
    if lock_row(tx, run.job, run.lock_owner).await?.is_none() {
        return Ok(Entry::LostLock);
    }
    let values = vec![
        run.job.into(),
        ask.slot.into(),
        run.started_at.into(),
        run.node.into(),
        i64::from(ask.attempt).into(),
        ask.cause.as_str().into(),
        run.lock_owner.into(),
    ];
    match tx.scalar(sql::INSERT_RUNNING, values).await? {
        Some(id) => Ok(Entry::Row(id)),
        None => Ok(Entry::Settled(Passed::AlreadyRan)),
    }
}
