//! What calls do to the tables, with the trace and the judge looking on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shedlock::{LockInfo, Taken};

use super::Broken;
use super::tables::{Row, Write};
use super::world::World;
use crate::model::{Run, RunStatus};
use crate::store::NewRunOutcome;

impl World {
    /// Inserts the row of a run that was admitted.
    pub(super) fn begin_run(&mut self, node: usize, row: Row) -> NewRunOutcome {
        self.judge.before_entry(&self.tables, &row);
        let run = row.run.clone();
        let Some(id) = self.tables.insert(row) else {
            self.trace(node, "finds the slot taken", 0, || {
                format!("{} {} #{}", run.job_name, run.scheduled_at, run.attempt)
            });
            return NewRunOutcome::Passed(crate::event::Passed::AlreadyRan);
        };
        self.trace(node, "begins", id as u64, || {
            format!(
                "run {id}: {} {} #{} {}",
                run.job_name, run.scheduled_at, run.attempt, run.cause
            )
        });
        self.judge.written(&self.tables, id);
        NewRunOutcome::Row(id)
    }

    pub(super) fn finish(&mut self, node: usize, run: &Run) -> bool {
        let done = self.tables.finish(run);
        self.trace(node, "ends", (run.id as u64) << 1 | u64::from(done), || {
            let (id, status) = (run.id, run.status);
            format!(
                "run {id}: {status}, {}",
                if done { "recorded" } else { "too late" }
            )
        });
        if done {
            self.judge.written(&self.tables, run.id);
        }
        done
    }

    pub(super) fn insert_finished(&mut self, node: usize, row: Row) -> Option<i64> {
        let run = row.run.clone();
        let id = self.tables.insert(row);
        self.trace(node, "records", id.unwrap_or(0) as u64, || {
            format!(
                "{id:?}: {} {} {}",
                run.job_name, run.scheduled_at, run.status
            )
        });
        if let Some(id) = id {
            self.judge.written(&self.tables, id);
        }
        id
    }

    pub(super) fn abandon_dead(&mut self, node: usize, now: DateTime<Utc>, why: &str) -> Vec<Run> {
        let running = |row: &&Row| row.run.status == RunStatus::Running;
        let alive: Vec<i64> = self
            .tables
            .runs
            .iter()
            .filter(running)
            .filter(|row| !self.tables.is_dead(row))
            .map(|row| row.run.id)
            .collect();
        let abandoned = self.tables.abandon_dead(now, why);
        for run in &abandoned {
            self.trace(node, "finds dead", run.id as u64, || {
                format!("run {}: {}", run.id, run.job_name)
            });
            self.judge.abandoned(run, alive.contains(&run.id));
        }
        abandoned
    }

    pub(super) fn take(
        &mut self,
        node: usize,
        name: &str,
        locked_by: &str,
        at_most: Duration,
        tail: Option<&LockInfo>,
    ) -> Option<Taken> {
        let taken = self.tables.take(name, locked_by, at_most, tail)?;
        let how = if tail.is_some() {
            "takes over"
        } else {
            "takes"
        };
        self.trace(node, how, taken.token as u64, || {
            format!("{name}, token {}", taken.token)
        });
        self.judge.taken(name, taken.token);
        Some(taken)
    }

    pub(super) fn extend(
        &mut self,
        node: usize,
        name: &str,
        locked_by: &str,
        at_most: Duration,
    ) -> bool {
        let end = self.tables.now + at_most;
        let extended = if self.tables.broken == Broken::ForgetfulExtension {
            self.tables.is_held_by(name, locked_by)
        } else {
            self.tables.move_end(name, locked_by, end)
        };
        self.trace(node, "extends", u64::from(extended), || {
            format!("{name}: {extended}")
        });
        extended
    }

    pub(super) fn release(
        &mut self,
        node: usize,
        name: &str,
        locked_by: &str,
        not_before: DateTime<Utc>,
    ) -> bool {
        let end = self.tables.now.max(not_before);
        let released = if self.tables.broken == Broken::NeverReleased {
            self.tables.is_held_by(name, locked_by)
        } else {
            self.tables.move_end(name, locked_by, end)
        };
        self.trace(node, "gives back", u64::from(released), || {
            format!("{name}: {released}")
        });
        released
    }

    /// A run's write to the database, behind its fence. False: refused.
    pub(super) fn write_fenced(&mut self, node: usize, write: &Write) -> bool {
        let running = |id: i64| {
            self.tables
                .row(id)
                .is_some_and(|row| row.run.status == RunStatus::Running)
        };
        let ours = write.run_id.is_none_or(running)
            && self.tables.is_held_by(&write.job, &write.locked_by);
        let accepted = ours || self.tables.broken == Broken::Fence;
        self.trace(
            node,
            "writes",
            (write.token as u64) << 1 | u64::from(accepted),
            || format!("{} with token {}: {accepted}", write.job, write.token),
        );
        if accepted {
            self.judge.fenced_write(&self.tables, write);
        }
        accepted
    }

    /// A run's step outside the database, which nothing can refuse.
    pub(super) fn write_outside(&mut self, node: usize, write: &Write, excused: bool) {
        self.trace(node, "acts outside", write.token as u64, || {
            format!("{} with token {}", write.job, write.token)
        });
        if !excused {
            self.judge.outside_write(&self.tables, write);
        }
    }
}
