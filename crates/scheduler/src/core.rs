//! What every part of the scheduler shares.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use shedlock::{LockConfiguration, LockProvider};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::context::ProgressCell;
use crate::event::Event;
use crate::job::{Job, Scope};
use crate::store::Store;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cluster_locks: Arc<dyn LockProvider>,
    pub(crate) node_locks: Arc<dyn LockProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: String,
    pub(crate) jobs: Vec<Registered>,
    pub(crate) events: broadcast::Sender<Event>,
    /// No new runs; running ones are asked to stop.
    pub(crate) stopping: CancellationToken,
    /// What still runs is cut off.
    pub(crate) deadline: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A job with what this process keeps about it.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) job: Job,
    pub(crate) lock: LockConfiguration,
    /// Wakes a fixed-delay job early.
    pub(crate) wake: Notify,
    /// A run of this job ended in this process: a slot that waits for its lock may look again.
    pub(crate) ended: Notify,
    progress: Mutex<Option<Arc<ProgressCell>>>,
}

impl Core {
    pub(crate) fn job(&self, name: &str) -> Option<&Registered> {
        self.jobs
            .iter()
            .find(|registered| registered.job.name == name)
    }

    /// The time, as exactly as the tables keep it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(6)
    }

    pub(crate) fn locks(&self, scope: Scope) -> &Arc<dyn LockProvider> {
        match scope {
            Scope::Cluster => &self.cluster_locks,
            Scope::Node | Scope::None => &self.node_locks,
        }
    }

    pub(crate) fn announce(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// How far back a newest slot is looked for: beyond the longest cron cycle, 29 February around a century.
const HORIZON: TimeDelta = TimeDelta::days(366 * 9);

impl Registered {
    /// The newest slot that is due, however long ago.
    pub(crate) fn newest_slot(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.job.trigger.newest_due(now - HORIZON, now)
    }

    /// When the run of `slot` starts.
    pub(crate) fn start_of(&self, slot: DateTime<Utc>) -> DateTime<Utc> {
        self.job.trigger.start_of(&self.job.name, slot)
    }

    pub(crate) fn new(job: Job, lock: LockConfiguration) -> Self {
        Self {
            job,
            lock,
            wake: Notify::new(),
            ended: Notify::new(),
            progress: Mutex::new(None),
        }
    }

    pub(crate) fn progress(&self) -> Option<Arc<ProgressCell>> {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_progress(&self, progress: Option<Arc<ProgressCell>>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}
