//! SQLite databases, each in a temporary folder of its own.

use std::{path::PathBuf, time::Duration};

use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tempfile::TempDir;

/// An empty database file, removed with its folder when this is dropped.
#[derive(Debug)]
pub struct Database {
    folder: TempDir,
    url: String,
}

impl Database {
    /// Makes the folder; the file appears with the first connection.
    pub fn create() -> Self {
        let folder = TempDir::with_prefix("pullit-sqlite-").expect("make a temporary folder");
        let url = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("test.db").display()
        );
        Self { folder, url }
    }

    /// `sqlite://…/test.db?mode=rwc`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// Opens a pool of one connection with the write-ahead log and a busy timeout of 5 s, as the
    /// service does.
    pub async fn connect(&self) -> ground::Database {
        let options = SqliteConnectOptions::new()
            .filename(self.path())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .unwrap_or_else(|error| panic!("open {}: {error}", self.url))
            .into()
    }
}
