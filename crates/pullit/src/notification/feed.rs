use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use outbox::Signal;
use sea_orm::DbErr;
use sse_hub::{Frame, Hub};
use tokio_util::sync::CancellationToken;

use super::store::{self, Notification};
use crate::platform::clock::Now;
use crate::platform::db::Db;
use crate::platform::fence::{FenceError, RunFence};

/// Notifications stored by other processes are looked for this often.
const POLL: Duration = Duration::from_millis(500);
const BATCH: i64 = 1_000;
/// The longest history that is replayed; a client that missed more is told to load its state anew.
pub(super) const MOST_REPLAYED: i64 = 500;

/// Carries notifications from the store to the open streams of this node.
///
/// The store is the source of truth: a wake-up only says "look now". Ids become visible in order, because one relay at a time stores
/// notifications.
pub struct Feed {
    pub(super) db: Db,
    pub(super) now: Now,
    pub(super) hub: Hub<i64>,
    signal: Signal,
}

impl Feed {
    /// A feed into this hub.
    pub fn new(db: Db, now: Now, hub: Hub<i64>) -> Self {
        Self {
            db,
            now,
            hub,
            signal: Signal::new(),
        }
    }

    /// There may be something new.
    pub fn wake(&self) {
        self.signal.notify();
    }

    /// A dummy event to every open stream of this node, so that nothing between it and the browser takes it for idle. The number of streams.
    pub fn heartbeat(&self) -> u64 {
        self.hub.broadcast(Frame::event("heartbeat", None, "ping")) as u64
    }

    /// Deletes one batch of notifications older than `keep`; the number deleted.
    ///
    /// # Errors
    /// When the run that asks has lost its lease, or the database does not answer.
    pub async fn prune(
        &self,
        keep: TimeDelta,
        batch: u32,
        fence: &dyn RunFence,
    ) -> Result<u64, FenceError> {
        let before: DateTime<Utc> = (self.now)() - keep;
        let tx = self.db.begin().await?;
        let pruned = store::prune(&tx, before, batch).await?;
        fence.check(&tx).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// The newest id that is stored now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newest(&self) -> Result<i64, DbErr> {
        store::newest(self.db.read()).await
    }

    /// Sends what is stored after `sent`, until it is cancelled. Start from [`Feed::newest`], taken before any client can subscribe.
    pub async fn run(&self, mut sent: i64, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            match self.send_after(sent).await {
                Ok(last) => sent = last,
                Err(error) => {
                    tracing::warn!(%error, "stored notifications could not be read; they are sent when the database answers");
                }
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                _ = tokio::time::timeout(POLL, self.signal.notified()) => {}
            }
        }
    }

    async fn send_after(&self, mut sent: i64) -> Result<i64, DbErr> {
        loop {
            let batch = store::after(self.db.read(), sent, BATCH).await?;
            for notification in &batch {
                self.hub.publish(
                    &notification.member_id,
                    notification.id,
                    frame(notification),
                );
                sent = notification.id;
            }
            if (batch.len() as i64) < BATCH {
                return Ok(sent);
            }
        }
    }
}

pub(super) fn frame(notification: &Notification) -> Frame {
    Frame::event(
        &notification.event_name,
        Some(notification.id),
        &notification.payload.to_string(),
    )
}
