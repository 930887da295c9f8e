//! Writing down how a run ended.

use std::time::Duration;

use ground::chain;

use crate::core::Core;
use crate::job::{Job, Record, Scope};
use crate::model::{Cause, Run, RunStatus};

/// A database that is out of reach for a moment must not make a good run look dead.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A run after its end.
pub(crate) struct Recorded {
    /// As it is on record.
    pub(crate) run: Run,
    /// Its row may still say RUNNING.
    pub(crate) looks_alive: bool,
}

impl Core {
    /// Writes the end of a run.
    pub(crate) async fn record(&self, job: &Job, mut run: Run, has_row: bool) -> Recorded {
        if has_row {
            // While the database is away the lease runs out, and the run is dead by then. Until then it is worth trying.
            return self.record_end(run, job.lease).await;
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
            match patiently(Duration::ZERO, || {
                self.store.insert_finished(&run, slot_node)
            })
            .await
            {
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
        Recorded {
            run,
            looks_alive: false,
        }
    }

    async fn record_end(&self, run: Run, patience: Duration) -> Recorded {
        let run = match patiently(patience, || self.store.finish(&run)).await {
            Ok(true) => run,
            Ok(false) => {
                let recorded = match self.store.run(run.id).await {
                    Ok(Some(recorded)) => recorded,
                    _ => Run {
                        status: RunStatus::Abandoned,
                        ..run.clone()
                    },
                };
                // The same status: the first try did it, and only its answer was lost.
                if recorded.status != run.status {
                    tracing::warn!(
                        job = run.job_name,
                        run_id = run.id,
                        status = run.status.as_str(),
                        "the run was declared dead before it ended; that stands"
                    );
                }
                recorded
            }
            Err(error) => {
                tracing::error!(
                    job = run.job_name,
                    run_id = run.id,
                    error = chain(&error),
                    "the end of a run could not be recorded; it will be found dead once its lease has run out"
                );
                return Recorded {
                    run,
                    looks_alive: true,
                };
            }
        };
        Recorded {
            run,
            looks_alive: false,
        }
    }
}

/// Tries for as long as `patience` at least.
async fn patiently<T, F>(patience: Duration, mut write: impl FnMut() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = tokio::time::Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    while tries < TRIES || began.elapsed() < patience {
        match write().await {
            Ok(written) => return Ok(written),
            Err(error) => tracing::debug!(
                error = chain(&error),
                "a run could not be recorded yet, trying again"
            ),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        tries += 1;
    }
    write().await
}
