//! What every part of the scheduler shares.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use shedlock::{LockConfiguration, LockProvider};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::event::Event;
use crate::job::{Job, Scope};
use crate::nudges::Nudges;
use crate::progress::ProgressCell;
use crate::store::{JobRow, Store};

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cluster_locks: Arc<dyn LockProvider>,
    pub(crate) node_locks: Arc<dyn LockProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: String,
    pub(crate) jobs: Vec<Registered>,
    /// Where each job stands in `jobs`, by its name.
    pub(crate) by_name: HashMap<String, usize>,
    pub(crate) nudges: Nudges,
    /// How many slots are taken at a time: of many that are due at once, the first shall not wait for the last.
    pub(crate) claims: Semaphore,
    /// Those that were started, by index.
    pub(crate) ours: OnceLock<Vec<usize>>,
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
    pub(crate) index: usize,
    progress: Mutex<Option<Arc<ProgressCell>>>,
    /// Its row when it was last read, of a job with scope node.
    row: Mutex<JobRow>,
}

impl Core {
    pub(crate) fn job(&self, name: &str) -> Option<&Registered> {
        self.by_name.get(name).map(|index| &self.jobs[*index])
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

    /// Answers, of one job after the other, the newest slots that its misfire policy makes up for, the newest first. Jobs that share a
    /// cron expression share the answer.
    pub(crate) fn newest_slots(now: DateTime<Utc>) -> impl FnMut(&Self) -> Vec<DateTime<Utc>> {
        let mut known: BTreeMap<(usize, usize), Vec<DateTime<Utc>>> = BTreeMap::new();
        move |registered| {
            let trigger = &registered.job.trigger;
            let count = registered.job.misfire.slots();
            let find = || {
                let newest = |until| trigger.newest_due(now - HORIZON, until);
                let older = |slot: &DateTime<Utc>| newest(*slot - TimeDelta::microseconds(1));
                std::iter::successors(newest(now), older)
                    .take(count)
                    .collect()
            };
            match trigger.shared() {
                Some(pattern) => known.entry((pattern, count)).or_insert_with(find).clone(),
                None => find(),
            }
        }
    }

    /// When the run of `slot` starts.
    pub(crate) fn start_of(&self, slot: DateTime<Utc>) -> DateTime<Utc> {
        self.job.trigger.start_of(&self.job.name, slot)
    }

    pub(crate) fn new(index: usize, job: Job, lock: LockConfiguration) -> Self {
        Self {
            job,
            lock,
            index,
            progress: Mutex::new(None),
            row: Mutex::default(),
        }
    }

    pub(crate) fn remember(&self, row: JobRow) {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner) = row;
    }

    pub(crate) fn remembered(&self) -> JobRow {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner)
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
