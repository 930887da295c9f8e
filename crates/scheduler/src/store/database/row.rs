//! Rows as values, and numbers as the tables store them.

use std::str::FromStr;

use ground::{At, Column, FromRow, Row, Value};

use crate::job::Progress;
use crate::model::{Cause, Run, RunStatus, UnknownWord};
use crate::store::rows::{JobRow, NodeSchedule};

impl FromRow for Run {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let small = |column| -> Result<u32, sqlx::Error> {
            let n: Option<i32> = row.get(column)?;
            Ok(n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0))
        };
        Ok(Self {
            id: row.get("id")?,
            job_name: row.get("job_name")?,
            scheduled_at: row.get("scheduled_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            node: row.get("node")?,
            attempt: small("attempt")?,
            status: row.get("status")?,
            cause: row.get("cause")?,
            affected: uncount(row, "affected")?,
            retries: small("retries")?,
            error: row.get("error")?,
        })
    }
}

impl FromRow for JobRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let paused: Option<bool> = row.get("paused")?;
        Ok(Self {
            paused: paused.unwrap_or(false),
            created_at: row.get("created_at")?,
            resumed_at: row.get("resumed_at")?,
            foreign_slot: row.get("foreign_slot")?,
        })
    }
}

impl FromRow for NodeSchedule {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            job: row.get("job_name")?,
            text: row.get("schedule")?,
            node: row.get("node")?,
        })
    }
}

impl FromRow for Progress {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            done: uncount(row, "done")?,
            total: uncount(row, "total")?,
        })
    }
}

impl Column for RunStatus {
    fn read(row: &Row, at: At<'_>) -> Result<Self, sqlx::Error> {
        word(row, at)
    }
}

impl Column for Cause {
    fn read(row: &Row, at: At<'_>) -> Result<Self, sqlx::Error> {
        word(row, at)
    }
}

fn word<T: FromStr<Err = UnknownWord>>(row: &Row, at: At<'_>) -> Result<T, sqlx::Error> {
    let word: String = row.get(at)?;
    word.parse()
        .map_err(|unknown: UnknownWord| ground::unexpected(unknown.to_string()))
}

/// A count as a table stores it.
pub(super) fn count(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn uncount(row: &Row, column: &str) -> Result<u64, sqlx::Error> {
    let n: Option<i64> = row.get(column)?;
    Ok(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}
