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
