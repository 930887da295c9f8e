//! Wake-ups: what makes the timer step a job before its time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Why a job is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WakeUp {
    /// A run of the job ended in this process. A slot that waits for its lock may try again.
    RunEnded,
    /// Somebody wants a fixed-delay job to run now.
    Requested,
}

/// Wake-ups that nobody has handled yet, by the job's index. Many of one kind count as one.
#[derive(Debug, Default)]
pub(crate) struct WakeUps {
    pending: Mutex<BTreeSet<(usize, WakeUp)>>,
    arrived: Notify,
}

impl WakeUps {
    pub(crate) fn send(&self, job: usize, wake_up: WakeUp) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert((job, wake_up));
        self.arrived.notify_one();
    }

    pub(crate) fn drain(&self) -> BTreeSet<(usize, WakeUp)> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Completes when there are some.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
