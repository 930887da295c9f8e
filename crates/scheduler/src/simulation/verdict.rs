//! What must hold when time has passed.

use chrono::{DateTime, TimeDelta, Utc};

use super::incident::Incident;
use super::jobs::{Kind, Plan};
use super::judge::Invariant;
use super::time::{Micros, at, seconds};
use super::world::{Event, World};
use crate::Misfire;
use crate::model::RunStatus;

/// How long a scan may be away: its period on a slow clock, and a call.
const SCAN: Micros = 10_500_000;

/// How long a calm may take to put ticks in order: others' locks, starts, and a minimum hold of the longest kind.
const SETTLED: Micros = seconds(200);

/// How far apart the ticks of a delay of twenty seconds may be: another node's comes in between, and a failure.
const TICK: Micros = seconds(60);

/// How late an extension may land that its caller has given up.
const LATE: Micros = seconds(30);

/// How long until a run-once job is checked for missed slots, or a waiting slot tries again: on a slow clock, with calls.
const LOOK: TimeDelta = TimeDelta::seconds(20);

impl World {
    pub(super) fn foreign_take(&mut self, job: &str, holds: Micros) {
        let now = self.tables.now;
        let lock = self.tables.locks.get(job);
        if lock.is_some_and(|lock| lock.info.lock_until > now) {
            return;
        }
        let token = lock.map_or(0, |lock| lock.token);
        let info = shedlock::LockInfo {
            name: job.to_owned(),
            locked_at: now,
            lock_until: at(self.now + seconds(120)),
            locked_by: "java".to_owned(),
            held: true,
        };
        self.tables.locks.insert(
            job.to_owned(),
            super::tables::Lock {
                info,
                token,
                tail: None,
            },
        );
        self.judge.saw("foreign run");
        self.trace
            .step(self.now, "java", "takes", 0, || job.to_owned());
        let incident = Incident::ForeignRelease {
            job: job.to_owned(),
        };
        self.plan(self.now + holds, None, Event::Incident(incident));
    }

    pub(super) fn foreign_release(&mut self, job: &str) {
        let now = self.tables.now;
        self.tables.move_end(job, "java", now);
        self.trace
            .step(self.now, "java", "gives back", 0, || job.to_owned());
    }

    /// Dead runs must be found while anybody is well.
    pub(super) fn watch(&mut self) {
        let running = self
            .tables
            .runs
            .iter()
            .filter(|row| row.run.status == RunStatus::Running);
        let dead: Vec<i64> = running
            .filter(|row| self.tables.is_dead(row))
            .map(|row| row.run.id)
            .collect();
        let now = self.now;
        self.judge.dead_since.retain(|id, _| dead.contains(id));
        for id in dead {
            let since = *self.judge.dead_since.entry(id).or_insert(now);
            let well = self.seats.iter().find(|seat| seat.is_well_since(since));
            let name = well.map(|seat| seat.name.clone());
            let found = name.is_none() || now - since <= SCAN;
            self.judge.demand(Invariant::DeadAreFound, found, || {
                format!(
                    "run {id} is dead since {} s, and {name:?} is well",
                    since as f64 / 1e6
                )
            });
        }
    }

    /// Once a calm has put everything in order, a job with a delay runs again and again. What an earlier run holds on to its lock
    /// is in its way, and nothing else.
    pub(super) fn watch_ticks(&mut self, jobs: &[Plan]) {
        let now = self.now;
        let calm = |(from, to): &(Micros, Micros)| (from + SETTLED..*to).contains(&now);
        if !self.weather.calms.iter().any(calm) {
            return;
        }
        for plan in jobs.iter().filter(|plan| plan.kind == Kind::Ticking) {
            if self
                .tables
                .jobs
                .get(&plan.name)
                .is_some_and(|job| job.paused)
            {
                continue;
            }
            let since = now - self.judge.begun_at.get(&plan.name).copied().unwrap_or(0);
            let bound = TICK + plan.at_least.as_micros() as u64;
            self.judge.demand(Invariant::TicksGoOn, since <= bound, || {
                format!("{} has not begun for {} s", plan.name, since as f64 / 1e6)
            });
        }
    }

    /// A run that is over must not stay RUNNING, though its lock may be held on: a lease at most, and one scan.
    pub(super) fn watch_over(&mut self, jobs: &[Plan]) {
        let now = self.now;
        let over: Vec<_> = self
            .judge
            .over
            .iter()
            .map(|(id, since)| (*id, *since))
            .collect();
        for (id, since) in over {
            let row = self.tables.row(id);
            let Some(row) = row.filter(|row| row.run.status == RunStatus::Running) else {
                self.judge.over.remove(&id);
                continue;
            };
            let plan = jobs.iter().find(|plan| plan.name == row.run.job_name);
            let lease = plan.map_or(0, |plan| plan.lease.as_micros() as u64);
            let free = since + lease + LATE;
            let found =
                now <= free + SCAN || !self.seats.iter().any(|seat| seat.is_well_since(free));
            self.judge.demand(Invariant::DeadAreFound, found, || {
                format!("run {id} is over since {} s", since as f64 / 1e6)
            });
        }
    }

    /// After a stop, no lock is taken for longer than its minimum hold, but for that of a run whose end could not be recorded. It
    /// is left to lapse with its lease, so that the run is found dead by then.
    pub(super) fn check_given_back(&mut self, node: usize, jobs: &[Plan]) {
        let seat = &self.seats[node];
        let undisturbed = |since: Micros| seat.foul_until < since && seat.resumed_at < since;
        if !seat.stopping_since.is_some_and(undisturbed) {
            return;
        }
        let prefix = format!("{}:", seat.name);
        for plan in jobs {
            let Some(lock) = self.tables.locks.get(&plan.name) else {
                continue;
            };
            let info = &lock.info;
            let tail = lock.tail.unwrap_or(info.locked_at);
            let least = info.locked_at + plan.at_least;
            let bound = self.tables.now.max(least).max(tail);
            let unrecorded = self.tables.owner(&info.name, &info.locked_by);
            let unrecorded = unrecorded.is_some_and(|row| row.run.status == RunStatus::Running);
            let bound = if unrecorded {
                bound.max(self.tables.now + plan.lease)
            } else {
                bound
            };
            let given_back = !info.locked_by.starts_with(&prefix) || info.lock_until <= bound;
            let details = || {
                format!(
                    "{} is held until {} by {}",
                    info.name, info.lock_until, info.locked_by
                )
            };
            self.judge
                .demand(Invariant::StopGivesBack, given_back, details);
        }
    }

    /// What a calm must have put in order: `ahead` are the clocks furthest behind and ahead.
    pub(super) fn check_calm(
        &mut self,
        began: DateTime<Utc>,
        ahead: (TimeDelta, TimeDelta),
        jobs: &[Plan],
    ) {
        for plan in jobs.iter().filter(|plan| plan.kind != Kind::Ticking) {
            if plan.misfire == Misfire::RunOnce {
                self.check_newest(plan, ahead);
            }
            self.check_calm_slots(plan, began, ahead);
        }
    }

    /// The newest slot of a run-once job has succeeded, had its attempts, or is nobody's debt.
    fn check_newest(&mut self, plan: &Plan, (behind, ahead): (TimeDelta, TimeDelta)) {
        // Everybody's clock has shown the slot, and a check for it is over.
        let due = self.tables.now + behind - LOOK - plan.at_least;
        let Some(slot) = plan.trigger.newest_due(due - TimeDelta::days(1), due) else {
            return;
        };
        let name = &plan.name;
        let job = self.tables.jobs.get(name).copied().unwrap_or_default();
        let reached = |t: Option<DateTime<Utc>>| t.is_some_and(|t| slot <= t);
        let newer = self
            .tables
            .scheduled(name)
            .any(|row| row.run.scheduled_at > slot);
        if newer || job.paused || reached(job.foreign_slot) {
            return;
        }
        let last = self
            .tables
            .slot_rows(name, slot)
            .max_by_key(|row| row.run.attempt);
        let settled = match last.map(|row| &row.run) {
            None => {
                let older = self
                    .tables
                    .scheduled(name)
                    .any(|row| row.run.scheduled_at < slot);
                reached(job.resumed_at) || (reached(job.created_at) && !older)
            }
            Some(run) => match run.status {
                RunStatus::Succeeded => true,
                // The dead are looked for elsewhere.
                RunStatus::Running => true,
                RunStatus::Failed | RunStatus::Abandoned => {
                    let pause = TimeDelta::minutes(5) + LOOK + ahead - behind;
                    run.attempt == 3
                        || run.finished_at.is_none_or(|end| {
                            self.tables.now + ahead - end < pause + ahead - behind
                        })
                }
            },
        };
        let last = last.map(|row| (row.run.attempt, row.run.status));
        self.judge.saw("newest slot checked");
        self.judge.demand(Invariant::NothingForgotten, settled, || {
            format!("{name} {slot}: {last:?}")
        });
    }

    /// A slot that came in the calm was run, unless a run was in its way.
    fn check_calm_slots(
        &mut self,
        plan: &Plan,
        began: DateTime<Utc>,
        (behind, ahead): (TimeDelta, TimeDelta),
    ) {
        let from = began + ahead + TimeDelta::seconds(60);
        let to = self.tables.now + behind - LOOK;
        let name = &plan.name;
        if plan.at_least.as_secs() >= 60
            || matches!(
                plan.kind,
                Kind::Long | Kind::Trusting | Kind::UntilCancelled
            )
            || self.tables.jobs.get(name).is_some_and(|job| job.paused)
        {
            return;
        }
        let mut slot = from;
        while let Some(next) = plan.trigger.next_after(slot).filter(|next| *next < to) {
            slot = next;
            let ran = self.tables.slot_rows(name, slot).next().is_some();
            self.judge
                .demand(Invariant::CalmSlotsRun, ran, || format!("{name} {slot}"));
        }
    }
}
