//! `pruneHistory`: what is kept for a time goes when its time is over, in batches.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ground::Fence;
use tokio_util::sync::CancellationToken;

use crate::platform::clock::Now;
use crate::platform::run::RunError;

/// One batch to delete.
pub struct Batch<'a> {
    /// What ended earlier is over.
    pub before: DateTime<Utc>,
    /// How long it was kept: from `before` until now.
    pub keep: TimeDelta,
    /// Most rows of this batch.
    pub size: u32,
    /// Where the batch before said that the next begins.
    pub from: Option<i64>,
    /// The run's right to write.
    pub fence: &'a dyn Fence,
    /// Ends the run.
    pub cancel: &'a CancellationToken,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Rows deleted.
    pub rows: u64,
    /// What is next.
    pub next: Next,
}

/// What follows a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing is left.
    Done,
    /// Another batch from the same place.
    Again,
    /// Another batch from here.
    From(i64),
}

impl Pruned {
    /// A batch of rows of which any number may be left; one that is not full was the last.
    pub fn batch(rows: u64, size: u32) -> Self {
        let next = if rows < u64::from(size) {
            Next::Done
        } else {
            Next::Again
        };
        Self { rows, next }
    }
}

/// Something that grows and must not grow for ever.
#[async_trait]
pub trait Prune: Send + Sync {
    /// Deletes one batch.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; then nothing of this batch is deleted.
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError>;
}

/// One line of the list of what is kept for a time.
pub struct Kept {
    /// What it is, for the log.
    pub name: &'static str,
    /// For how long.
    pub keep: TimeDelta,
    /// Most rows deleted in one transaction.
    pub batch: u32,
    /// Who deletes.
    pub what: Box<dyn Prune>,
}

/// The room of what grows and must not grow for ever.
pub struct Housekeeping {
    now: Now,
    kept: Vec<Kept>,
}

impl Housekeeping {
    /// The room, with the list of what it prunes, in order.
    pub fn new(now: Now, kept: Vec<Kept>) -> Self {
        Self { now, kept }
    }

    /// Prunes everything that is over. The number of rows deleted.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; batches committed before stay.
    pub async fn prune(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let mut pruned = 0;
        for kept in &self.kept {
            let rows = self.prune_one(kept, fence, cancel).await?;
            tracing::debug!(kept.name, rows, "history was pruned");
            pruned += rows;
        }
        Ok(pruned)
    }

    async fn prune_one(
        &self,
        kept: &Kept,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let (mut from, mut rows) = (None, 0);
        loop {
            RunError::unless_stopped(cancel)?;
            let batch = Batch {
                before: (self.now)() - kept.keep,
                keep: kept.keep,
                size: kept.batch,
                from,
                fence,
                cancel,
            };
            let pruned = kept.what.prune(&batch).await?;
            rows += pruned.rows;
            match pruned.next {
                Next::Done => return Ok(rows),
                Next::Again => {}
                Next::From(place) => from = Some(place),
            }
        }
    }
}
