//! The list of all jobs, as an operator sees them.

use std::collections::BTreeMap;

use shedlock::LockInfo;

use crate::error::SchedulerError;
use crate::job::Scope;
use crate::model::{JobStatus, LockView};
use crate::nodes::Conflicts;
use crate::registered::Registered;
use crate::runs::lock_error;
use crate::scheduler::Scheduler;
use crate::store::Overview;

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
            .map(|registered| registered.job.name.as_str())
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
            Scope::Cluster => known.locks.get(&job.name).cloned(),
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
            schedule_conflict: known.conflicts.get(&job.name).cloned(),
        })
    }
}
