//! `pruneHistory`: what is kept for a time goes when its time is over, in batches.

use chrono::TimeDelta;
use ground::Fence;
use scheduler::Scheduler;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::notification::Feed;
use crate::platform::clock::Now;
use crate::platform::config::Config;
use crate::platform::db::Db;
use crate::platform::idempotency;
use crate::platform::run::RunError;
use crate::source::Sources;

/// How long each kind of history is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    runs: TimeDelta,
    inbox: TimeDelta,
    audit: TimeDelta,
    notifications: TimeDelta,
    notifications_per_member: u32,
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
            audit: keep.audit.delta(),
            notifications: keep.notifications.delta(),
            notifications_per_member: keep.notifications_per_member,
            tokens: keep.tokens.delta(),
            idempotency: keep.idempotency.delta(),
            uploads: keep.uploads.delta(),
            batch: config.limits.prune_batch,
        }
    }
}

/// What is pruned row by row.
#[derive(Clone, Copy)]
enum Kind {
    Notifications,
    Tokens,
    Answers,
    Inbox,
    Audit,
    Runs,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Notifications,
        Self::Tokens,
        Self::Answers,
        Self::Inbox,
        Self::Audit,
        Self::Runs,
    ];
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
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let mut pruned = 0;
        for kind in Kind::ALL {
            loop {
                RunError::unless_stopped(cancel)?;
                let rows = self.batch_of(kind, fence).await?;
                pruned += rows;
                if rows < u64::from(self.retention.batch) {
                    break;
                }
            }
        }
        pruned += self.excess(fence, cancel).await?;
        Ok(pruned + self.uploads(fence, cancel).await?)
    }

    /// Notifications beyond the newest of each member; the number deleted.
    async fn excess(&self, fence: &dyn Fence, cancel: &CancellationToken) -> Result<u64, RunError> {
        let keep = &self.retention;
        let (mut member, mut pruned) = (i64::MIN, 0);
        loop {
            RunError::unless_stopped(cancel)?;
            let most = keep.notifications_per_member;
            let excess = self.feed.prune_excess(member, most, keep.batch, fence);
            let excess = excess.await?;
            pruned += excess.pruned;
            if excess.pruned < u64::from(keep.batch) {
                return Ok(pruned);
            }
            member = excess.next_member;
        }
    }

    /// Deletes one batch of a kind; the number of rows deleted.
    async fn batch_of(&self, kind: Kind, fence: &dyn Fence) -> Result<u64, RunError> {
        let Retention { batch, .. } = self.retention;
        let keep = &self.retention;
        let now = (self.now)();
        Ok(match kind {
            Kind::Notifications => self.feed.prune(keep.notifications, batch, fence).await?,
            Kind::Tokens => self.auth.prune(keep.tokens, batch, fence).await?,
            Kind::Answers => {
                idempotency::prune(&self.db, now - keep.idempotency, batch, fence).await?
            }
            Kind::Inbox => {
                let mut tx = self.db.begin().await?;
                let rows =
                    outbox::inbox::prune_batch(&mut tx, now - keep.inbox, batch.into()).await?;
                fence.check(&mut tx).await?;
                tx.commit().await?;
                rows
            }
            Kind::Audit => {
                let mut tx = self.db.begin().await?;
                let rows =
                    outbox::audit::prune_batch(&mut tx, now - keep.audit, batch.into()).await?;
                fence.check(&mut tx).await?;
                tx.commit().await?;
                rows
            }
            Kind::Runs => match self.scheduler.get() {
                Some(scheduler) => {
                    let before = now - keep.runs;
                    scheduler.prune_history(before, u64::from(batch)).await?
                }
                None => 0,
            },
        })
    }

    async fn uploads(
        &self,
        fence: &dyn Fence,
        cancel: &CancellationToken,
    ) -> Result<u64, RunError> {
        let Retention { uploads, batch, .. } = self.retention;
        let removing = self.sources.prune_uploads(uploads, batch, fence, cancel);
        Ok(removing.await?.removed)
    }
}
