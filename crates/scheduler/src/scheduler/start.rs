//! Starting a scheduler.

use super::handle::Scheduler;
use super::running::RunningScheduler;
use crate::error::SchedulerError;
use crate::schedule_queue::ScheduleQueue;

impl Scheduler {
    /// Starts to run the enabled jobs, once per scheduler. Slots after this moment are this node's to run. A job's
    /// very first start in a cluster catches up on nothing.
    ///
    /// # Errors
    /// [`SchedulerError::Store`] when the tables cannot be written.
    pub async fn start(&self) -> Result<RunningScheduler, SchedulerError> {
        self.start_only(|_| true).await
    }

    /// As [`start`](Self::start), for the jobs whose name is `wanted` on this node. The others can still be run by hand.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_only(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<RunningScheduler, SchedulerError> {
        let core = &self.core;
        let queue = self.register(wanted).await?;
        core.tasks.spawn(core.clone().watch_for_dead_runs());
        core.tasks.spawn(core.clone().run_heartbeat());
        core.tasks.spawn(core.clone().run_timer(queue));
        tracing::info!(node = core.node, "scheduler started");
        Ok(RunningScheduler {
            scheduler: self.clone(),
        })
    }

    /// Registers the enabled jobs that are wanted here, whose slots are this node's from now on.
    pub(crate) async fn register(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<ScheduleQueue, SchedulerError> {
        let core = &self.core;
        let began = core.now();
        core.register_node().await?;
        let jobs = core.jobs.iter().map(|registered| &registered.job);
        let started = jobs
            .enumerate()
            .filter(|(_, job)| job.enabled && wanted(&job.name))
            .map(|(index, _)| index);
        let started: Vec<_> = started.collect();
        let names = started
            .iter()
            .map(|index| core.jobs[*index].job.name.as_str());
        core.store
            .register_jobs(&names.collect::<Vec<_>>(), began)
            .await?;
        core.save_plans(&started, began).await?;
        let queue = ScheduleQueue::new(&core.jobs, &started, began);
        // A second start would run every job twice. The jobs of the first stay those that other nodes know of.
        let _ = core.started.set(started);
        Ok(queue)
    }
}
