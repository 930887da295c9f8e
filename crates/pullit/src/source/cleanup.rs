//! The nightly removal of what members deleted, and of uploads that nobody completed.
//!
//! The object goes first, then the rows: killed in between, the next run finds the rows and deletes an object that is gone already, which
//! is no error. The other way round an object without a row would stay for ever.

use chrono::TimeDelta;
use ground::{Fence, FenceError, Transaction};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::service::Sources;
use super::store::removal;
use crate::platform::run::RunError;
use crate::platform::storage::{ObjectKey, StorageError};

/// What was begun before a URL expired may still arrive for so long.
const LONGEST_UPLOAD: TimeDelta = TimeDelta::hours(1);

/// Why a removal stopped before its end. What it removed before stays removed.
#[derive(Debug, Error)]
pub enum CleanupError {
    /// The run was cancelled: the next one goes on.
    #[error("cancelled")]
    Cancelled,
    /// The run may not write any more, or nobody can say.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The storage deletes nothing and does not answer otherwise either: asking it for the rest would only take time.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<CleanupError> for RunError {
    fn from(error: CleanupError) -> Self {
        match error {
            CleanupError::Cancelled => Self::Stopped,
            CleanupError::Fence(error) => error.into(),
            CleanupError::Storage(error) => Self::Failed(error.to_string()),
            CleanupError::Database(error) => Self::Database(error),
        }
    }
}

/// What a removal did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Sources or uploads that are gone, object and rows.
    pub removed: u64,
    /// Those whose object the storage would not delete; the log says why, and the next run tries again.
    pub failed: u64,
}

impl Sources {
    /// Removes DELETED sources that no living question set needs and nobody reads. `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// When the run is cancelled or superseded, or the database or the whole storage fails. An object that cannot be deleted is no error:
    /// it is counted.
    pub async fn cleanup(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Removed, CleanupError> {
        let total = removal::count(self.db.read()).await?;
        let mut outcome = Removed::default();
        let mut seen = 0;
        let mut last = i64::MIN;
        loop {
            let page = removal::page(self.db.read(), last, self.limits.removal_batch).await?;
            let Some(end) = page.last() else {
                return Ok(outcome);
            };
            last = end.id;
            seen += page.len() as u64;
            self.may_go_on(fence, cancel).await?;

            let objects = page
                .into_iter()
                .map(|row| (row.id, row.file_path))
                .collect();
            let (gone, failed) = self.delete_objects(objects, "source").await;
            self.storage_answers(&gone, failed).await?;
            let mut tx = self.db.begin().await?;
            let lasting = self.storage.urls_outlive_uploads();
            let expired = lasting.then(|| self.now() - LONGEST_UPLOAD);
            let removed = removal::remove(&mut tx, &gone, expired).await?;
            commit(tx, fence).await?;
            outcome.removed += removed;
            outcome.failed += failed;
            progress(seen, total.max(seen));
        }
    }

    /// Removes uploads that are older than `older_than` and never became a source, and what was put to them.
    ///
    /// # Errors
    /// As [`Sources::cleanup`].
    pub async fn prune_uploads(
        &self,
        older_than: TimeDelta,
        batch: u32,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<Removed, CleanupError> {
        let now = self.now();
        let mut outcome = Removed::default();
        let mut last = String::new();
        loop {
            let page =
                removal::abandoned(self.db.read(), now - older_than, &last, batch.max(1)).await?;
            let Some(end) = page.last() else {
                return Ok(outcome);
            };
            last = end.id.clone();
            if cancel.is_cancelled() {
                return Err(CleanupError::Cancelled);
            }
            let ids = page.into_iter().map(|row| row.id).collect::<Vec<_>>();
            let mut tx = self.db.begin().await?;
            let given_up = removal::give_up(&mut tx, &ids, now).await?;
            commit(tx, fence).await?;

            let objects = given_up
                .into_iter()
                .map(|row| (row.id, row.file_path))
                .collect();
            let (gone, failed) = self.delete_objects(objects, "upload").await;
            self.storage_answers(&gone, failed).await?;
            let mut tx = self.db.begin().await?;
            let removed = removal::prune(&mut tx, &gone).await?;
            commit(tx, fence).await?;
            outcome.removed += removed;
            outcome.failed += failed;
        }
    }

    /// Asked before objects go: they cannot be rolled back.
    async fn may_go_on(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<(), CleanupError> {
        if cancel.is_cancelled() {
            return Err(CleanupError::Cancelled);
        }
        let mut tx = self.db.begin().await?;
        fence.check(&mut tx).await?;
        tx.rollback().await;
        Ok(())
    }

    /// Asked when nothing of a step went: is it these objects, or the storage?
    async fn storage_answers<Id>(&self, gone: &[Id], failed: u64) -> Result<(), CleanupError> {
        if gone.is_empty() && failed > 0 {
            self.storage.check().await?;
        }
        Ok(())
    }

    /// Whose objects are gone, and how many the storage would not delete.
    async fn delete_objects<Id: std::fmt::Display>(
        &self,
        objects: Vec<(Id, String)>,
        what: &'static str,
    ) -> (Vec<Id>, u64) {
        let mut failed = 0;
        let mut refuse = |id: &Id, path: &str, reason: &dyn std::fmt::Display| {
            failed += 1;
            tracing::warn!(%id, path, %reason, "the object of this {what} stays until the next run tries again");
        };
        let mut ids = Vec::with_capacity(objects.len());
        let mut keys = Vec::with_capacity(objects.len());
        for (id, path) in objects {
            match path.parse::<ObjectKey>() {
                Ok(key) => {
                    ids.push(id);
                    keys.push(key);
                }
                Err(error) => refuse(&id, &path, &error),
            }
        }
        let answers = self.storage.delete_many(&keys).await;
        let gone = ids
            .into_iter()
            .zip(keys)
            .zip(answers)
            .filter_map(|((id, key), answer)| match answer {
                Ok(()) => Some(id),
                Err(error) => {
                    refuse(&id, key.as_str(), &error);
                    None
                }
            })
            .collect();
        metrics::counter!("pullit_objects_undeleted_total").increment(failed);
        (gone, failed)
    }
}

async fn commit(mut tx: Transaction, fence: &dyn Fence) -> Result<(), CleanupError> {
    fence.check(&mut tx).await?;
    Ok(tx.commit().await?)
}
