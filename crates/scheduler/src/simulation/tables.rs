//! The tables in memory, with the meaning of the SQL beside them. One call at a time, each whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shedlock::{LockInfo, Taken};

use super::Broken;
use crate::event::Passed;
use crate::model::{Cause, Run, RunStatus};
use crate::store::{History, JobRow, NewRunOutcome};

#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The database's clock.
    pub(super) now: DateTime<Utc>,
    pub(super) jobs: BTreeMap<String, JobRow>,
    pub(super) nodes: BTreeMap<String, DateTime<Utc>>,
    pub(super) runs: Vec<Row>,
    pub(super) locks: BTreeMap<String, Lock>,
    pub(super) broken: Broken,
}

/// A row of `job_run`.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) run: Run,
    pub(super) lock_owner: Option<String>,
    pub(super) slot_node: String,
}

/// A row of `shedlock`, with the token beside it. `held` is stale in here.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    pub(super) info: LockInfo,
    pub(super) token: i64,
    /// What was left of the lock that this one was taken over from.
    pub(super) tail: Option<DateTime<Utc>>,
}

/// A write of a run.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) job: String,
    pub(super) locked_by: String,
    pub(super) token: i64,
    pub(super) run_id: Option<i64>,
}

impl Row {
    /// What the slot's key looks at.
    pub(super) fn same_slot_and_attempt(&self, other: &Self) -> bool {
        self.run.cause != Cause::Manual
            && other.run.cause != Cause::Manual
            && self.run.scheduled_at == other.run.scheduled_at
            && self.run.attempt == other.run.attempt
            && self.run.job_name == other.run.job_name
            && self.slot_node == other.slot_node
    }
}

impl Tables {
    pub(super) fn is_held_by(&self, name: &str, owner: &str) -> bool {
        self.locks
            .get(name)
            .is_some_and(|lock| lock.info.locked_by == owner && lock.info.lock_until > self.now)
    }

    pub(super) fn row(&self, id: i64) -> Option<&Row> {
        usize::try_from(id - 1)
            .ok()
            .and_then(|at| self.runs.get(at))
    }

    fn row_mut(&mut self, id: i64) -> Option<&mut Row> {
        let at = usize::try_from(id - 1).ok()?;
        self.runs.get_mut(at)
    }

    pub(super) fn slot_rows(&self, name: &str, slot: DateTime<Utc>) -> impl Iterator<Item = &Row> {
        self.scheduled(name)
            .filter(move |row| row.run.scheduled_at == slot)
    }

    /// The rows of a job that were not run by hand.
    pub(super) fn scheduled(&self, name: &str) -> impl Iterator<Item = &Row> {
        self.runs
            .iter()
            .filter(move |row| row.run.cause != Cause::Manual && row.run.job_name == name)
    }

    /// What the slots of a job, the newest first, have for runs.
    pub(super) fn history(&self, name: &str, slots: &[DateTime<Utc>]) -> History {
        let oldest_asked = slots.last().copied();
        let others = self.scheduled(name).map(|row| row.run.scheduled_at);
        let newest_other = others
            .filter(|slot| Some(*slot) > oldest_asked && !slots.contains(slot))
            .max();
        let asked = self
            .scheduled(name)
            .filter(|row| slots.contains(&row.run.scheduled_at));
        History {
            row: self.jobs.get(name).copied().unwrap_or_default(),
            oldest: self.scheduled(name).map(|row| row.run.scheduled_at).min(),
            newest_other: match self.broken {
                Broken::Forgetful => slots.first().copied(),
                _ => newest_other,
            },
            runs: asked.map(|row| row.run.clone()).collect(),
            change: None,
        }
    }

    pub(super) fn owner(&self, name: &str, owner: &str) -> Option<&Row> {
        let owned =
            |row: &&Row| row.lock_owner.as_deref() == Some(owner) && row.run.job_name == name;
        self.runs.iter().rev().find(owned)
    }

    /// May the run begin?
    pub(super) fn admit(&self, row: &Row) -> Option<NewRunOutcome> {
        let name = &row.run.job_name;
        let paused = self.jobs.get(name).is_some_and(|job| job.paused);
        if row.run.cause != Cause::Manual && paused {
            return Some(NewRunOutcome::Passed(Passed::Paused));
        }
        let owner = row.lock_owner.as_deref().unwrap_or_default();
        (!self.is_held_by(name, owner)).then_some(NewRunOutcome::LostLock)
    }

    /// Writes a row unless its slot has one.
    pub(super) fn insert(&mut self, mut row: Row) -> Option<i64> {
        let keyed = self.broken != Broken::SlotKey;
        if keyed
            && self
                .runs
                .iter()
                .any(|other| other.same_slot_and_attempt(&row))
        {
            return None;
        }
        row.run.id = self.runs.len() as i64 + 1;
        let id = row.run.id;
        self.runs.push(row);
        Some(id)
    }

    pub(super) fn finish(&mut self, ended: &Run) -> bool {
        let Some(row) = self.row_mut(ended.id) else {
            return false;
        };
        if row.run.status != RunStatus::Running {
            return false;
        }
        let run = &mut row.run;
        run.finished_at = ended.finished_at;
        run.status = ended.status;
        run.affected = ended.affected;
        run.retries = ended.retries;
        run.error.clone_from(&ended.error);
        true
    }

    /// Whether the row's lock is not its own any more.
    pub(super) fn is_dead(&self, row: &Row) -> bool {
        if row.run.status != RunStatus::Running {
            return false;
        }
        match &row.lock_owner {
            Some(owner) => !self.is_held_by(&row.run.job_name, owner),
            None => !self.locks.get(&row.run.job_name).is_some_and(|lock| {
                lock.info.lock_until > self.now
                    && self
                        .owner(&row.run.job_name, &lock.info.locked_by)
                        .is_none()
            }),
        }
    }

    pub(super) fn abandon_dead(&mut self, now: DateTime<Utc>, why: &str) -> Vec<Run> {
        if self.broken == Broken::Blind {
            return Vec::new();
        }
        let by_age = self.broken == Broken::AbandonedByAge;
        let old = |row: &Row| {
            row.run.status == RunStatus::Running
                && now - row.run.started_at > TimeDelta::seconds(30)
        };
        let is_dead = |row: &Row| if by_age { old(row) } else { self.is_dead(row) };
        let dead: BTreeSet<i64> = self
            .runs
            .iter()
            .filter(|row| is_dead(row))
            .map(|row| row.run.id)
            .collect();
        let mut abandoned = Vec::new();
        for id in dead {
            if let Some(row) = self.row_mut(id) {
                row.run.status = RunStatus::Abandoned;
                row.run.finished_at = Some(now);
                row.run.error = Some(why.to_owned());
                abandoned.push(row.run.clone());
            }
        }
        abandoned
    }

    pub(super) fn lock_info(&self, name: &str) -> Option<LockInfo> {
        let info = &self.locks.get(name)?.info;
        Some(LockInfo {
            held: info.lock_until > self.now,
            ..info.clone()
        })
    }

    /// Takes the row if it is free, or still exactly `tail`.
    pub(super) fn take(
        &mut self,
        name: &str,
        locked_by: &str,
        at_most: Duration,
        tail: Option<&LockInfo>,
    ) -> Option<Taken> {
        let now = self.now;
        let old = self.locks.get(name);
        let free = match (tail, old) {
            (None, Some(lock)) => lock.info.lock_until <= now,
            (None, None) => true,
            (Some(tail), Some(Lock { info, .. })) => {
                info.locked_by == tail.locked_by
                    && info.lock_until == tail.lock_until
                    && info.lock_until > now
            }
            (Some(_), None) => false,
        };
        if !free {
            return None;
        }
        let token = old.map_or(0, |lock| lock.token) + 1;
        let info = LockInfo {
            name: name.to_owned(),
            locked_at: now,
            lock_until: now + at_most,
            locked_by: locked_by.to_owned(),
            held: true,
        };
        let tail = tail.map(|tail| tail.lock_until);
        self.locks
            .insert(name.to_owned(), Lock { info, token, tail });
        Some(Taken {
            locked_at: now,
            token,
        })
    }

    /// Moves the end of a row that is `locked_by`'s and not over.
    pub(super) fn move_end(&mut self, name: &str, locked_by: &str, end: DateTime<Utc>) -> bool {
        let ours = self.is_held_by(name, locked_by);
        if ours && let Some(lock) = self.locks.get_mut(name) {
            lock.info.lock_until = end;
        }
        ours
    }
}
