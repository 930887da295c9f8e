//! Writes the RUNNING row of a run, if it may begin: asked and answered inside one transaction.

use ground::{Connection, Statements};

use super::sql;
use crate::event::Passed;
use crate::fence::lock_row;
use crate::model::Cause;
use crate::store::rows::{NewRun, NewRunOutcome};

/// The steps of [`Store::begin_run`](crate::store::contract::Store::begin_run).
pub(super) async fn write(
    tx: &mut Connection<'_>,
    run: &NewRun<'_>,
) -> Result<NewRunOutcome, sqlx::Error> {
    let request = &run.request;
    if request.cause != Cause::Manual {
        let paused = tx.scalar(sql::PAUSED, vec![run.job.into()]).await?;
        if paused.unwrap_or(false) {
            return Ok(NewRunOutcome::Passed(Passed::Paused));
        }
    }
    if lock_row(tx, run.job, run.lock_owner).await?.is_none() {
        return Ok(NewRunOutcome::LostLock);
    }
    let values = vec![
        run.job.into(),
        request.slot.into(),
        run.started_at.into(),
        run.node.into(),
        i64::from(request.attempt).into(),
        request.cause.as_str().into(),
        run.lock_owner.into(),
    ];
    match tx.scalar(sql::INSERT_RUNNING, values).await? {
        Some(id) => Ok(NewRunOutcome::Row(id)),
        None => Ok(NewRunOutcome::Passed(Passed::AlreadyRan)),
    }
}
