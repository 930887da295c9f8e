//! Progress of a run, reported to the database for other processes to see.

use std::convert::Infallible;
use std::time::Duration;

use ground::chain;

use crate::core::Core;
use crate::event::Event;
use crate::job::ProgressCell;

/// The shortest time between two reports of a run.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of a run waits for its report to be retracted.
const RETRACT_TIMEOUT: Duration = Duration::from_secs(1);

impl Core {
    /// Reports each change of a run's progress, at most one a second, until it is dropped.
    pub(crate) async fn report_progress(
        &self,
        job: &str,
        run_id: i64,
        cell: &ProgressCell,
    ) -> Infallible {
        let mut last = None;
        loop {
            cell.changed().await;
            let (progress, now) = (cell.get(), self.now());
            let began = self.clock.elapsed();
            if last == Some(progress) {
                continue;
            }
            cell.mark_reported();
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
            self.sleep_since(began, REPORT_INTERVAL).await;
        }
    }

    /// Retracts the report of a run that has ended. What a dead run leaves behind is never shown, and is pruned.
    pub(crate) async fn retract_progress(&self, run_id: i64, cell: &ProgressCell) {
        if cell.was_reported() {
            let retracted =
                tokio::time::timeout(RETRACT_TIMEOUT, self.store.end_progress(run_id)).await;
            if !matches!(retracted, Ok(Ok(()))) {
                tracing::debug!(
                    run_id,
                    "the progress of an ended run stays in its table until history is pruned"
                );
            }
        }
    }
}
