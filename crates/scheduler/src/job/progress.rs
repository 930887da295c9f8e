//! How far a run has come, shared between the job and whoever watches it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// To do in all, 0 when unknown.
    pub total: u64,
}

/// The newest progress of a run in this process.
#[derive(Debug, Default)]
pub(crate) struct ProgressCell {
    done: AtomicU64,
    total: AtomicU64,
    changed: Notify,
    /// A row may stand in the database.
    reported: AtomicBool,
}

impl ProgressCell {
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(crate) fn get(&self) -> Progress {
        Progress {
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }

    /// Completes when it was set since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Notes that the database is about to hear of it.
    pub(crate) fn mark_reported(&self) {
        self.reported.store(true, Ordering::Relaxed);
    }

    pub(crate) fn was_reported(&self) -> bool {
        self.reported.load(Ordering::Relaxed)
    }
}
