//! A scheduler that runs: waking its jobs, and stopping it.

use std::time::Duration;

use super::handle::Scheduler;
use crate::schedule_queue::WakeUp;

/// How long a stop may take to make the others forget this node's schedules.
const FORGET_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a run that is cut off may take to be dropped and recorded.
const CUT_OFF_TIMEOUT: Duration = Duration::from_secs(5);

/// A scheduler that was started. Dropping it changes nothing; [`stop`](Self::stop) ends it.
#[derive(Debug, Clone)]
pub struct RunningScheduler {
    pub(super) scheduler: Scheduler,
}

impl RunningScheduler {
    /// Runs a fixed-delay job now, or once more right after the run in flight. Many calls make one run. Of no
    /// effect on other jobs.
    pub fn wake(&self, name: &str) {
        let core = &self.scheduler.core;
        match core.job(name) {
            Some(registered) => core.wake_ups.send(registered.index, WakeUp::Requested),
            None => tracing::warn!(
                job = name,
                "asked to wake a job that is not registered; nothing runs"
            ),
        }
    }

    /// Stops: no new runs. Those in flight are asked to end, and cut off after `deadline`. Their leases stay alive until
    /// they have ended and are recorded, and are given back at once then.
    pub async fn stop(&self, deadline: Duration) {
        let core = &self.scheduler.core;
        core.stopping.cancel();
        core.tasks.close();
        if tokio::time::timeout(deadline, core.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("jobs still ran at the shutdown's deadline; they are cut off");
            core.deadline.cancel();
            if tokio::time::timeout(CUT_OFF_TIMEOUT, core.tasks.wait())
                .await
                .is_err()
            {
                tracing::error!(
                    "a run could not be ended or recorded in time; it will be found dead once its lease has run out"
                );
            }
        }
        // Until this node is known to be gone, the others compare their schedules with its own.
        let node = core.short_name();
        let forget = core.store.forget_schedules(&node);
        if !matches!(
            tokio::time::timeout(FORGET_TIMEOUT, forget).await,
            Ok(Ok(()))
        ) {
            tracing::debug!("this node's schedules count for a few minutes more");
        }
        tracing::info!(node = core.node, "scheduler stopped");
    }
}
