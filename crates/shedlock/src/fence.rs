//! Checks for writes that only the holder of a lock may make.
//!
//! Run the check as the first statement of the transaction that writes. Its first parameter is the lock's name, its
//! second the guard's `locked_by`. That is unique per acquisition, so it stands for the fencing token as well.
//!
//! Exactly one row: the lock is still ours by the database clock, and stays so until the transaction ends. No row: roll
//! back.
//!
//! Redis has no check, because it takes no part in that transaction. Its provider documents what it cannot promise.

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

/// MySQL and MariaDB, with the tables in the session's default database. As with PostgreSQL, nobody can
/// take or extend the lock before the transaction ends.
///
/// Any isolation level will do: a locking read sees the newest row even under `REPEATABLE READ`. What plain reads see
/// there is as old as the first of them, so run the check before any. If the row has changed meanwhile, MariaDB 11.6
/// and later answers a late check with error 1020. Roll back then, too.
pub const MYSQL_CHECK: &str = "SELECT name FROM shedlock
 WHERE name = ? AND CONVERT(locked_by USING utf8mb4) = CAST(? AS BINARY)
   AND CASE (SELECT data_type FROM information_schema.columns
              WHERE table_schema = DATABASE() AND table_name = 'shedlock' AND column_name = 'lock_until')
       WHEN 'timestamp' THEN CONVERT_TZ(lock_until, @@session.time_zone, @@global.time_zone)
       ELSE lock_until END > UTC_TIMESTAMP(3)
   LOCK IN SHARE MODE";
