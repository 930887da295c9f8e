//! A claimed run, from its first call to its record and the end of its lock.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use ground::chain;
use shedlock::KeptLock;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::attempt::{Ended, GRACE, Leash, attempt};
use super::claim::Claimed;
use super::outcome::{Conflicts, Outcome};
use super::record::Recorded;
use crate::context::JobContext;
use crate::core::{Core, Registered};
use crate::error::JobError;
use crate::event::Event;
use crate::fence::LeaseFence;
use crate::job::Scope;
use crate::model::{Run, RunStatus};
use crate::nudges::Nudge;
use crate::progress::ProgressCell;

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

        let context = self.context(registered, &run, row, kept.as_ref(), progress.clone());
        let span = tracing::info_span!("run", job = job.name, run_id = row, slot = %ask.slot, cause = ask.cause.as_str());
        let call = self
            .call_until_settled(registered, context, &mut run)
            .instrument(span);
        let outcome = match row {
            Some(id) => tokio::select! {
                biased;
                outcome = call => outcome,
                never = self.tell(&job.name, id, &progress) => match never {},
            },
            None => call.await,
        };

        registered.set_progress(None);
        run.finished_at = Some(self.now());
        run.status = outcome.status;
        run.affected = outcome.affected;
        run.error = outcome.error;
        self.log(&run);
        let Recorded { run, looks_alive } = self.record(job, run, row.is_some()).await;
        if let Some(kept) = kept.as_ref().filter(|_| !looks_alive) {
            kept.keep_from_shutdown(false);
        }
        match kept {
            // A lease that was lost is not ours to end: it runs out, or belongs to somebody else already. Nor is the lock of
            // a run that looks alive given back: its minimum hold would keep it from being found dead.
            Some(kept) if run.status != RunStatus::Abandoned && !looks_alive => {
                give_back(kept).await;
            }
            _ => {}
        }
        self.untell(run.id, &progress).await;
        self.nudges.give(registered.index, Nudge::Ended);
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
            fence: LeaseFence {
                lost,
                lock,
                run_id: row,
            },
            trust: kept.map(KeptLock::trust),
        }
    }

    /// Calls the job, and again after each conflict while its policy and its time allow.
    async fn call_until_settled(
        &self,
        registered: &Registered,
        mut context: JobContext,
        run: &mut Run,
    ) -> Outcome {
        let job = &registered.job;
        let lost = context.fence.lost.clone();
        let mut expired = self.expiry(registered, run);
        let mut conflicts = Conflicts::default();
        loop {
            context.retry = run.retries;
            let leash = Leash {
                lost: &lost,
                deadline: &self.deadline,
                expired: &mut expired,
                grace: GRACE,
            };
            let ended = attempt(job.work.clone(), context.clone(), leash).await;
            let error = match ended {
                Ended::Done(Err(JobError::Conflict(error)))
                    if run.retries + 1 < job.retry.attempts
                        && !context.cancellation.is_cancelled() =>
                {
                    chain(&*error)
                }
                ended => return conflicts.outcome(ended, job.timeout),
            };
            run.retries += 1;
            tracing::warn!(
                job = job.name,
                error,
                retry = run.retries,
                "conflict, will be tried again"
            );
            conflicts.met(&error);
            let pause = job
                .retry
                .pause(run.retries, &job.name, &self.node, run.scheduled_at);
            let at = self
                .now()
                .checked_add_signed(pause)
                .unwrap_or(DateTime::<Utc>::MAX_UTC);
            self.announce(Event::Retrying {
                job: job.name.clone(),
                retries: run.retries,
                at,
                error,
            });
            tokio::select! {
                biased;
                // First, because a run that lost its lease has nothing more to say, whatever else ended it.
                () = lost.cancelled() => return Outcome::abandoned(),
                () = context.cancellation.cancelled() => return conflicts.stopped(),
                () = &mut expired => return conflicts.outcome(Ended::TimedOut, job.timeout),
                () = self.clock.sleep_until(at) => {}
            }
        }
    }

    /// Completes when the run's time is over.
    fn expiry(&self, registered: &Registered, run: &Run) -> BoxFuture<'static, ()> {
        let job = &registered.job;
        let Some(timeout) = job.timeout else {
            return std::future::pending().boxed();
        };
        let at = run
            .started_at
            .checked_add_signed(TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let over = self.clock.sleep_until(at);
        let (events, job, slot) = (self.events.clone(), job.name.clone(), run.scheduled_at);
        async move {
            over.await;
            // Nobody may be listening.
            let _ = events.send(Event::TimedOut { job, slot });
        }
        .boxed()
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
