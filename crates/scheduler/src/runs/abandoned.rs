//! Runs whose node died: found by their lease, never by their age.

use std::sync::Arc;
use std::time::Duration;

use ground::chain;

use crate::core::Core;
use crate::event::Event;

/// How often each node looks for them.
const SCAN_INTERVAL: Duration = Duration::from_secs(10);
const REASON: &str =
    "its node died or lost its lease: the lock ran out or belongs to somebody else";

impl Core {
    /// Marks every RUNNING row whose lock is not its own any more.
    pub(crate) async fn abandon_dead(&self) -> Result<(), sqlx::Error> {
        self.free_stale_locks().await?;
        for run in self.store.abandon_dead(self.now(), REASON).await? {
            tracing::warn!(
                job = run.job_name,
                run_id = run.id,
                node = run.node,
                "a run was found dead"
            );
            metrics::counter!("scheduler_runs_abandoned_total", "job" => run.job_name.clone())
                .increment(1);
            self.announce(Event::Abandoned(run));
        }
        Ok(())
    }

    /// Ends what is left of dead runs' locks when the clock was set back. Nobody else may want such a lock for a day.
    async fn free_stale_locks(&self) -> Result<(), sqlx::Error> {
        for name in self.store.running_jobs().await? {
            let Some(registered) = self.job(&name) else {
                continue;
            };
            if let Err(error) = self.cluster_locks.free_if_stale(&registered.lock).await {
                tracing::debug!(
                    job = name,
                    error = chain(&error),
                    "could not look at the lock of a run; will look again"
                );
            }
        }
        Ok(())
    }

    /// Looks for dead runs until the scheduler stops.
    pub(crate) async fn watch_for_dead_runs(self: Arc<Self>) {
        while !self.stopping.is_cancelled() {
            let began = self.clock.elapsed();
            if let Err(error) = self.abandon_dead().await {
                tracing::warn!(
                    error = chain(&error),
                    "could not look for dead runs; they stay RUNNING until the next scan"
                );
            }
            self.announce(Event::Scanned);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.sleep_since(began, SCAN_INTERVAL) => {}
            }
        }
    }
}
