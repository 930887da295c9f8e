//! What can be done with sources: list, delete, and what other rooms need of them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use ground::Statements;
use tokio::sync::Notify;

use super::error::SourceError;
use super::model::{ListedSource, SourceState, SourceText};
use super::store;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::Db;
use crate::platform::storage::Storage;

/// Bounds of the room.
#[derive(Clone, Debug)]
pub struct SourceLimits {
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// How long an upload URL is valid.
    pub url_ttl: TimeDelta,
    /// Sources or uploads removed in one step.
    pub removal_batch: u32,
}

impl From<&Config> for SourceLimits {
    fn from(config: &Config) -> Self {
        Self {
            max_bytes: config.upload.max_bytes,
            url_ttl: config.upload.url_ttl.delta(),
            removal_batch: config.source.cleanup_batch,
        }
    }
}

/// The learning sources of all members.
pub struct Sources {
    pub(super) db: Db,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) zone: Tz,
    pub(super) limits: SourceLimits,
    pub(super) clock: Now,
    /// Rung when a source waits for its text to be read.
    pub(super) waiting: Notify,
}

impl Sources {
    /// The room, on its database, storage and clock. `zone` says which day it is.
    pub fn new(
        db: Db,
        storage: Arc<dyn Storage>,
        zone: Tz,
        limits: SourceLimits,
        clock: Now,
    ) -> Self {
        Self {
            db,
            storage,
            zone,
            limits,
            clock,
            waiting: Notify::new(),
        }
    }

    /// A member's sources, newest first, without deleted ones.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, member_id: i64) -> Result<Vec<ListedSource>, SourceError> {
        Ok(store::sources::of_member(self.db.read(), member_id).await?)
    }

    /// Hides a member's source at once; its object and rows go with the cleanup.
    ///
    /// # Errors
    /// When the member has no such source.
    pub async fn delete(&self, member_id: i64, id: i64) -> Result<(), SourceError> {
        let db = self.db.write();
        if store::sources::mark_deleted(db, id, member_id, self.now()).await? {
            Ok(())
        } else {
            Err(SourceError::NotFound)
        }
    }

    /// Which of these sources a member may use, in id order. What is another's, deleted or unknown is not among them.
    ///
    /// Called inside a transaction, it keeps them from being deleted until that ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn usable(
        &self,
        connection: impl Statements<'_>,
        member_id: i64,
        ids: &[i64],
    ) -> Result<Vec<SourceState>, sqlx::Error> {
        store::sources::usable(connection, member_id, ids).await
    }

    /// The texts of those of these sources that were read, in the order of `ids`. A source that was deleted after a set was asked of it
    /// still serves that set.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn texts(&self, ids: &[i64]) -> Result<Vec<SourceText>, sqlx::Error> {
        let mut texts = store::sources::texts(self.db.read(), ids).await?;
        texts.sort_by_key(|text| ids.iter().position(|id| *id == text.id));
        Ok(texts)
    }

    /// How many characters the texts of these sources have together.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn text_length(&self, ids: &[i64]) -> Result<i64, sqlx::Error> {
        store::sources::text_length(self.db.read(), ids).await
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}
