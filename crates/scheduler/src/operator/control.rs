//! Pausing jobs, their history, and their next slots.

use chrono::{DateTime, Utc};

use crate::error::SchedulerError;
use crate::model::Run;
use crate::registered::Registered;
use crate::scheduler::Scheduler;

impl Scheduler {
    /// Pauses a job in the whole cluster, until [`resume`](Self::resume). A run in flight goes on.
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

    /// Ends a pause. Slots that passed meanwhile were skipped on purpose and are not caught up on.
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
