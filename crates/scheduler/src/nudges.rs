//! What makes the timer look at a job before its time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nudge {
    /// A run of the job ended in this process: a slot that waits for its lock may ask again.
    Ended,
    /// Somebody wants a fixed-delay job to run now.
    Woken,
}

/// Jobs to be looked at, by index. Many nudges of one kind are one.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    jobs: Mutex<BTreeSet<(usize, Nudge)>>,
    some: Notify,
}

impl Nudges {
    pub(crate) fn give(&self, job: usize, nudge: Nudge) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.insert((job, nudge));
        self.some.notify_one();
    }

    pub(crate) fn take(&self) -> BTreeSet<(usize, Nudge)> {
        std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Completes when there are some.
    pub(crate) async fn given(&self) {
        self.some.notified().await;
    }
}
