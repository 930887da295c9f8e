//! Calling a job until it has settled: again after each conflict, while its policy and its time allow.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use ground::chain;

use super::attempt::{Ended, GRACE, Limits, attempt};
use super::conflict::Conflicts;
use super::outcome::Outcome;
use crate::core::Core;
use crate::error::JobError;
use crate::event::Event;
use crate::job::{JobContext, JobSettings};
use crate::model::Run;
use crate::registered::Registered;

impl Core {
    /// Calls the job, and again after each conflict while its policy and its time allow.
    pub(super) async fn call_with_retries(
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
            let limits = Limits {
                lost: &lost,
                deadline: &self.deadline,
                expired: &mut expired,
                grace: GRACE,
            };
            let ended = attempt(registered.work.clone(), context.clone(), limits).await;
            let error = match ended {
                Ended::Done(Err(JobError::Conflict(error)))
                    if run.retries + 1 < job.retry.attempts
                        && !context.cancellation.is_cancelled() =>
                {
                    chain(&*error)
                }
                ended => return conflicts.outcome(ended, job.timeout),
            };
            conflicts.met(&error);
            let pause = self.retry_later(job, run, error);
            tokio::select! {
                biased;
                // First, because a run that lost its lease has nothing more to say, whatever else ended it.
                () = lost.cancelled() => return Outcome::abandoned(),
                () = context.cancellation.cancelled() => return conflicts.stopped(),
                () = &mut expired => return conflicts.outcome(Ended::TimedOut, job.timeout),
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    /// Counts and announces a conflict, and answers how long the job waits to be called again.
    fn retry_later(&self, job: &JobSettings, run: &mut Run, error: String) -> Duration {
        run.retries += 1;
        tracing::warn!(
            job = job.name,
            error,
            retry = run.retries,
            "conflict, will be tried again"
        );
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
        pause.to_std().unwrap_or_default()
    }

    /// Completes when the run's time is over.
    fn expiry(&self, registered: &Registered, run: &Run) -> BoxFuture<'static, ()> {
        let job = &registered.job;
        let Some(timeout) = job.timeout else {
            return std::future::pending().boxed();
        };
        let over = self.clock.sleep(timeout);
        let (events, job, slot) = (self.events.clone(), job.name.clone(), run.scheduled_at);
        async move {
            over.await;
            // Nobody may be listening.
            let _ = events.send(Event::TimedOut { job, slot });
        }
        .boxed()
    }
}
