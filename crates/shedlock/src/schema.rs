//! The tables. Every statement may be run again.

/// PostgreSQL. The lock table is exactly Java ShedLock's; the fencing tokens live beside it, where Java
/// never sees them. Rows of either table are never deleted by this crate, and those of the second must
/// not be deleted by anybody: their tokens would begin again at 1.
pub const POSTGRES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS shedlock (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    lock_until TIMESTAMP NOT NULL,
    locked_at TIMESTAMP NOT NULL,
    locked_by VARCHAR(255) NOT NULL
)",
    "CREATE TABLE IF NOT EXISTS shedlock_fence (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL
)",
];

/// SQLite. Times are ISO 8601 text in UTC with microseconds and `+00:00`, so that they sort
/// (`2026-11-22T10:00:00.123000+00:00`). SQLite's own clock has milliseconds.
pub const SQLITE: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS shedlock (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    lock_until TEXT NOT NULL,
    locked_at TEXT NOT NULL,
    locked_by VARCHAR(255) NOT NULL
)",
    "CREATE TABLE IF NOT EXISTS shedlock_fence (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL
)",
];

/// MySQL and MariaDB. The lock table is Java ShedLock's, but for two choices of column types that Java's
/// statements do not notice:
/// - `DATETIME(3)` instead of `TIMESTAMP(3)`. What Java writes into a `TIMESTAMP` is UTC only for sessions of the same
///   time zone. It cannot be written at all in the hour that a daylight saving zone leaves out, and it ends in 2038.
///   This crate also works with `TIMESTAMP(3)`, in sessions of any zone. It then agrees with Java sessions in the
///   server's default zone, which is what Java's drivers use by default.
/// - Names are compared exactly. With MySQL's default collations two names are one lock if they differ only in case,
///   accents or (MariaDB) spaces at the end. That holds for Java as for this crate.
///
/// The fencing tokens live beside it, where Java never sees them, and must never be deleted: they would
/// begin again at 1.
pub const MYSQL: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS shedlock (
    name VARCHAR(64) CHARACTER SET utf8mb4 /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL PRIMARY KEY,
    lock_until DATETIME(3) NOT NULL,
    locked_at DATETIME(3) NOT NULL,
    locked_by VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL
) ENGINE = InnoDB",
    "CREATE TABLE IF NOT EXISTS shedlock_fence (
    name VARCHAR(64) CHARACTER SET utf8mb4 /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL
) ENGINE = InnoDB",
];
