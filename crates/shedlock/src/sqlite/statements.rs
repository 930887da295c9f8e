//! Times are compared as text: see [`crate::schema::SQLITE`].

/// The database clock. Within one statement it stands still.
macro_rules! now {
    () => {
        "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'"
    };
}

/// The database clock and `$3` milliseconds.
macro_rules! lease_end {
    () => {
        "strftime('%Y-%m-%dT%H:%M:%f', 'now', printf('+%d.%03d seconds', $3 / 1000, $3 % 1000)) || '000+00:00'"
    };
}

pub(super) const TAKE: &str = concat!(
    "INSERT INTO shedlock (name, lock_until, locked_at, locked_by)
VALUES ($1, ", lease_end!(), ", ", now!(), ", $2)
ON CONFLICT (name) DO UPDATE
   SET lock_until = excluded.lock_until, locked_at = excluded.locked_at, locked_by = excluded.locked_by
 WHERE shedlock.lock_until <= excluded.locked_at
RETURNING locked_at"
);

pub(super) const TAKE_OVER: &str = concat!(
    "UPDATE shedlock SET lock_until = ",
    lease_end!(),
    ", locked_at = ",
    now!(),
    ", locked_by = $2
 WHERE name = $1 AND locked_by = $4 AND lock_until = $5 AND lock_until > ",
    now!(),
    "
RETURNING locked_at"
);

pub(super) const COUNT: &str = "INSERT INTO shedlock_fence (name, token) VALUES ($1, 1)
ON CONFLICT (name) DO UPDATE SET token = token + 1
RETURNING token";

pub(super) const EXTEND: &str = concat!(
    "UPDATE shedlock SET lock_until = ",
    lease_end!(),
    "
 WHERE name = $1 AND locked_by = $2 AND lock_until > ",
    now!()
);

/// A hold that began in the future, because the clock was set back since, is as long as it was from now on. It does not
/// end when it would have.
pub(super) const RELEASE: &str = concat!(
    "UPDATE shedlock SET lock_until = CASE WHEN locked_at > ",
    now!(),
    "
   THEN strftime('%Y-%m-%dT%H:%M:%f', 'now',
          printf('+%.3f seconds', max(0.0, (julianday($3) - julianday(locked_at)) * 86400.0))) || '000+00:00'
   ELSE max(",
    now!(),
    ", $3) END
 WHERE name = $1 AND locked_by = $2 AND lock_until > ",
    now!()
);

/// `$1` name. The row, if it was taken in the future and not extended since the clock was set back.
pub(super) const STALE: &str = concat!(
    "SELECT locked_by, locked_at, lock_until FROM shedlock
 WHERE name = $1 AND lock_until > locked_at AND locked_at > ",
    now!()
);

/// `$1` name, `$2` holder, `$3` when it was taken, `$4` its end.
pub(super) const FREE_STALE: &str = concat!(
    "UPDATE shedlock SET lock_until = ",
    now!(),
    "
 WHERE name = $1 AND locked_by = $2 AND locked_at = $3 AND lock_until = $4 AND locked_at > ",
    now!()
);

/// `$1` name, `$2` holder, `$3` the end that was seen.
pub(super) const FREE: &str = concat!(
    "UPDATE shedlock SET lock_until = ",
    now!(),
    "
 WHERE name = $1 AND locked_by = $2 AND lock_until = $3 AND lock_until > ",
    now!()
);

macro_rules! select_info {
    () => {
        concat!(
            "SELECT name, locked_by, locked_at, lock_until, lock_until > ",
            now!(),
            " AS held FROM shedlock"
        )
    };
}

pub(super) const LOCKS: &str = concat!(select_info!(), " ORDER BY name");
pub(super) const LOCK_INFO: &str = concat!(select_info!(), " WHERE name = $1");
