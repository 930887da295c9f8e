//! How far a run has come, shown while it runs: in this process at once, to others through the database.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use ground::chain;
use tokio::sync::Notify;

use crate::core::Core;
use crate::event::Event;
use crate::model::Progress;

/// How often a run that goes on says so to the database.
const EVERY: TimeDelta = TimeDelta::seconds(1);
/// How long the end of a run may wait for what it said to be wiped out.
const WIPE: Duration = Duration::from_secs(1);

/// Shared between the job and whoever watches.
#[derive(Debug, Default)]
pub(crate) struct ProgressCell {
    done: AtomicU64,
    total: AtomicU64,
    moved: Notify,
    /// Something may stand in the database.
    told: AtomicBool,
}

impl ProgressCell {
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.moved.notify_one();
    }

    pub(crate) fn get(&self) -> Progress {
        Progress {
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }
}

impl Core {
    /// Writes each change of a run's progress, at most one a second, until it is dropped.
    pub(crate) async fn tell(&self, job: &str, run_id: i64, cell: &ProgressCell) -> Infallible {
        let mut last = None;
        loop {
            cell.moved.notified().await;
            let (progress, now) = (cell.get(), self.now());
            if last == Some(progress) {
                continue;
            }
            cell.told.store(true, Ordering::Relaxed);
            match self.store.save_progress(run_id, progress, now).await {
                Ok(()) => {
                    last = Some(progress);
                    self.announce(Event::Progressed {
                        job: job.to_owned(),
                        run_id,
                        progress,
                    });
                }
                Err(error) => tracing::debug!(
                    job,
                    run_id,
                    error = chain(&error),
                    "progress could not be written; other processes see an older one"
                ),
            }
            self.clock.sleep_until(now + EVERY).await;
        }
    }

    /// Wipes out what a run that has ended had told. What a run that died leaves behind is never shown, and pruned.
    pub(crate) async fn untell(&self, run_id: i64, cell: &ProgressCell) {
        if cell.told.load(Ordering::Relaxed) {
            let wiped = tokio::time::timeout(WIPE, self.store.end_progress(run_id)).await;
            if !matches!(wiped, Ok(Ok(()))) {
                tracing::debug!(
                    run_id,
                    "the progress of a run that ended stays in its table until history is pruned"
                );
            }
        }
    }
}
