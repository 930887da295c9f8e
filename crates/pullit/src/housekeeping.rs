//! `pruneHistory`: what is kept for a time goes when its time is over, in batches.

use chrono::TimeDelta;
use scheduler::Scheduler;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::notification::Feed;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::Db;
use crate::platform::fence::RunFence;
use crate::platform::idempotency;
use crate::platform::run::RunError;
use crate::source::{CleanupError, Sources};

/// How long each kind of history is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    runs: TimeDelta,
    inbox: TimeDelta,
    notifications: TimeDelta,
    tokens: TimeDelta,
    idempotency: TimeDelta,
    uploads: TimeDelta,
    batch: u32,
}

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        let keep = &config.retention;
        Self {
            runs: keep.runs.delta(),
            inbox: keep.inbox.delta(),
            notifications: keep.notifications.delta(),
            tokens: keep.tokens.delta(),
            idempotency: keep.idempotency.delta(),
            uploads: keep.uploads.delta(),
            batch: config.limits.prune_batch,
        }
    }
}

/// The room of what grows and must not grow for ever.
pub struct Housekeeping {
    db: Db,
    now: Now,
    retention: Retention,
    auth: Auth,
    feed: Arc<Feed>,
    sources: Arc<Sources>,
    /// The scheduler keeps the runs, and is built after its jobs.
    scheduler: OnceLock<Scheduler>,
}

impl Housekeeping {
    /// The room. Give it the scheduler when that is built.
    pub fn new(
        db: Db,
        now: Now,
        retention: Retention,
        auth: Auth,
        feed: Arc<Feed>,
        sources: Arc<Sources>,
    ) -> Self {
        Self {
            db,
            now,
            retention,
            auth,
            feed,
            sources,
            scheduler: OnceLock::new(),
        }
    }

    /// Whose runs are pruned. A second scheduler is ignored.
    pub fn keep_runs_of(&self, scheduler: Scheduler) {
        let _second_is_ignored = self.scheduler.set(scheduler);
    }

    /// Prunes everything that is over. The number of rows deleted.
    ///
    /// # Errors
    /// When the run has lost its lease or the database does not answer; batches committed before stay.
    pub async fn prune(
        &self,
        fence: &dyn RunFence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let Retention { batch, .. } = self.retention;
        let keep = self.retention;
        let now = (self.now)();
        let mut pruned = 0;
        pruned += batches(cancel, batch, async || {
            Ok(self.feed.prune(keep.notifications, batch, fence).await?)
        })
        .await?;
        pruned += batches(cancel, batch, async || {
            Ok(self.auth.prune(keep.tokens, batch, fence).await?)
        })
        .await?;
        pruned += batches(cancel, batch, async || {
            Ok(idempotency::prune(&self.db, now - keep.idempotency, batch, fence).await?)
        })
        .await?;
        pruned += batches(cancel, batch, async || {
            let before = now - keep.inbox;
            Ok(outbox::inbox::prune(self.db.write(), before, u64::from(batch)).await?)
        })
        .await?;
        if let Some(scheduler) = self.scheduler.get() {
            pruned += batches(cancel, batch, async || {
                scheduler
                    .prune_history(now - keep.runs, u64::from(batch))
                    .await
                    .map_err(|error| RunError::Failed(error.to_string()))
            })
            .await?;
        }
        if !cancel.is_cancelled() {
            pruned += self.uploads(fence, cancel).await?;
        }
        Ok(pruned)
    }

    async fn uploads(&self, fence: &dyn RunFence, cancel: &CancellationToken) -> Result<u64, RunError> {
        match self
            .sources
            .prune_uploads(self.retention.uploads, self.retention.batch, fence, cancel)
            .await
        {
            Ok(removed) => Ok(removed.removed),
            Err(CleanupError::Cancelled) => Ok(0),
            Err(CleanupError::Fence(error)) => Err(error.into()),
            Err(CleanupError::Database(error)) => Err(error.into()),
        }
    }
}

/// Repeats a batch until one is not full. The number of rows of all.
async fn batches(
    cancel: &CancellationToken,
    batch: u32,
    work: impl AsyncFn() -> Result<u64, RunError>,
) -> Result<u64, RunError> {
    let mut all = 0;
    while !cancel.is_cancelled() {
        let rows = work().await?;
        all += rows;
        if rows < u64::from(batch) {
            break;
        }
    }
    Ok(all)
}
