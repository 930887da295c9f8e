//! A run by hand.

use std::time::Duration;

use crate::error::RunNowError;
use crate::job::Record;
use crate::model::{Cause, Run, RunRequest};
use crate::runs::Claim;
use crate::scheduler::Scheduler;

/// How often, and how far apart, a run by hand tries a lock that is free in a moment.
const ATTEMPTS: u32 = 20;
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

impl Scheduler {
    /// Runs a job in this process, whether paused or not, and waits for its end. The run goes on when the caller stops
    /// waiting. It may start within the minimum hold of one of our own finished runs.
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
        self.core.register_node().await?;
        self.core.abandon_dead().await?;
        let request = RunRequest {
            slot: self.core.now(),
            cause: Cause::Manual,
            attempt: 1,
        };
        for attempt in 1.. {
            match self.core.claim(registered, request).await? {
                Claim::Won(claimed) => return Ok(self.core.execute(registered, *claimed).await),
                // What runs every second or so owns its lock for a moment only.
                Claim::Locked { .. }
                    if attempt < ATTEMPTS && registered.job.record == Record::FailuresAndManual => {
                }
                Claim::LostLock if self.core.stopping.is_cancelled() => {
                    return Err(RunNowError::Stopping);
                }
                Claim::LostLock if attempt < ATTEMPTS => {}
                Claim::Locked { holder, until } => {
                    return Err(RunNowError::Locked {
                        job: name.to_owned(),
                        holder,
                        until,
                    });
                }
                // A run by hand is neither paused nor keyed by its slot. Only the lock can be in its way.
                Claim::LostLock | Claim::Passed(_) => break,
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        Err(RunNowError::LostLock(name.to_owned()))
    }
}
