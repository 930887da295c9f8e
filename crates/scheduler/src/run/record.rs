//! Writing down how a run ended.

use std::time::Duration;

use crate::core::Core;
use crate::error::chain;
use crate::job::{Job, Record, Scope};
use crate::model::{Cause, Run, RunStatus};

/// A database that is out of reach for a moment must not make a good run look dead.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Writes the end of a run, and answers with the run as it is recorded.
    pub(crate) async fn record(&self, job: &Job, mut run: Run, has_row: bool) -> Run {
        if has_row {
            return self.record_end(run).await;
        }
        let wanted = job.record == Record::Always
            || run.cause == Cause::Manual
            || run.status != RunStatus::Succeeded;
        if wanted {
            let slot_node = if job.scope == Scope::Cluster {
                ""
            } else {
                self.node.as_str()
            };
            match patiently(|| self.store.insert_finished(&run, slot_node)).await {
                Ok(Some(id)) => run.id = id,
                Ok(None) => {
                    tracing::warn!(job = run.job_name, slot = %run.scheduled_at, "this slot has a run on record already; this one is not kept")
                }
                Err(error) => tracing::error!(
                    job = run.job_name,
                    error = chain(&error),
                    "a run could not be recorded; its history lacks it"
                ),
            }
        }
        run
    }

    async fn record_end(&self, run: Run) -> Run {
        match patiently(|| self.store.finish(&run)).await {
            Ok(true) => run,
            Ok(false) => {
                tracing::warn!(
                    job = run.job_name,
                    run_id = run.id,
                    status = run.status.as_str(),
                    "the run was declared dead before it ended; that stands"
                );
                match self.store.run(run.id).await {
                    Ok(Some(recorded)) => recorded,
                    _ => Run {
                        status: RunStatus::Abandoned,
                        ..run
                    },
                }
            }
            Err(error) => {
                tracing::error!(
                    job = run.job_name,
                    run_id = run.id,
                    error = chain(&error),
                    "the end of a run could not be recorded; it will be found dead once its lock is free"
                );
                run
            }
        }
    }
}

async fn patiently<T, F>(mut write: impl FnMut() -> F) -> Result<T, sea_orm::DbErr>
where
    F: Future<Output = Result<T, sea_orm::DbErr>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match write().await {
            Ok(written) => return Ok(written),
            Err(error) => tracing::debug!(
                error = chain(&error),
                "a run could not be recorded yet, trying again"
            ),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    write().await
}
