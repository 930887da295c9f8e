//! What the SQL providers share: durations as numbers, times as text, and the meaning of a driver's errors.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::error::DatabaseError;

use crate::LockError;

/// Microseconds, rounded up.
#[cfg(feature = "postgres")]
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Milliseconds, rounded up.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// The one text form of a time: it sorts.
#[cfg(feature = "sqlite")]
pub(crate) fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// A time from microseconds since 1970; one that does not exist is the end of all times.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn time_from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Sorts a driver's error by what the caller should do.
pub(crate) fn lock_error(error: sqlx::Error) -> LockError {
    use sqlx::Error as E;
    let kind = match &error {
        E::Database(cause) => kind_of(&**cause),
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
    match kind {
        Kind::Contended => LockError::Contended(error.into()),
        Kind::Unavailable => LockError::Unavailable(error.into()),
        Kind::Schema => LockError::Schema(error.into()),
        Kind::Other => LockError::Database(error.into()),
    }
}

/// Whether the server refuses every write: after a failover it may be a standby.
pub(crate) fn is_read_only(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(cause) = error else {
        return false;
    };
    #[cfg(feature = "mysql")]
    if let Some(cause) = cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(cause.number(), 1290 | 1792 | 1836);
    }
    cause.code().as_deref() == Some("25006")
}

enum Kind {
    Contended,
    Unavailable,
    Schema,
    Other,
}

fn kind_of(cause: &dyn DatabaseError) -> Kind {
    #[cfg(feature = "mysql")]
    if let Some(cause) = cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return by_mysql_number(cause.number());
    }
    match cause.code().as_deref().map(by_code) {
        None | Some(Kind::Other) if is_missing_in_sqlite(cause) => Kind::Schema,
        None => Kind::Other,
        Some(kind) => kind,
    }
}

/// By SQLSTATE (five characters) or by SQLite's extended result code (a number).
fn by_code(code: &str) -> Kind {
    if let Ok(number) = code.parse::<i64>()
        && code.len() < 5
    {
        // The low byte is the primary code: 5 SQLITE_BUSY, 6 SQLITE_LOCKED; 8 read-only, 10 I/O error, 13 full, 14 cannot open.
        return match number & 0xff {
            5 | 6 => Kind::Contended,
            8 | 10 | 13 | 14 => Kind::Unavailable,
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

/// MySQL's and MariaDB's own numbers: their SQLSTATE is `HY000` more often than not.
#[cfg(feature = "mysql")]
fn by_mysql_number(number: u16) -> Kind {
    match number {
        // Lock wait timeout, deadlock, record changed since the snapshot (MariaDB), distributed
        // transaction rolled back, group replication refused the commit.
        1205 | 1213 | 1020 | 1613 | 1614 | 3101 => Kind::Contended,
        // Too many connections (of anybody, of this user) or other limits, out of memory, no disk space.
        1040 | 1203 | 1226 | 1037 | 1038 | 1041 | 1021 => Kind::Unavailable,
        // A node that is not part of its Galera cluster, shutdown, network trouble, the statement or
        // the connection killed or timed out.
        1047
        | 1053
        | 1129
        | 1152..=1161
        | 1184
        | 1317
        | 1927
        | 1969
        | 3024
        | 3168
        | 3169
        | 4031 => Kind::Unavailable,
        // Read-only after a failover.
        1290 | 1792 | 1836 => Kind::Unavailable,
        // Unknown table or column, a value longer than its column or not of its type or character set,
        // a further column that must be set, a table that is no table.
        1146 | 1054 | 1406 | 1264 | 1265 | 1267 | 1292 | 1364 | 1366 | 1288 | 1356 => Kind::Schema,
        _ => Kind::Other,
    }
}

/// SQLite tells a table of the wrong shape only by its message.
fn is_missing_in_sqlite(cause: &dyn DatabaseError) -> bool {
    const SIGNS: [&str; 4] = [
        "no such table",
        "no such column",
        "has no column named",
        "ON CONFLICT clause does not match",
    ];
    SIGNS.iter().any(|sign| cause.message().contains(sign))
}
