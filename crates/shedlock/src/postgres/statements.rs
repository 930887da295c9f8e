//! The statements. Two things are unusual in them.
//!
//! *The column types.* Both `TIMESTAMP` (in UTC) and `TIMESTAMPTZ` exist in the wild. A comparison or
//! assignment between the two shifts by the session's time zone. So times are compared as
//! `extract(epoch FROM …)`, which is right for either type in any session. They are written as "the epoch, in
//! the type of this column, plus microseconds": inside `COALESCE` an untyped literal takes the type of
//! the column. The interval has only a time part: days would follow the session's daylight saving.
//!
//! *The clock.* `CURRENT_TIMESTAMP` is the start of the transaction. A statement that waited behind another
//! for the row must judge by the time after the wait. Otherwise it would refuse a lock that is free, and write
//! a lease that is already shorter. Hence `clock_timestamp()`, read once per row in a subquery of its own.
//! (`OFFSET 0` stops the planner from reading it twice.)

/// Microseconds since 1970 by the database clock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// Microseconds since 1970 of a column of either type, within years 1970 to 9999 (`infinity` is a legal
/// way to block a lock).
macro_rules! micros_of {
    ($column:literal) => {
        concat!(
            "(greatest(least(extract(epoch FROM ",
            $column,
            "), 253402300799), 0) * 1000000)::bigint"
        )
    };
}

/// The four values of a row that is taken now: `$1` name, `$2` holder, `$3` lease in microseconds.
macro_rules! taken_row {
    () => {
        concat!(
            "SELECT epoch.until + (clock.now + $3) * interval '1 microsecond',
            epoch.at + clock.now * interval '1 microsecond',
            $2
       FROM (SELECT ", now!(), " AS now OFFSET 0) AS clock,
            (SELECT COALESCE((SELECT lock_until FROM shedlock WHERE false), '1970-01-01 00:00:00+00') AS until,
                    COALESCE((SELECT locked_at FROM shedlock WHERE false), '1970-01-01 00:00:00+00') AS at
            ) AS epoch"
        )
    };
}

/// Counts the acquisition in the same statement, and answers it.
macro_rules! fenced {
    () => {
        ", fence AS (
    INSERT INTO shedlock_fence AS fence (name, token) SELECT $1, 1 FROM taken
    ON CONFLICT (name) DO UPDATE SET token = fence.token + 1
    RETURNING token
)
SELECT taken.at, fence.token FROM taken, fence"
    };
}

pub(super) const TAKE: &str = concat!(
    "WITH taken AS (
    INSERT INTO shedlock AS held (lock_until, locked_at, locked_by, name)
    SELECT fresh.*, $1 FROM (",
    taken_row!(),
    ") AS fresh
    ON CONFLICT (name) DO UPDATE SET (lock_until, locked_at, locked_by) = (",
    taken_row!(),
    ")
     WHERE ",
    micros_of!("held.lock_until"),
    " <= ",
    now!(),
    "
    RETURNING ",
    micros_of!("locked_at"),
    " AS at
)",
    fenced!()
);

pub(super) const TAKE_OVER: &str = concat!(
    "WITH taken AS (
    UPDATE shedlock AS held SET (lock_until, locked_at, locked_by) = (",
    taken_row!(),
    ")
     WHERE name = $1 AND locked_by = $4
       AND ",
    micros_of!("held.lock_until"),
    " = $5
       AND ",
    micros_of!("held.lock_until"),
    " > ",
    now!(),
    "
    RETURNING ",
    micros_of!("locked_at"),
    " AS at
)",
    fenced!()
);

pub(super) const EXTEND: &str = concat!(
    "UPDATE shedlock
   SET lock_until = lock_until
       + (",
    now!(),
    " + $3 - ",
    micros_of!("lock_until"),
    ") * interval '1 microsecond'
 WHERE name = $1 AND locked_by = $2 AND ",
    micros_of!("lock_until"),
    " > ",
    now!()
);

pub(super) const RELEASE: &str = concat!(
    "UPDATE shedlock
   SET lock_until = lock_until
       + (greatest(",
    now!(),
    ", $3) - ",
    micros_of!("lock_until"),
    ") * interval '1 microsecond'
 WHERE name = $1 AND locked_by = $2 AND ",
    micros_of!("lock_until"),
    " > ",
    now!()
);

/// `$1` name, `$2` holder, `$3` the end that was seen.
pub(super) const FREE: &str = concat!(
    "WITH freed AS (
    UPDATE shedlock SET lock_until = lock_until + (",
    now!(),
    " - ",
    micros_of!("lock_until"),
    ") * interval '1 microsecond'
     WHERE name = $1 AND locked_by = $2
       AND ",
    micros_of!("lock_until"),
    " = $3
       AND ",
    micros_of!("lock_until"),
    " > ",
    now!(),
    "
    RETURNING name
)
INSERT INTO shedlock_fence AS fence (name, token) SELECT name, 1 FROM freed
ON CONFLICT (name) DO UPDATE SET token = fence.token + 1"
);

macro_rules! select_info {
    () => {
        concat!(
            "SELECT name, locked_by, ",
            micros_of!("locked_at"),
            " AS at, ",
            micros_of!("lock_until"),
            " AS until, ",
            micros_of!("lock_until"),
            " > ",
            now!(),
            " AS held FROM shedlock"
        )
    };
}

pub(super) const LOCKS: &str = concat!(select_info!(), " ORDER BY name");
pub(super) const LOCK_INFO: &str = concat!(select_info!(), " WHERE name = $1");
