//! The operator's hand: what command line, HTTP and console share.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use shedlock::LockInfo;

use crate::core::Registered;
use crate::error::{RunNowError, SchedulerError};
use crate::job::{Record, Scope};
use crate::model::{Cause, JobStatus, LockView, Run};
use crate::run::claim::{Ask, Claim, lock_error};
use crate::scheduler::Scheduler;
use crate::schedules::Conflicts;
use crate::store::Overview;

/// How a run by hand waits for a lock that is free in a moment.
const LOOKS: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is read for all jobs at once.
struct Known {
    locks: BTreeMap<String, LockInfo>,
    conflicts: Conflicts,
}

impl Scheduler {
    /// Every job, in the order it was registered.
    ///
    /// # Errors
    /// [`SchedulerError::Store`] or [`SchedulerError::Lock`].
    pub async fn list(&self) -> Result<Vec<JobStatus>, SchedulerError> {
        let core = &self.core;
        core.abandon_dead().await?;
        let names: Vec<_> = core
            .jobs
            .iter()
            .map(|registered| registered.job.name())
            .collect();
        let overviews = core.store.overview(&names).await?;
        let locks = core.cluster_locks.locks().await.map_err(lock_error)?;
        let locks = locks.into_iter().map(|info| (info.name.clone(), info));
        let (locks, conflicts) = (locks.collect(), core.conflicting_schedules().await?);
        let known = Known { locks, conflicts };
        let mut jobs = Vec::with_capacity(names.len());
        for (registered, overview) in core.jobs.iter().zip(overviews) {
            jobs.push(self.status(registered, overview, &known).await?);
        }
        Ok(jobs)
    }

    async fn status(
        &self,
        registered: &Registered,
        overview: Overview,
        known: &Known,
    ) -> Result<JobStatus, SchedulerError> {
        let job = &registered.job;
        let lock = match job.scope {
            Scope::None => None,
            Scope::Cluster => known.locks.get(job.name()).cloned(),
            Scope::Node => {
                let lock = self.core.node_locks.lock_info(&job.name).await;
                lock.map_err(lock_error)?
            }
        };
        let here = registered.progress().map(|progress| progress.get());
        Ok(JobStatus {
            name: job.name.clone(),
            trigger: job.trigger.to_string(),
            zone: job.trigger.zone().map(|zone| zone.name().to_owned()),
            scope: job.scope,
            enabled: job.enabled,
            paused: overview.paused,
            next_run: job
                .trigger
                .next_after(self.core.now())
                .filter(|_| job.enabled),
            last_run: overview.last_run,
            lock: lock.filter(|info| info.held).map(|info| LockView {
                locked_by: info.locked_by,
                lock_until: info.lock_until,
            }),
            progress: here.or(overview.progress),
            schedule_conflict: known.conflicts.get(job.name()).cloned(),
        })
    }

    /// Runs a job in this process, whether paused or not, and waits for its end. It may start within the minimum hold
    /// of one of our own finished runs. The run goes on when the caller stops waiting.
    ///
    /// # Errors
    /// [`RunNowError::Locked`] names the holder; the others say that nothing ran. A run that fails is no error here:
    /// its [`status`](Run::status) says so.
    pub async fn run_now(&self, name: &str) -> Result<Run, RunNowError> {
        let scheduler = self.clone();
        let name = name.to_owned();
        let task = self
            .core
            .tasks
            .spawn(async move { scheduler.run_by_hand(&name).await });
        // The job's own panics are caught further in; a runtime that is shutting down is all that is left.
        task.await.unwrap_or(Err(RunNowError::Stopping))
    }

    async fn run_by_hand(&self, name: &str) -> Result<Run, RunNowError> {
        let registered = self
            .core
            .job(name)
            .ok_or_else(|| RunNowError::UnknownJob(name.to_owned()))?;
        if self.core.stopping.is_cancelled() {
            return Err(RunNowError::Stopping);
        }
        self.core.introduce().await?;
        self.core.abandon_dead().await?;
        let ask = Ask {
            slot: self.core.now(),
            cause: Cause::Manual,
            attempt: 1,
        };
        for look in 1.. {
            match self.core.claim(registered, ask).await? {
                Claim::Won(claimed) => return Ok(self.core.execute(registered, *claimed).await),
                // What ticks every second or so holds its lock for a moment only.
                Claim::Held { .. }
                    if look < LOOKS && registered.job.record == Record::FailuresAndManual => {}
                Claim::Slipped if self.core.stopping.is_cancelled() => {
                    return Err(RunNowError::Stopping);
                }
                Claim::Slipped if look < LOOKS => {}
                Claim::Held { holder, until } => {
                    return Err(RunNowError::Locked {
                        job: name.to_owned(),
                        holder,
                        until,
                    });
                }
                // A run by hand is neither paused nor keyed by its slot: only the lock can be in its way.
                Claim::Slipped | Claim::Settled(_) => break,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(RunNowError::LostLock(name.to_owned()))
    }

    /// Pauses a job in the whole cluster, until [`resume`](Self::resume). A run under way goes on.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownJob`] or [`SchedulerError::Store`].
    pub async fn pause(&self, name: &str) -> Result<(), SchedulerError> {
        self.known(name)?;
        self.core.store.pause(name, self.core.now()).await?;
        tracing::info!(
            job = name,
            "paused: no node runs it by schedule until it is resumed"
        );
        Ok(())
    }

    /// Ends a pause. Slots that passed meanwhile are not caught up: they were skipped on purpose.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownJob`] or [`SchedulerError::Store`].
    pub async fn resume(&self, name: &str) -> Result<(), SchedulerError> {
        self.known(name)?;
        self.core.store.resume(name, self.core.now()).await?;
        tracing::info!(job = name, "resumed: its next slot runs");
        Ok(())
    }

    /// Runs of a job, newest first, at most `limit`, all with an id below `before_id`.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownJob`] or [`SchedulerError::Store`].
    pub async fn history(
        &self,
        name: &str,
        limit: u64,
        before_id: Option<i64>,
    ) -> Result<Vec<Run>, SchedulerError> {
        self.known(name)?;
        self.core.abandon_dead().await?;
        Ok(self.core.store.history(name, limit, before_id).await?)
    }

    /// Deletes up to `batch` runs that ended before `older_than`, and answers how many; fewer than `batch`
    /// means done. The newest run of each job stays.
    ///
    /// # Errors
    /// [`SchedulerError::Store`].
    pub async fn prune_history(
        &self,
        older_than: DateTime<Utc>,
        batch: u64,
    ) -> Result<u64, SchedulerError> {
        let deleted = self.core.store.prune(older_than, batch).await?;
        if deleted < batch {
            self.core.store.prune_leftovers(older_than).await?;
        }
        Ok(deleted)
    }

    /// The next `count` slots of a job.
    ///
    /// # Errors
    /// [`SchedulerError::UnknownJob`].
    pub fn upcoming(&self, name: &str, count: usize) -> Result<Vec<DateTime<Utc>>, SchedulerError> {
        let registered = self.known(name)?;
        let upcoming = registered.job.trigger.upcoming(self.core.now(), count);
        Ok(upcoming.collect())
    }

    pub(crate) fn known(&self, name: &str) -> Result<&Registered, SchedulerError> {
        self.core
            .job(name)
            .ok_or_else(|| SchedulerError::UnknownJob(name.to_owned()))
    }
}
