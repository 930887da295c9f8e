//! What the SQL providers share: durations as numbers, times as text, and what a driver's error means.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::LockError;

/// Microseconds, rounded up.
#[cfg(feature = "postgres")]
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Milliseconds, rounded up.
#[cfg(feature = "sqlite")]
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// The one text form of a time: it sorts.
#[cfg(feature = "sqlite")]
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// A time from microseconds since 1970; one that does not exist is the end of all times.
#[cfg(feature = "postgres")]
pub(crate) fn time_from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Sorts a driver's error by what the caller should do.
pub(crate) fn lock_error(error: sqlx::Error) -> LockError {
    use sqlx::Error as E;
    let code = match &error {
        E::Database(cause) => cause.code().map(|code| code.into_owned()),
        E::Io(_)
        | E::Tls(_)
        | E::Protocol(_)
        | E::PoolTimedOut
        | E::PoolClosed
        | E::WorkerCrashed => {
            return LockError::Unavailable(error.into());
        }
        _ => return LockError::Database(error.into()),
    };
    match code.as_deref().map(kind) {
        Some(Kind::Contended) => LockError::Contended(error.into()),
        Some(Kind::Unavailable) => LockError::Unavailable(error.into()),
        Some(Kind::Schema) => LockError::Schema(error.into()),
        None | Some(Kind::Other) if is_missing_in_sqlite(&error) => LockError::Schema(error.into()),
        None | Some(Kind::Other) => LockError::Database(error.into()),
    }
}

enum Kind {
    Contended,
    Unavailable,
    Schema,
    Other,
}

/// By SQLSTATE (five characters) or by SQLite's extended result code (a number).
fn kind(code: &str) -> Kind {
    if let Ok(number) = code.parse::<i64>()
        && code.len() < 5
    {
        // The low byte is the primary code: 5 SQLITE_BUSY, 6 SQLITE_LOCKED.
        return match number & 0xff {
            5 | 6 => Kind::Contended,
            _ => Kind::Other,
        };
    }
    match code {
        // Serialization failure, deadlock, and "could not obtain lock" (lock_timeout).
        "40001" | "40P01" | "55P03" => Kind::Contended,
        // Undefined table or column, a type that does not fit, no unique index for ON CONFLICT,
        // a value longer than its column.
        "42P01" | "42703" | "42804" | "42883" | "42P10" | "22001" => Kind::Schema,
        // Statement cancelled (statement_timeout), read-only after a failover.
        "57014" | "25006" => Kind::Unavailable,
        // Connection exceptions, too little of something, operator intervention, idle session ended.
        _ if ["08", "53", "57"].contains(&&code[..code.len().min(2)]) => Kind::Unavailable,
        _ => Kind::Other,
    }
}

/// SQLite tells a table of the wrong shape only by its message.
fn is_missing_in_sqlite(error: &sqlx::Error) -> bool {
    const SIGNS: [&str; 4] = [
        "no such table",
        "no such column",
        "has no column named",
        "ON CONFLICT clause does not match",
    ];
    error
        .as_database_error()
        .is_some_and(|cause| SIGNS.iter().any(|sign| cause.message().contains(sign)))
}
