//! Writing how a run ended, with retries while the database is away.

use std::time::Duration;

use ground::chain;

use crate::core::Core;
use crate::job::{JobSettings, Record, Scope};
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
    pub(crate) async fn record(&self, job: &JobSettings, mut run: Run, has_row: bool) -> Recorded {
        if has_row {
            // While the database is away the lease runs out, and then the run is dead. Until then it is worth trying.
            return self.record_end(run, job.lease).await;
        }
        let wanted = job.record == Record::Always
            || run.cause == Cause::Manual
            || run.status != RunStatus::Succeeded;
        if wanted {
            self.insert_finished(job, &mut run).await;
        }
        Recorded {
            run,
            looks_alive: false,
        }
    }

    /// Writes a run that had no row while it ran.
    async fn insert_finished(&self, job: &JobSettings, run: &mut Run) {
        let slot_node = match job.scope {
            Scope::Cluster => "",
            Scope::Node | Scope::None => self.node.as_str(),
        };
        let written = write_with_retries(Duration::ZERO, || {
            self.store.insert_finished(run, slot_node)
        })
        .await;
        match written {
            Ok(Some(id)) => run.id = id,
            Ok(None) => {
                tracing::warn!(job = run.job_name, slot = %run.scheduled_at, "this slot has a run on record already; this one is not recorded")
            }
            Err(error) => tracing::error!(
                job = run.job_name,
                error = chain(&error),
                "a run could not be recorded; its history lacks it"
            ),
        }
    }

    /// Ends the RUNNING row, for as long as `at_least` if need be.
    async fn record_end(&self, run: Run, at_least: Duration) -> Recorded {
        match write_with_retries(at_least, || self.store.finish(&run)).await {
            Ok(true) => Recorded {
                run,
                looks_alive: false,
            },
            Ok(false) => Recorded {
                run: self.declared_dead(run).await,
                looks_alive: false,
            },
            Err(error) => {
                tracing::error!(
                    job = run.job_name,
                    run_id = run.id,
                    error = chain(&error),
                    "the end of a run could not be recorded; it will be found dead once its lease has run out"
                );
                Recorded {
                    run,
                    looks_alive: true,
                }
            }
        }
    }

    /// The run as it is on record: its row was not RUNNING any more.
    async fn declared_dead(&self, run: Run) -> Run {
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
}

/// Tries a few times, and for as long as `at_least`.
async fn write_with_retries<T, F>(
    at_least: Duration,
    mut write: impl FnMut() -> F,
) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = tokio::time::Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    while tries < TRIES || began.elapsed() < at_least {
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
