//! The statements, once for each pair of column types.
//!
//! *The column types.* Java ShedLock writes `UTC_TIMESTAMP(3)` and compares with it. In a `DATETIME` column
//! that is UTC for everybody. In a `TIMESTAMP` column the server takes it for a time of the session's
//! zone: what another session reads is UTC only if it has the same zone. Java's drivers leave their
//! sessions in the server's default zone, `@@global.time_zone`. So these statements read and write
//! `TIMESTAMP` columns in that zone, whatever the zone of the session that runs them.
//!
//! *The acquisition* begins with a look, which locks nothing and so disturbs nobody. Then one `UPDATE` changes
//! the lock row and its token together, if the lock is still free and the token is still the one that was
//! seen. So the token is known without another query. The one number that an `UPDATE` can answer,
//! `LAST_INSERT_ID`, says when the lock was taken. There is nothing to commit, so a caller who gives up leaves
//! no transaction open.
//!
//! A missing row is inserted first, as one that nobody owns. `INSERT … ON DUPLICATE KEY UPDATE` of the lock
//! row could not count the token in the same statement. `INSERT IGNORE`, as Java has it, also ignores that a
//! name was cut.
//!
//! *The clock* is that of the start of the statement. One that waited behind another for the row writes a
//! lease that is shorter by the wait, never a longer one. Trust in it also counts from before the wait.
//!
//! *Comparisons.* Names are compared as the column's collation has it, as Java does. `locked_by` is compared
//! byte by byte: most collations ignore case and accents, many ignore spaces at the end.

/// The statements for one pair of column types.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) look: &'static str,
    pub(super) take: &'static str,
    pub(super) take_over: &'static str,
    pub(super) extend: &'static str,
    pub(super) release: &'static str,
    pub(super) free: &'static str,
    pub(super) locks: &'static str,
    pub(super) lock_info: &'static str,
}

/// A lock that nobody has taken yet.
pub(super) const ADD_LOCK: &str = "INSERT INTO shedlock (name, lock_until, locked_at, locked_by)
VALUES (?, '2000-01-01 00:00:00', '2000-01-01 00:00:00', '')
ON DUPLICATE KEY UPDATE name = name";

pub(super) const ADD_FENCE: &str = "INSERT INTO shedlock_fence (name, token) VALUES (?, 0)
ON DUPLICATE KEY UPDATE name = name";

macro_rules! now {
    () => {
        "UTC_TIMESTAMP(3)"
    };
}

macro_rules! epoch {
    () => {
        "TIMESTAMP'1970-01-01 00:00:00'"
    };
}

/// Microseconds since 1970.
macro_rules! micros_of {
    ($($time:tt)*) => {
        concat!("TIMESTAMPDIFF(MICROSECOND, ", epoch!(), ", ", $($time)*, ")")
    };
}

/// A column, read as UTC.
macro_rules! utc {
    (datetime, $column:literal) => {
        $column
    };
    (timestamp, $column:literal) => {
        concat!(
            "CONVERT_TZ(",
            $column,
            ", @@session.time_zone, @@global.time_zone)"
        )
    };
}

/// A time in UTC, as a column stores it. `TIMESTAMP` ends in January 2038, and a time beyond may be stored
/// as zero: a lock that is free.
macro_rules! stored {
    (datetime, $($time:tt)*) => {
        concat!($($time)*)
    };
    (timestamp, $($time:tt)*) => {
        concat!(
            "CONVERT_TZ(LEAST(",
            $($time)*,
            ", TIMESTAMP'2038-01-17 00:00:00'), @@global.time_zone, @@session.time_zone)"
        )
    };
}

macro_rules! lease_end {
    () => {
        concat!(now!(), " + INTERVAL ? MICROSECOND")
    };
}

/// Exactly this holder.
macro_rules! is_held_by {
    ($column:literal) => {
        concat!("CONVERT(", $column, " USING utf8mb4) = CAST(? AS BINARY)")
    };
}

/// Lease in microseconds, holder, name, name, token.
macro_rules! take {
    ($until:ident, $at:ident) => {
        concat!(
            "UPDATE shedlock AS s, shedlock_fence AS f
   SET s.lock_until = ",
            stored!($until, lease_end!()),
            ",
       s.locked_at = ",
            stored!($at, now!()),
            ",
       s.locked_by = ?,
       f.token = IF(LAST_INSERT_ID(",
            micros_of!(now!()),
            ") > 0, f.token + 1, NULL)
 WHERE s.name = ? AND f.name = ? AND f.token = ?
   AND ",
            utc!($until, "s.lock_until")
        )
    };
}

macro_rules! select_info {
    ($until:ident, $at:ident) => {
        concat!(
            "SELECT name, locked_by, lock_until, locked_at,
       ",
            micros_of!(utc!($at, "locked_at")),
            " AS at_micros,
       ",
            micros_of!(utc!($until, "lock_until")),
            " AS until_micros,
       NOT COALESCE(",
            utc!($until, "lock_until"),
            " <= ",
            now!(),
            ", FALSE) AS held
  FROM shedlock"
        )
    };
}

macro_rules! statements {
    ($until:ident, $at:ident) => {
        Statements {
            // Answers a row in any case, for the sake of its column types.
            look: concat!(
                "SELECT @@session.autocommit AS commits, s.name IS NOT NULL AS known, f.token AS token, s.lock_until, s.locked_at,
       COALESCE(",
                utc!($until, "s.lock_until"),
                " <= ",
                now!(),
                ", FALSE) AS free
  FROM (SELECT 1 AS always) AS one
  LEFT JOIN shedlock AS s ON s.name = ? LEFT JOIN shedlock_fence AS f ON f.name = ?"
            ),
            take: concat!(take!($until, $at), " <= ", now!()),
            // And the holder and the end of the tail.
            take_over: concat!(
                take!($until, $at),
                " > ",
                now!(),
                "
   AND ",
                is_held_by!("s.locked_by"),
                "
   AND ",
                micros_of!(utc!($until, "s.lock_until")),
                " = ?"
            ),
            // `locked_at` is named because a column may have been created to follow every update.
            extend: concat!(
                "UPDATE shedlock SET lock_until = ",
                stored!($until, lease_end!()),
                ", locked_at = locked_at
 WHERE name = ? AND ",
                is_held_by!("locked_by"),
                " AND ",
                utc!($until, "lock_until"),
                " > ",
                now!()
            ),
            release: concat!(
                "UPDATE shedlock SET lock_until = ",
                stored!(
                    $until,
                    "GREATEST(",
                    now!(),
                    ", ",
                    epoch!(),
                    " + INTERVAL ? MICROSECOND)"
                ),
                ", locked_at = locked_at
 WHERE name = ? AND ",
                is_held_by!("locked_by"),
                " AND ",
                utc!($until, "lock_until"),
                " > ",
                now!()
            ),
            // Holder, name, name, and the end that was seen.
            free: concat!(
                "UPDATE shedlock AS s, shedlock_fence AS f
   SET s.lock_until = ",
                stored!($until, now!()),
                ",
       s.locked_at = s.locked_at,
       f.token = f.token + 1
 WHERE ",
                is_held_by!("s.locked_by"),
                " AND s.name = ? AND f.name = ?
   AND ",
                utc!($until, "s.lock_until"),
                " > ",
                now!(),
                "
   AND ",
                micros_of!(utc!($until, "s.lock_until")),
                " = ?"
            ),
            locks: concat!(select_info!($until, $at), " ORDER BY name"),
            lock_info: concat!(select_info!($until, $at), " WHERE name = ?"),
        }
    };
}

/// By [`Columns`](super::columns::Columns): `lock_until` first, then `locked_at`.
pub(super) const ALL: [[Statements; 2]; 2] = [
    [
        statements!(datetime, datetime),
        statements!(datetime, timestamp),
    ],
    [
        statements!(timestamp, datetime),
        statements!(timestamp, timestamp),
    ],
];
