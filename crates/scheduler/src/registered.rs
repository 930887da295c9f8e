//! A job with what this process remembers about it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use shedlock::LockConfiguration;

use crate::job::{Job, JobSettings, ProgressCell, Work};
use crate::store::JobRow;

/// A job with what this process remembers about it.
pub(crate) struct Registered {
    pub(crate) job: Arc<JobSettings>,
    pub(crate) work: Work,
    pub(crate) lock: LockConfiguration,
    pub(crate) index: usize,
    progress: Mutex<Option<Arc<ProgressCell>>>,
    /// Its row when it was last read, of a job with scope node.
    row: Mutex<JobRow>,
}

/// How far back a newest slot may lie: beyond the longest cron cycle, 29 February around a century.
const HORIZON: TimeDelta = TimeDelta::days(366 * 9);

impl Registered {
    pub(crate) fn new(index: usize, job: Job, lock: LockConfiguration) -> Self {
        Self {
            job: job.settings,
            work: job.work,
            lock,
            index,
            progress: Mutex::new(None),
            row: Mutex::default(),
        }
    }

    /// The newest slot that is due, however long ago.
    pub(crate) fn newest_slot(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.job.trigger.newest_due(now - HORIZON, now)
    }

    /// Answers, of one job after the other, the newest slots that its misfire policy catches up on, the newest first.
    /// Jobs that share a cron expression share the answer.
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

    pub(crate) fn cache_row(&self, row: JobRow) {
        *self.row.lock().unwrap_or_else(PoisonError::into_inner) = row;
    }

    pub(crate) fn cached_row(&self) -> JobRow {
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

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("job", &self.job)
            .finish_non_exhaustive()
    }
}
