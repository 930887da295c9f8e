//! Checks for writes that only the holder of a lock may make.
//!
//! Run the check as the first statement of the transaction that writes, with `$1` the lock's name and
//! `$2` the guard's `locked_by` (unique per acquisition, so it stands for the fencing token as well).
//! Exactly one row: the lock is still ours by the database clock, and stays so until the transaction
//! ends. No row: roll back.
//!
//! There is none for Redis, which takes no part in that transaction: see what its provider cannot promise.

/// PostgreSQL. Nobody can take the lock before the transaction ends, even if its lease runs out meanwhile.
/// Neither can our own extension get through: keep such transactions shorter than half the lease.
pub const POSTGRES_CHECK: &str = "SELECT name FROM shedlock
 WHERE name = $1 AND locked_by = $2
   AND extract(epoch FROM lock_until) > extract(epoch FROM clock_timestamp())
   FOR SHARE";

/// SQLite, in a transaction that began `IMMEDIATE`: it is the only writer then.
pub const SQLITE_CHECK: &str = "SELECT name FROM shedlock
 WHERE name = $1 AND locked_by = $2
   AND lock_until > strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00'";
