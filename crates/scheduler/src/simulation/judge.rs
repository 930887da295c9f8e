//! What must hold at every moment, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::tables::{Row, Tables, Write};
use super::time::Micros;
use crate::model::{Cause, Run, RunStatus};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Invariant {
    /// A slot and attempt has at most one run.
    OneRunPerSlot,
    /// A slot succeeds at most once, and is tried again only after its earlier attempts came to nothing.
    AttemptsInOrder,
    /// A run begins under its own lock.
    LockedFromTheBeginning,
    /// A paused job begins no run by schedule.
    PauseHolds,
    /// Tokens grow, and each has at most one holder.
    OneHolderPerToken,
    /// Only the run of record writes behind the fence, in the order of tokens.
    FencedWrites,
    /// A step outside the database, taken under trust, falls within the run's own lease.
    TrustedSteps,
    /// A run is ABANDONED only when its lock is not its own any more.
    AbandonedByLease,
    /// A dead run is ABANDONED within one scan of the end of its lease, while a node is well.
    DeadAreFound,
    /// No slot of a run-once job is lost.
    NothingForgotten,
    /// A slot that comes while all is well is run.
    CalmSlotsRun,
    /// What runs after a delay goes on, whatever the clocks show.
    TicksGoOn,
    /// A stop gives back every lock.
    StopGivesBack,
    /// Nothing begins after a stop.
    StopBeginsNothing,
    /// The scheduler's own tasks do not end by themselves.
    NobodyPanics,
}

#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) invariant: Invariant,
    pub(super) details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.details)
    }
}

#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) violation: Option<Violation>,
    tokens: BTreeMap<String, i64>,
    begun: BTreeSet<(String, i64)>,
    written: BTreeMap<String, i64>,
    /// Since when a run was seen dead and RUNNING.
    pub(super) dead_since: BTreeMap<i64, Micros>,
    /// Since when a run is over, as far as its scheduler is concerned.
    pub(super) over: BTreeMap<i64, Micros>,
    /// When a run of each job began last.
    pub(super) begun_at: BTreeMap<String, Micros>,
    /// How often things happened that the simulation is about.
    pub(super) seen: BTreeMap<&'static str, u64>,
}

impl Judge {
    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The first violation counts.
    pub(super) fn demand(
        &mut self,
        invariant: Invariant,
        holds: bool,
        details: impl FnOnce() -> String,
    ) {
        if !holds && self.violation.is_none() {
            self.violation = Some(Violation {
                invariant,
                details: details(),
            });
        }
    }

    pub(super) fn before_entry(&mut self, tables: &Tables, row: &Row) {
        let run = &row.run;
        let owner = row.lock_owner.as_deref().unwrap_or_default();
        let details = || {
            format!(
                "{} {} #{} by {}",
                run.job_name, run.scheduled_at, run.attempt, run.node
            )
        };
        self.demand(
            Invariant::LockedFromTheBeginning,
            tables.is_held_by(&run.job_name, owner),
            details,
        );
        if run.cause == Cause::Manual {
            self.saw("manual run");
            return;
        }
        let paused = tables.jobs.get(&run.job_name).is_some_and(|job| job.paused);
        self.demand(Invariant::PauseHolds, !paused, details);
        if run.cause == Cause::CatchUp {
            self.saw(if run.attempt == 3 {
                "third attempt"
            } else {
                "catch-up"
            });
        }
        let earlier = || {
            let rows = tables
                .slot_rows(&run.job_name, run.scheduled_at)
                .map(|row| &row.run);
            rows.filter(|other| other.attempt < run.attempt)
        };
        let nothing =
            |other: &Run| matches!(other.status, RunStatus::Failed | RunStatus::Abandoned);
        let in_order = earlier().all(nothing) && earlier().count() as u32 == run.attempt - 1;
        self.demand(Invariant::AttemptsInOrder, in_order, details);
    }

    /// A row was inserted or ended.
    pub(super) fn written(&mut self, tables: &Tables, id: i64) {
        let Some(row) = tables.row(id) else {
            return;
        };
        let run = &row.run;
        match run.status {
            RunStatus::Succeeded => self.saw("success"),
            RunStatus::Failed => self.saw("failure"),
            RunStatus::Abandoned => self.saw("lease lost"),
            RunStatus::Running => self.saw("run"),
        }
        if run.cause == Cause::Manual {
            return;
        }
        let same = tables
            .runs
            .iter()
            .filter(|other| other.same_slot_and_attempt(row));
        let details = || {
            format!(
                "{} {} #{} by {}",
                run.job_name, run.scheduled_at, run.attempt, run.node
            )
        };
        self.demand(Invariant::OneRunPerSlot, same.count() == 1, details);
        let succeeded = tables
            .slot_rows(&run.job_name, run.scheduled_at)
            .filter(|row| row.run.status == RunStatus::Succeeded);
        self.demand(Invariant::AttemptsInOrder, succeeded.count() <= 1, details);
    }

    pub(super) fn abandoned(&mut self, run: &Run, was_alive: bool) {
        self.saw("found dead");
        self.demand(Invariant::AbandonedByLease, !was_alive, || {
            format!("run {} of {}, by {}", run.id, run.job_name, run.node)
        });
    }

    pub(super) fn taken(&mut self, name: &str, token: i64) {
        let last = self.tokens.insert(name.to_owned(), token).unwrap_or(0);
        self.demand(Invariant::OneHolderPerToken, token > last, || {
            format!("{name}: {token} after {last}")
        });
    }

    /// A job's function was called for the first time in its run.
    pub(super) fn begun(&mut self, job: &str, token: i64) {
        let first = self.begun.insert((job.to_owned(), token));
        self.demand(Invariant::OneHolderPerToken, first, || {
            format!("two runs of {job} hold token {token}")
        });
    }

    pub(super) fn fenced_write(&mut self, tables: &Tables, write: &Write) {
        self.saw("fenced write");
        let last = self
            .written
            .insert(write.job.clone(), write.token)
            .unwrap_or(0);
        self.demand(Invariant::FencedWrites, write.token >= last, || {
            format!(
                "{} wrote with token {} after {last}",
                write.job, write.token
            )
        });
        let status = write
            .run_id
            .and_then(|id| tables.row(id))
            .map(|row| row.run.status);
        let of_record = status.is_none_or(|status| status == RunStatus::Running);
        self.demand(Invariant::FencedWrites, of_record, || {
            format!(
                "run {:?} of {} wrote, which is not RUNNING",
                write.run_id, write.job
            )
        });
    }

    pub(super) fn outside_write(&mut self, tables: &Tables, write: &Write) {
        self.saw("step outside");
        self.demand(
            Invariant::TrustedSteps,
            tables.is_held_by(&write.job, &write.locked_by),
            || {
                let lock = tables
                    .locks
                    .get(&write.job)
                    .map(|lock| (&lock.info.locked_by, lock.info.lock_until));
                format!(
                    "{} acted with token {}, the lock is {lock:?}",
                    write.job, write.token
                )
            },
        );
    }
}
