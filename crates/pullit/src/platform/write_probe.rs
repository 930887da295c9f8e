//! Whether the database takes writes: a full disk and a server that became a standby still answer every question.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ground::{Statements, unexpected};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::db::Db;

const WRITE: &str = "UPDATE write_probe SET written_at = $1 WHERE id = 1";

/// However many ask, it is written at most so often.
const EVERY: Duration = Duration::from_secs(1);

/// Changes a row of its own.
#[derive(Debug)]
pub struct WriteProbe {
    db: Db,
    /// When a write succeeded last. Who asks meanwhile waits for the write that is under way.
    written: Mutex<Option<Instant>>,
}

impl WriteProbe {
    /// On this database.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            written: Mutex::new(None),
        }
    }

    /// Writes, unless a write succeeded within the last second.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn check(&self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let mut written = self.written.lock().await;
        if written.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        *written = None;
        if self.db.write().run(WRITE, vec![now.into()]).await? != 1 {
            return Err(unexpected("the row of the write probe is missing"));
        }
        *written = Some(Instant::now());
        Ok(())
    }
}
