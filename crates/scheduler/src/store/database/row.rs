//! Rows as values.

use std::str::FromStr;

use sea_orm::{DbErr, QueryResult};

use crate::model::{Cause, Run, UnknownWord};

pub(super) fn run_from(row: &QueryResult) -> Result<Run, DbErr> {
    let count = |column| -> Result<u64, DbErr> {
        let n: Option<i64> = row.try_get("", column)?;
        Ok(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    };
    let small = |column| -> Result<u32, DbErr> {
        let n: Option<i32> = row.try_get("", column)?;
        Ok(n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0))
    };
    Ok(Run {
        id: row.try_get("", "id")?,
        job_name: row.try_get("", "job_name")?,
        scheduled_at: row.try_get("", "scheduled_at")?,
        started_at: row.try_get("", "started_at")?,
        finished_at: row.try_get("", "finished_at")?,
        node: row.try_get("", "node")?,
        attempt: small("attempt")?,
        status: word(row, "status")?,
        cause: word::<Cause>(row, "cause")?,
        affected: count("affected")?,
        retries: small("retries")?,
        error: row.try_get("", "error")?,
    })
}

pub(super) fn word<T: FromStr<Err = UnknownWord>>(
    row: &QueryResult,
    column: &str,
) -> Result<T, DbErr> {
    let word: String = row.try_get("", column)?;
    word.parse()
        .map_err(|unknown: UnknownWord| DbErr::Type(unknown.to_string()))
}
