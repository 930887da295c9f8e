//! Questions asked inside a transaction: may this run begin, and may it still write?

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::sql;
use super::value::time;
use crate::event::Passed;
use crate::model::Cause;
use crate::store::{Entry, NewRun};

/// The steps of [`Store::enter`](crate::store::Store::enter).
pub(super) async fn write(tx: &DatabaseTransaction, run: &NewRun<'_>) -> Result<Entry, DbErr> {
    let backend = tx.get_database_backend();
    let ask = &run.ask;
    if ask.cause != Cause::Manual {
        let paused = match backend {
            DbBackend::Sqlite => sql::PAUSED_SQLITE,
            _ => sql::PAUSED_POSTGRES,
        };
        let paused = Statement::from_sql_and_values(backend, paused, [run.job.into()]);
        let row = tx.query_one_raw(paused).await?;
        if row
            .map(|row| row.try_get::<bool>("", "paused"))
            .transpose()?
            .unwrap_or(false)
        {
            return Ok(Entry::Settled(Passed::Paused));
        }
    }
    if !holds_lock(tx, run.job, run.lock_owner).await? {
        return Ok(Entry::LostLock);
    }
    let values = [
        run.job.into(),
        time(backend, ask.slot),
        time(backend, run.started_at),
        run.node.into(),
        i64::from(ask.attempt).into(),
        ask.cause.as_str().into(),
        run.lock_owner.into(),
    ];
    let insert = Statement::from_sql_and_values(backend, sql::INSERT_RUNNING, values);
    match tx.query_one_raw(insert).await? {
        Some(row) => Ok(Entry::Row(row.try_get("", "id")?)),
        None => Ok(Entry::Settled(Passed::AlreadyRan)),
    }
}

/// Whether a run is still RUNNING (one with a row) and its lock still its own (one that locks in the database: name
/// and holder). In PostgreSQL both stay so until the transaction ends.
pub(crate) async fn still_ours(
    tx: &DatabaseTransaction,
    run_id: Option<i64>,
    lock: Option<(&str, &str)>,
) -> Result<bool, DbErr> {
    if let Some(id) = run_id {
        let backend = tx.get_database_backend();
        let check = match backend {
            DbBackend::Sqlite => sql::STILL_RUNNING_SQLITE,
            _ => sql::STILL_RUNNING_POSTGRES,
        };
        let check = Statement::from_sql_and_values(backend, check, [id.into()]);
        if tx.query_one_raw(check).await?.is_none() {
            return Ok(false);
        }
    }
    match lock {
        Some((name, owner)) => holds_lock(tx, name, owner).await,
        None => Ok(true),
    }
}

async fn holds_lock(tx: &DatabaseTransaction, name: &str, owner: &str) -> Result<bool, DbErr> {
    let backend = tx.get_database_backend();
    let check = match backend {
        DbBackend::Sqlite => shedlock::fence::SQLITE_CHECK,
        _ => shedlock::fence::POSTGRES_CHECK,
    };
    let check = Statement::from_sql_and_values(backend, check, [name.into(), owner.into()]);
    Ok(tx.query_one_raw(check).await?.is_some())
}
