//! A claimed run, from its first call to its record and the end of its lock.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ground::chain;
use shedlock::{KeptLock, LockGuard};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::claim::Claimed;
use super::outcome::Outcome;
use super::record::Recorded;
use crate::core::Core;
use crate::event::Event;
use crate::fence::LeaseFence;
use crate::job::{JobContext, ProgressCell, Scope};
use crate::model::{Run, RunRequest, RunStatus};
use crate::registered::Registered;
use crate::schedule_queue::WakeUp;

impl Core {
    /// Executes what was claimed: calls the job, records the run, releases its lock.
    pub(crate) async fn execute(&self, registered: &Registered, claimed: Claimed) -> Run {
        let Claimed {
            request,
            guard,
            row,
            started_at,
        } = claimed;
        let mut run = self.begun(registered, request, row, started_at);
        let lock = guard.map(LockGuard::keep_alive);
        self.announce(Event::Started {
            job: registered.job.name.clone(),
            slot: request.slot,
            cause: request.cause,
        });
        let progress = Arc::new(ProgressCell::default());
        registered.set_progress(Some(progress.clone()));
        let context = self.context(registered, &run, row, lock.as_ref(), progress.clone());
        let outcome = self.perform(registered, context, &mut run, &progress).await;
        registered.set_progress(None);
        self.end(&mut run, outcome);
        let recorded = self.record(&registered.job, run, row.is_some()).await;
        if let Some(lock) = lock {
            release(lock, &recorded).await;
        }
        let run = recorded.run;
        self.retract_progress(run.id, &progress).await;
        self.wake_ups.send(registered.index, WakeUp::RunEnded);
        self.announce(Event::Finished(run.clone()));
        run
    }

    fn begun(
        &self,
        registered: &Registered,
        request: RunRequest,
        row: Option<i64>,
        started_at: DateTime<Utc>,
    ) -> Run {
        Run {
            id: row.unwrap_or(0),
            job_name: registered.job.name.clone(),
            scheduled_at: request.slot,
            started_at,
            finished_at: None,
            node: self.node.clone(),
            attempt: request.attempt,
            status: RunStatus::Running,
            cause: request.cause,
            affected: 0,
            retries: 0,
            error: None,
        }
    }

    fn context(
        &self,
        registered: &Registered,
        run: &Run,
        row: Option<i64>,
        lock: Option<&KeptLock>,
        progress: Arc<ProgressCell>,
    ) -> JobContext {
        let lost = lock.map_or_else(CancellationToken::new, KeptLock::lost);
        let row_of_lock = lock
            .filter(|_| registered.job.scope == Scope::Cluster)
            .map(|lock| (lock.name().to_owned(), lock.locked_by().to_owned()));
        JobContext {
            cancellation: self.stopping.child_token(),
            attempt: run.attempt,
            retry: 0,
            slot: run.scheduled_at,
            clock: self.clock.clone(),
            fencing_token: lock.map_or(0, KeptLock::fencing_token),
            run_id: row,
            progress,
            fence: LeaseFence {
                lost,
                lock: row_of_lock,
                run_id: row,
            },
            trust: lock.map(KeptLock::trust),
        }
    }

    /// Calls the job, and reports its progress meanwhile if the run has a row.
    async fn perform(
        &self,
        registered: &Registered,
        context: JobContext,
        run: &mut Run,
        progress: &ProgressCell,
    ) -> Outcome {
        let (job, row) = (&registered.job.name, context.run_id);
        let span = tracing::info_span!("run", job, run_id = row, slot = %run.scheduled_at, cause = run.cause.as_str());
        let call = self
            .call_with_retries(registered, context, run)
            .instrument(span);
        match row {
            Some(id) => tokio::select! {
                biased;
                outcome = call => outcome,
                never = self.report_progress(job, id, progress) => match never {},
            },
            None => call.await,
        }
    }

    /// Notes how the run ended, in the log and the metrics too.
    fn end(&self, run: &mut Run, outcome: Outcome) {
        run.finished_at = Some(self.now());
        run.status = outcome.status;
        run.affected = outcome.affected;
        run.error = outcome.error;
        let (job, run_id, cause) = (run.job_name.as_str(), run.id, run.cause.as_str());
        metrics::counter!("scheduler_runs_total", "job" => run.job_name.clone(), "status" => run.status.as_str()).increment(1);
        match run.status {
            RunStatus::Succeeded => {
                tracing::debug!(job, run_id, cause, affected = run.affected, "run ended")
            }
            status => tracing::error!(
                job,
                run_id,
                cause,
                status = status.as_str(),
                error = run.error,
                "run came to nothing"
            ),
        }
    }
}

/// Releases the lock of a recorded run.
///
/// A lost lease is not ours to end: it runs out, or belongs to somebody else already. A run that looks alive leaves its lock
/// to lapse: the minimum hold would keep it from being found dead.
async fn release(lock: KeptLock, recorded: &Recorded) {
    if recorded.looks_alive {
        return;
    }
    lock.keep_from_shutdown(false);
    if recorded.run.status == RunStatus::Abandoned {
        return;
    }
    let (name, locked_by) = (lock.name().to_owned(), lock.locked_by().to_owned());
    if let Err(error) = lock.unlock().await {
        tracing::warn!(
            lock = name,
            locked_by,
            error = chain(&error),
            "the lock was not given back; it stays taken until its lease runs out"
        );
    }
}
