//! Which types the columns have, learnt from the answers.

use std::sync::atomic::{AtomicU8, Ordering};

use sqlx::{Column, Row, TypeInfo, mysql::MySqlRow};

use super::statements::{ALL, Statements};
use crate::{LockError, database::lock_error};

/// Whether `lock_until` and `locked_at` are `TIMESTAMP` (or `DATETIME`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    until: bool,
    at: bool,
}

impl Columns {
    pub(super) fn statements(self) -> &'static Statements {
        static STATEMENTS: [[Statements; 2]; 2] = ALL;
        &STATEMENTS[usize::from(self.until)][usize::from(self.at)]
    }

    fn of(row: &MySqlRow) -> Result<Self, LockError> {
        Ok(Self {
            until: is_timestamp(row, "lock_until")?,
            at: is_timestamp(row, "locked_at")?,
        })
    }
}

fn is_timestamp(row: &MySqlRow, column: &'static str) -> Result<bool, LockError> {
    let column = row.try_column(column).map_err(lock_error)?;
    match column.type_info().name() {
        "TIMESTAMP" => Ok(true),
        "DATETIME" => Ok(false),
        other => Err(LockError::Schema(
            format!(
                "column shedlock.{} is {other}: change it to datetime(3)",
                column.name()
            )
            .into(),
        )),
    }
}

/// The types as the last answer had them. Every look and every listing brings them along, so a table that
/// is altered under way is noticed without asking for it.
#[derive(Debug, Default)]
pub(super) struct Learnt(AtomicU8);

impl Learnt {
    pub(super) fn columns(&self) -> Columns {
        let bits = self.0.load(Ordering::Relaxed);
        Columns {
            until: bits & 1 != 0,
            at: bits & 2 != 0,
        }
    }

    /// Whether this row was asked for with the statements of its own column types; if not, ask again.
    pub(super) fn agrees(&self, assumed: Columns, row: &MySqlRow) -> Result<bool, LockError> {
        let seen = Columns::of(row)?;
        let bits = u8::from(seen.until) | u8::from(seen.at) << 1;
        self.0.store(bits, Ordering::Relaxed);
        Ok(seen == assumed)
    }
}
