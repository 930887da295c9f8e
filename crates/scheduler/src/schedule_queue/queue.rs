//! When each job is due next. An idle job is an entry in here and nothing else: no task, no timer.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::cursor::{SlotCursor, StepResult};
use super::misfire_check::{Candidate, CatchUps, Judged, MisfireCheck};
use super::wake_up::WakeUp;
use crate::registered::Registered;

/// How often the jobs that catch up are checked for missed slots.
const CHECK_INTERVAL: TimeDelta = TimeDelta::seconds(15);

/// The jobs of a scheduler that was started, by index.
#[derive(Debug)]
pub(crate) struct ScheduleQueue {
    entries: Vec<Option<Entry>>,
    /// Of the idle jobs.
    due: BTreeSet<(DateTime<Utc>, usize)>,
    /// The jobs that catch up, and when all of them are checked next.
    catching_up: Vec<usize>,
    check_at: DateTime<Utc>,
    /// Those to be checked as soon as no check is in flight.
    to_check: BTreeSet<usize>,
    checking: bool,
    /// By how much the clock was set back in all.
    set_back: TimeDelta,
}

#[derive(Debug)]
struct Entry {
    /// None while a step is in flight.
    cursor: Option<SlotCursor>,
    /// How many steps it has made. What was judged before a step says nothing after it.
    steps: u32,
    /// Wake-ups that came during a step.
    run_ended: bool,
    requested: bool,
    /// The clock was set back during a step.
    set_back: bool,
    /// A check came during a step.
    check_owed: bool,
    /// Whether a slot may have been missed. Not once the newest slots were seen to be done, until there is a newer one.
    open: bool,
    catches_up: bool,
}

impl Entry {
    fn new(registered: &Registered, began: DateTime<Utc>) -> Self {
        let catches_up = registered.job.misfire.slots() > 0;
        Self {
            cursor: Some(SlotCursor::first(registered, began)),
            steps: 0,
            run_ended: false,
            requested: false,
            set_back: false,
            check_owed: false,
            open: catches_up,
            catches_up,
        }
    }
}

impl ScheduleQueue {
    /// Of those of the jobs that are `started` here, from `began` on.
    pub(crate) fn new(jobs: &[Registered], started: &[usize], began: DateTime<Utc>) -> Self {
        let mut entries: Vec<_> = jobs.iter().map(|_| None).collect();
        let mut due = BTreeSet::new();
        let mut catching_up = Vec::new();
        for &index in started {
            let entry = Entry::new(&jobs[index], began);
            due.extend(entry.cursor.map(|cursor| (cursor.due_at(), index)));
            if entry.catches_up {
                catching_up.push(index);
            }
            entries[index] = Some(entry);
        }
        Self {
            entries,
            due,
            catching_up,
            check_at: began,
            to_check: BTreeSet::new(),
            checking: false,
            set_back: TimeDelta::zero(),
        }
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> DateTime<Utc> {
        let check = (!self.checking && !self.catching_up.is_empty()).then_some(self.check_at);
        let job = self.due.first().map(|(at, _)| *at);
        let next = [check, job].into_iter().flatten().min();
        next.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The jobs that are due, in the order of their times. Each is busy until its [step ends](Self::finish_step).
    pub(crate) fn pop_due(&mut self, now: DateTime<Utc>) -> Vec<(usize, SlotCursor)> {
        let mut popped = Vec::new();
        while let Some(&(at, index)) = self.due.first()
            && at <= now
        {
            if let Some(cursor) = self.begin_step(index) {
                popped.push((index, cursor));
            }
        }
        popped
    }

    fn begin_step(&mut self, index: usize) -> Option<SlotCursor> {
        let entry = self.entries.get_mut(index)?.as_mut()?;
        let cursor = entry.cursor.take()?;
        self.due.remove(&(cursor.due_at(), index));
        entry.steps = entry.steps.wrapping_add(1);
        Some(cursor)
    }

    /// A step of the job has ended.
    pub(crate) fn finish_step(
        &mut self,
        registered: &Registered,
        step: StepResult,
        now: DateTime<Utc>,
    ) {
        let index = registered.index;
        let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut cursor = step.cursor;
        if std::mem::take(&mut entry.set_back) {
            cursor.plan_anew(registered, now, self.set_back);
        }
        let wake_ups = [
            (std::mem::take(&mut entry.run_ended), WakeUp::RunEnded),
            (std::mem::take(&mut entry.requested), WakeUp::Requested),
        ];
        for (_, wake_up) in wake_ups.into_iter().filter(|(came, _)| *came) {
            cursor.wake(wake_up, now);
        }
        entry.open |= step.newer && entry.catches_up;
        if std::mem::take(&mut entry.check_owed) || (step.missed && entry.catches_up) {
            self.to_check.insert(index);
        }
        self.due.insert((cursor.due_at(), index));
        entry.cursor = Some(cursor);
    }

    /// The clock was set back to `now`, by so much: whatever waits for a time waits for it by the clock as it is.
    pub(crate) fn plan_anew(&mut self, jobs: &[Registered], now: DateTime<Utc>, by: TimeDelta) {
        self.set_back += by;
        self.check_at = self.check_at.min(now + CHECK_INTERVAL);
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let (Some(entry), Some(registered)) = (entry, jobs.get(index)) else {
                continue;
            };
            let Some(cursor) = &mut entry.cursor else {
                entry.set_back = true;
                continue;
            };
            self.due.remove(&(cursor.due_at(), index));
            cursor.plan_anew(registered, now, self.set_back);
            self.due.insert((cursor.due_at(), index));
        }
    }

    /// Something wants the job to be stepped now.
    pub(crate) fn wake(&mut self, index: usize, wake_up: WakeUp, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        match (&mut entry.cursor, wake_up) {
            (Some(cursor), _) => {
                self.due.remove(&(cursor.due_at(), index));
                cursor.wake(wake_up, now);
                self.due.insert((cursor.due_at(), index));
            }
            (None, WakeUp::RunEnded) => entry.run_ended = true,
            (None, WakeUp::Requested) => entry.requested = true,
        }
    }

    /// The check for missed slots that is due, if none is in flight. It is over when it is
    /// [finished](Self::finish_check).
    pub(crate) fn begin_check(&mut self, now: DateTime<Utc>) -> Option<MisfireCheck> {
        if self.checking {
            return None;
        }
        if self.check_at <= now {
            self.check_at = now + CHECK_INTERVAL;
            self.to_check.extend(&self.catching_up);
        }
        let mut check = MisfireCheck::default();
        for index in std::mem::take(&mut self.to_check) {
            let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            match &entry.cursor {
                None => entry.check_owed = true,
                Some(_) if !entry.open => check.settled.push(index),
                Some(cursor) => check.candidates.push(Candidate {
                    job: index,
                    steps: entry.steps,
                    waiting: cursor.waiting(),
                }),
            }
        }
        self.checking = !check.candidates.is_empty();
        Some(check)
    }

    /// What a check found. Jobs that took a step meanwhile are checked again.
    pub(crate) fn finish_check(&mut self, judged: Vec<Judged>) -> CatchUps {
        self.checking = false;
        let mut catch_ups = CatchUps::default();
        for Judged { candidate, verdict } in judged {
            let index = candidate.job;
            let Some(entry) = self.entries.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            if entry.steps != candidate.steps || entry.cursor.is_none() {
                self.to_check.insert(index);
                continue;
            }
            entry.open = verdict.open;
            if verdict.owed.is_empty() {
                catch_ups.settled.push(index);
            } else if let Some(cursor) = self.begin_step(index) {
                catch_ups.owed.push((index, cursor, verdict));
            }
        }
        catch_ups
    }
}
