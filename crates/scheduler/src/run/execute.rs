//! A claimed run, from its first call to its record and the end of its lock.

use std::sync::Arc;

use chrono::TimeDelta;
use shedlock::KeptLock;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::attempt::{Ended, attempt};
use super::claim::Claimed;
use super::record::Recorded;
use crate::context::{Fence, JobContext, ProgressCell};
use crate::core::{Core, Registered};
use crate::error::{JobError, chain};
use crate::event::Event;
use crate::job::Scope;
use crate::model::{Run, RunStatus};

/// How a run ended, before it is recorded.
struct Outcome {
    status: RunStatus,
    affected: u64,
    error: Option<String>,
}

impl Core {
    pub(crate) async fn execute(&self, registered: &Registered, claimed: Claimed) -> Run {
        let job = &registered.job;
        let Claimed {
            ask,
            guard,
            row,
            started_at,
        } = claimed;
        let mut run = Run {
            id: row.unwrap_or(0),
            job_name: job.name.clone(),
            scheduled_at: ask.slot,
            started_at,
            finished_at: None,
            node: self.node.clone(),
            attempt: ask.attempt,
            status: RunStatus::Running,
            cause: ask.cause,
            affected: 0,
            retries: 0,
            error: None,
        };
        let kept = guard.map(shedlock::LockGuard::keep_alive);
        self.announce(Event::Started {
            job: job.name.clone(),
            slot: ask.slot,
            cause: ask.cause,
        });
        let progress = Arc::new(ProgressCell::default());
        registered.set_progress(Some(progress.clone()));

        let context = self.context(registered, &run, row, kept.as_ref(), progress);
        let span = tracing::info_span!("run", job = job.name, run_id = row, slot = %ask.slot, cause = ask.cause.as_str());
        let outcome = self
            .call_until_settled(registered, context, &mut run.retries)
            .instrument(span)
            .await;

        registered.set_progress(None);
        run.finished_at = Some(self.now());
        run.status = outcome.status;
        run.affected = outcome.affected;
        run.error = outcome.error;
        self.log(&run);
        let Recorded { run, looks_alive } = self.record(job, run, row.is_some()).await;
        match kept {
            // A lease that was lost is not ours to end: it runs out, or belongs to somebody else already. Nor is the lock of
            // a run that looks alive given back: its minimum hold would keep it from being found dead.
            Some(kept) if run.status != RunStatus::Abandoned && !looks_alive => {
                give_back(kept).await;
            }
            _ => {}
        }
        registered.ended.notify_waiters();
        self.announce(Event::Finished(run.clone()));
        run
    }

    fn context(
        &self,
        registered: &Registered,
        run: &Run,
        row: Option<i64>,
        kept: Option<&KeptLock>,
        progress: Arc<ProgressCell>,
    ) -> JobContext {
        let lost = kept.map_or_else(CancellationToken::new, KeptLock::lost);
        let lock = kept
            .filter(|_| registered.job.scope == Scope::Cluster)
            .map(|kept| (kept.name().to_owned(), kept.locked_by().to_owned()));
        JobContext {
            cancellation: self.stopping.child_token(),
            attempt: run.attempt,
            retry: 0,
            slot: run.scheduled_at,
            clock: self.clock.clone(),
            fencing_token: kept.map_or(0, KeptLock::fencing_token),
            run_id: row,
            progress,
            fence: Fence {
                lost,
                lock,
                run_id: row,
            },
            trust: kept.map(KeptLock::trust),
        }
    }

    /// Calls the job, and again after each conflict while its policy allows.
    async fn call_until_settled(
        &self,
        registered: &Registered,
        mut context: JobContext,
        retries: &mut u32,
    ) -> Outcome {
        let retry = registered.job.retry;
        let lost = context.fence.lost.clone();
        loop {
            context.retry = *retries;
            match attempt(
                registered.job.work.clone(),
                context.clone(),
                &lost,
                &self.deadline,
            )
            .await
            {
                Ended::Done(Err(JobError::Conflict(error)))
                    if *retries + 1 < retry.attempts && !context.cancellation.is_cancelled() =>
                {
                    *retries += 1;
                    tracing::warn!(
                        job = registered.job.name,
                        error = chain(&*error),
                        retry = *retries,
                        "conflict, will be tried again"
                    );
                    let backoff = TimeDelta::from_std(retry.backoff).unwrap_or(TimeDelta::MAX);
                    let at = self
                        .now()
                        .checked_add_signed(backoff)
                        .unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
                    self.announce(Event::Retrying {
                        job: registered.job.name.clone(),
                        retries: *retries,
                        at,
                    });
                    tokio::select! {
                        biased;
                        // First, because a run that lost its lease has nothing more to say, whatever else ended it.
                        () = lost.cancelled() => return abandoned(),
                        () = context.cancellation.cancelled() => return failed("stopped while waiting to retry a conflict"),
                        () = self.clock.sleep_until(at) => {}
                    }
                }
                ended => return outcome(ended, *retries),
            }
        }
    }

    fn log(&self, run: &Run) {
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

fn outcome(ended: Ended, retries: u32) -> Outcome {
    match ended {
        Ended::Done(Ok(affected)) => Outcome {
            status: RunStatus::Succeeded,
            affected,
            error: None,
        },
        Ended::Done(Err(JobError::LeaseLost)) | Ended::LeaseLost => abandoned(),
        Ended::Done(Err(JobError::Conflict(error))) => failed(format!(
            "conflict with another writer in each of {} attempts: {}",
            retries + 1,
            chain(&*error)
        )),
        Ended::Done(Err(JobError::Failed(error))) => failed(chain(&*error)),
        Ended::Done(Err(error @ JobError::Cancelled)) => failed(chain(&error)),
        Ended::Panicked(message) => failed(format!("the job panicked: {message}")),
        Ended::CutOff => failed("the job was cut off by the shutdown's deadline"),
    }
}

fn failed(error: impl Into<String>) -> Outcome {
    Outcome {
        status: RunStatus::Failed,
        affected: 0,
        error: Some(error.into()),
    }
}

fn abandoned() -> Outcome {
    Outcome {
        status: RunStatus::Abandoned,
        affected: 0,
        error: Some(chain(&JobError::LeaseLost)),
    }
}

async fn give_back(kept: KeptLock) {
    let (name, locked_by) = (kept.name().to_owned(), kept.locked_by().to_owned());
    if let Err(error) = kept.unlock().await {
        tracing::warn!(
            lock = name,
            locked_by,
            error = chain(&error),
            "the lock was not given back; it stays taken until its lease runs out"
        );
    }
}
