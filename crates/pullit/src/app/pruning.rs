//! Who prunes what, for how long it is kept, and in which order: the list of the housekeeping.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use scheduler::Scheduler;

use super::foundation::Foundation;
use super::rooms::DomainRooms;
use crate::admin::lock_release;
use crate::auth::{Auth, AuthHistory};
use crate::housekeeping::{Batch, Kept, Next, Prune, Pruned};
use crate::notification::Feed;
use crate::platform::config::Span;
use crate::platform::db::Db;
use crate::platform::idempotency;
use crate::platform::run::RunError;
use crate::source::Sources;

/// Everything that is kept for a time, in the order in which it is pruned.
pub(super) fn kept(base: &Foundation, rooms: &DomainRooms, runs: &Runs) -> Vec<Kept> {
    let keep = &base.config.retention;
    let batch = base.config.retention.batch;
    let line = |name, keep: Span, what: Box<dyn Prune>| Kept {
        name,
        keep: keep.delta(),
        batch,
        what,
    };
    let notifications = Notifications {
        feed: Arc::clone(&rooms.feed),
        per_member: keep.notifications_per_member,
    };
    let db = || base.db.clone();
    let of_auth = |history| Box::new(OfAuth(rooms.auth.clone(), history));
    vec![
        line("notifications", keep.notifications, Box::new(notifications)),
        line("refresh tokens", keep.tokens, of_auth(AuthHistory::Tokens)),
        line("sessions", keep.tokens, of_auth(AuthHistory::Sessions)),
        line(
            "remembered answers",
            keep.idempotency,
            Box::new(Answers(db())),
        ),
        line("marks of handled events", keep.inbox, Box::new(Inbox(db()))),
        line("outbox audit", keep.audit, Box::new(Audit(db()))),
        line("lock audit", keep.audit, Box::new(LockAudit(db()))),
        line("sign-in links", keep.audit, of_auth(AuthHistory::Links)),
        line("job runs", keep.runs, Box::new(runs.clone())),
        line(
            "uploads",
            keep.uploads,
            Box::new(Uploads(Arc::clone(&rooms.sources))),
        ),
    ]
}

/// By age; and then, member by member, beyond the newest of each.
struct Notifications {
    feed: Arc<Feed>,
    per_member: u32,
}

#[async_trait]
impl Prune for Notifications {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let Some(member) = batch.from else {
            let rows = self.feed.prune(batch.keep, batch.size, batch.fence).await?;
            let mut pruned = Pruned::batch(rows, batch.size);
            if pruned.next == Next::Done {
                pruned.next = Next::From(i64::MIN);
            }
            return Ok(pruned);
        };
        let excess = self
            .feed
            .prune_excess(member, self.per_member, batch.size, batch.fence)
            .await?;
        let mut pruned = Pruned::batch(excess.pruned, batch.size);
        if pruned.next == Next::Again {
            pruned.next = Next::From(excess.next_member);
        }
        Ok(pruned)
    }
}

struct OfAuth(Auth, AuthHistory);

#[async_trait]
impl Prune for OfAuth {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let Self(auth, history) = self;
        let pruned = auth.prune(*history, batch.keep, batch.size, batch.fence);
        Ok(Pruned::batch(pruned.await?, batch.size))
    }
}

struct Answers(Db);

#[async_trait]
impl Prune for Answers {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let rows = idempotency::prune(&self.0, batch.before, batch.size, batch.fence).await?;
        Ok(Pruned::batch(rows, batch.size))
    }
}

struct Inbox(Db);

#[async_trait]
impl Prune for Inbox {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let mut tx = self.0.begin().await?;
        let rows = outbox::inbox::prune_batch(&mut tx, batch.before, batch.size.into()).await?;
        batch.fence.check(&mut tx).await?;
        tx.commit().await?;
        Ok(Pruned::batch(rows, batch.size))
    }
}

struct Audit(Db);

#[async_trait]
impl Prune for Audit {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let mut tx = self.0.begin().await?;
        let rows = outbox::audit::prune_batch(&mut tx, batch.before, batch.size.into()).await?;
        batch.fence.check(&mut tx).await?;
        tx.commit().await?;
        Ok(Pruned::batch(rows, batch.size))
    }
}

struct LockAudit(Db);

#[async_trait]
impl Prune for LockAudit {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let mut tx = self.0.begin().await?;
        let rows = lock_release::prune_batch(&mut tx, batch.before, batch.size.into()).await?;
        batch.fence.check(&mut tx).await?;
        tx.commit().await?;
        Ok(Pruned::batch(rows, batch.size))
    }
}

/// The scheduler has the runs, and is built after its jobs.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<OnceLock<Scheduler>>);

impl Runs {
    /// Whose runs are pruned. A second scheduler is ignored.
    pub(super) fn of(&self, scheduler: Scheduler) {
        let _second_is_ignored = self.0.set(scheduler);
    }
}

#[async_trait]
impl Prune for Runs {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let rows = match self.0.get() {
            Some(scheduler) => {
                let size = u64::from(batch.size);
                scheduler.prune_history(batch.before, size).await?
            }
            None => 0,
        };
        Ok(Pruned::batch(rows, batch.size))
    }
}

struct Uploads(Arc<Sources>);

#[async_trait]
impl Prune for Uploads {
    async fn prune(&self, batch: &Batch<'_>) -> Result<Pruned, RunError> {
        let removing = self
            .0
            .prune_uploads(batch.keep, batch.size, batch.fence, batch.cancel);
        Ok(Pruned {
            rows: removing.await?.removed,
            next: Next::Done,
        })
    }
}
