//! Rows that were taken in the future: the machine's clock was set back since, and their holder may be gone.
//!
//! All holders of a row share one machine's clock. A living one extends its lease before half of it is over, by the new
//! clock, and the row changes. So a row that stays as it is for a whole lease has no holder that may still trust it. How
//! long it stays is measured by a clock that nobody sets.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{Row, SqliteConnection};
use tracing::warn;

use super::statements::{FREE_STALE, STALE};
use crate::clock::BootInstant;

/// A row that was taken in the future. Its times are text, as they stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StaleRow {
    locked_by: String,
    locked_at: String,
    lock_until: String,
}

/// Those that were seen, by name, and since when each is as it is.
#[derive(Debug, Default)]
pub(super) struct StaleRows {
    seen: Mutex<BTreeMap<String, (StaleRow, BootInstant)>>,
}

impl StaleRow {
    /// What it was taken for, extensions included: never less than its lease.
    fn length(&self) -> Option<Duration> {
        let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
        (time(&self.lock_until)? - time(&self.locked_at)?)
            .to_std()
            .ok()
    }
}

impl StaleRows {
    /// The row that was found, if it has been as it is for long enough.
    pub(super) fn is_over(
        &self,
        name: &str,
        found: Option<StaleRow>,
        at_most: Duration,
    ) -> Option<StaleRow> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = found else {
            seen.remove(name);
            return None;
        };
        let now = BootInstant::now();
        let wait = row.length()?.max(at_most);
        match seen.get(name) {
            Some((known, since)) if *known == row => (now.since(*since) >= wait).then_some(row),
            _ => {
                warn!(
                    lock = name,
                    locked_by = row.locked_by,
                    locked_at = row.locked_at,
                    free_in_seconds = wait.as_secs(),
                    "a lock was taken in the future: the clock was set back; it is free soon unless its holder extends it"
                );
                seen.insert(name.to_owned(), (row, now));
                None
            }
        }
    }

    pub(super) fn report_freed(&self, name: &str, row: &StaleRow) {
        warn!(
            lock = name,
            locked_by = row.locked_by,
            locked_at = row.locked_at,
            "freed a lock that was taken in the future and that nobody has extended since the clock was set back"
        );
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(name);
    }
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<StaleRow>, sqlx::Error> {
    let row = sqlx::query(STALE)
        .bind(name)
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(StaleRow {
            locked_by: row.try_get("locked_by")?,
            locked_at: row.try_get("locked_at")?,
            lock_until: row.try_get("lock_until")?,
        })
    })
    .transpose()
}

pub(super) async fn free(
    connection: &mut SqliteConnection,
    name: &str,
    row: &StaleRow,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(FREE_STALE)
        .bind(name)
        .bind(&row.locked_by)
        .bind(&row.locked_at)
        .bind(&row.lock_until);
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "SQLite's own clock is the machine's"
)]
mod tests;
