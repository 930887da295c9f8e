//! The database: SQLite in a file, or PostgreSQL.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use thiserror::Error;

/// How long a statement may wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process's write before it answers busy.
const SQLITE_BUSY: Duration = Duration::from_secs(10);

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL names no database that this program knows.
    #[error("database.url must start with `sqlite:` or `postgres://`, not `{0}`")]
    Scheme(String),
    /// Readers and the writer have connections of their own, which would each see another database in memory.
    #[error("database.url must name a file, such as `sqlite:///var/lib/pullit/pullit.db`")]
    NoFile,
    /// The folder of the SQLite file cannot be made.
    #[error("the folder for the database, {path}, cannot be made: {error}")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The database does not answer, or refuses us.
    #[error("cannot connect to the database: {0}")]
    Connect(#[from] DbErr),
}

/// Connections to the one database of the service.
///
/// SQLite has a single writer. Writers of this process therefore queue at a pool of one connection, in order and without polling, while
/// readers have connections of their own. In PostgreSQL both are the same pool.
#[derive(Clone, Debug)]
pub struct Db {
    write: DatabaseConnection,
    read: DatabaseConnection,
}

impl Db {
    /// Connects. `max_connections` bounds the pool (in SQLite: the readers).
    ///
    /// # Errors
    /// When the URL is not one of ours, or the database cannot be reached.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, ConnectError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = Database::connect(options(url, max_connections)).await?;
            return Ok(Self {
                write: pool.clone(),
                read: pool,
            });
        }
        let Some(path) = url.strip_prefix("sqlite:") else {
            let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
            return Err(ConnectError::Scheme(scheme.to_owned()));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        // Parameters of others' drivers: how the file is opened is settled here.
        let path = path.split('?').next().unwrap_or(path);
        if path.is_empty() || path == ":memory:" {
            return Err(ConnectError::NoFile);
        }
        if let Some(folder) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(folder).map_err(|error| ConnectError::Folder {
                path: folder.display().to_string(),
                error,
            })?;
        }
        let url = format!("sqlite://{path}?mode=rwc");
        Ok(Self {
            write: Database::connect(sqlite_options(&url, 1)).await?,
            read: Database::connect(sqlite_options(&url, max_connections.clamp(1, 4))).await?,
        })
    }

    /// A few connections beside these, for what must not wait behind everything else; made when they are first needed. In SQLite, where
    /// one file serves one machine, the same ones.
    ///
    /// # Errors
    /// When the URL is no PostgreSQL's, and this database is.
    pub async fn aside(&self, url: &str, connections: u32) -> Result<Self, ConnectError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(self.clone());
        }
        let mut options = options(url, connections);
        options.connect_lazy(true);
        let pool = Database::connect(options).await?;
        Ok(Self {
            write: pool.clone(),
            read: pool,
        })
    }

    /// Which database this is.
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// For statements that change something. Never ask it for a second connection while a transaction is open: there is one.
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// For statements that only read, outside a transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A transaction that will write: in SQLite it takes the write lock at once, so that it cannot fail half-way for want of it.
    ///
    /// It begins in a task of its own: a caller that is dropped while PostgreSQL's BEGIN is under way (a member who goes away) would give
    /// the connection back with the transaction open and unknown to the driver (sqlx 0.9), and what its next user believes to be
    /// committed would be lost.
    ///
    /// # Errors
    /// When no connection is free in time or the database does not answer.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let write = self.write.clone();
        tokio::spawn(async move { write.begin_with_options(write_transaction()).await })
            .await
            .unwrap_or_else(|error| Err(DbErr::Custom(format!("begin did not finish: {error}"))))
    }

    /// Closes the pools.
    pub async fn close(self) {
        for pool in [self.write, self.read] {
            if let Err(error) = pool.close().await {
                tracing::debug!(%error, "a database pool was closed already");
            }
        }
    }
}

/// The options of a transaction that writes.
pub fn write_transaction() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

fn options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false);
    options
}

fn sqlite_options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = options(url, max_connections);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was answered is on the disk, whatever happens to the power.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(SQLITE_BUSY)
            .pragma("cache_size", "-2048")
            .pragma("journal_size_limit", "16777216")
    });
    options
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use super::*;
    use crate::platform::sql::SqlExt;

    /// Polls a future so many times and then drops it, as a member who goes away does.
    async fn dropped_after<F: Future>(polls: u32, future: F) {
        let mut future = pin!(future);
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            future.as_mut().poll(context).map(drop)
        })
        .await;
    }

    #[tokio::test]
    async fn a_sqlite_url_may_have_parameters_and_must_name_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pullit.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        Db::connect(&url, 1).await.unwrap().close().await;
        assert!(file.exists());
        let refused = Db::connect("sqlite::memory:", 1).await;
        assert!(matches!(refused, Err(ConnectError::NoFile)));
    }

    testkit::on_each_database! {
        async fn a_caller_dropped_while_it_begins_costs_the_next_one_nothing(database: testkit::Database) {
            let url = database.url();
            let db = Db::connect(url, 1).await.unwrap();
            db.write().run("CREATE TABLE kept (n BIGINT)", vec![]).await.unwrap();
            for polls in 0..40 {
                dropped_after(polls, db.begin()).await;
                let insert = db.write().run("INSERT INTO kept (n) VALUES ($1)", vec![i64::from(polls).into()]);
                insert.await.unwrap();
            }
            let other = Db::connect(url, 1).await.unwrap();
            let kept = other.read().scalar::<i64, _>("SELECT COUNT(*) FROM kept", vec![]).await.unwrap();
            assert_eq!(kept, Some(40));
        }
    }
}
