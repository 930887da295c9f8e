//! Opens an SQLite file as a service should.

use std::{path::Path, time::Duration};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::Database;

/// How long a statement may wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process's write before it answers busy.
const BUSY: Duration = Duration::from_secs(10);

/// Connections to a file, which is made when it is missing.
///
/// SQLite has a single writer: let writers queue at a pool of one connection, in order and without polling, and readers have one of
/// their own.
///
/// # Errors
/// When the file cannot be opened.
pub async fn connect(file: &Path, max_connections: u32) -> Result<Database, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        // Taken literally: `%20` and `?` are names like any other.
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: what was answered is on the disk, whatever happens to the power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("cache_size", "-2048")
        .pragma("journal_size_limit", "16777216");
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let pool = SqlitePoolOptions::new()
        .max_connections(max_connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Also for those who run transactions of their own on this pool: what SQLite has rolled back by itself, its driver still
        // takes for a transaction.
        .after_release(|connection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    // A rollback may be under way.
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool.into())
}
