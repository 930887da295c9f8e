//! Which missed slots are owed a run: decided from what the tables say, without asking anybody.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Run, RunStatus};
use crate::schedule_queue::Verdict;
use crate::store::{History, ScheduleChange};
use crate::trigger::Trigger;

/// How many attempts a slot gets.
const ATTEMPTS: u32 = 3;
/// How far the next is from one that failed.
const APART: TimeDelta = TimeDelta::minutes(5);

/// Which of these slots, the newest first, are owed a run.
pub(super) fn judge(slots: &[DateTime<Utc>], history: &History, now: DateTime<Utc>) -> Verdict {
    let mut verdict = Verdict {
        owed: Vec::new(),
        open: false,
    };
    let previous = history.change.as_ref().map(Previous::of);
    for &slot in slots.iter().rev() {
        let reached = |t: Option<DateTime<Utc>>| t.is_some_and(|t| slot <= t);
        // A changed schedule may have slots from before what the old schedule has run.
        if reached(history.newest_other) {
            continue;
        }
        let runs = history.runs.iter().filter(|run| run.scheduled_at == slot);
        let runs: Vec<_> = runs.collect();
        let row = &history.row;
        let attempt = if !runs.is_empty() {
            verdict.open |= may_come_to_nothing(&runs);
            next_attempt(&runs, now)
        } else if reached(row.resumed_at)
            || reached(row.foreign_slot)
            || previous
                .as_ref()
                .is_some_and(|previous| previous.lacks(slot))
        {
            None
        } else if row.paused {
            verdict.open = true;
            None
        } else {
            let before_its_time = reached(row.created_at);
            let known_before = history.oldest.is_some_and(|oldest| oldest < slot);
            (!before_its_time || known_before).then_some(1)
        };
        verdict.open |= attempt.is_some();
        verdict.owed.extend(attempt.map(|attempt| (slot, attempt)));
    }
    verdict
}

/// The schedule that a job had before its last change.
struct Previous {
    until: DateTime<Utc>,
    trigger: Option<Trigger>,
}

impl Previous {
    fn of(change: &ScheduleChange) -> Self {
        Self {
            until: change.since,
            trigger: Trigger::from_slots_text(&change.previous),
        }
    }

    /// Whether the slot comes from before the change, and the schedule of that time did not have it: nobody missed it.
    fn lacks(&self, slot: DateTime<Utc>) -> bool {
        let had = |trigger: &Trigger| {
            let before = slot - TimeDelta::microseconds(1);
            trigger.newest_due(before, slot).is_some()
        };
        slot <= self.until && !self.trigger.as_ref().is_some_and(had)
    }
}

/// Whether another attempt may be due later.
fn may_come_to_nothing(runs: &[&Run]) -> bool {
    let last = runs.iter().map(|run| run.attempt).max();
    last.is_some_and(|last| last < ATTEMPTS)
        && !runs.iter().any(|run| run.status == RunStatus::Succeeded)
}

/// After attempts that all came to nothing: the next one. After a failure it waits for the pause since the last one's end.
/// A run whose node died is taken up as soon as it was found dead: what it waited for was its lease.
fn next_attempt(runs: &[&Run], now: DateTime<Utc>) -> Option<u32> {
    let last = runs.iter().max_by_key(|run| run.attempt)?;
    let ended = runs.iter().map(|run| match run.status {
        RunStatus::Failed | RunStatus::Abandoned => run.finished_at,
        RunStatus::Running | RunStatus::Succeeded => None,
    });
    let latest = ended.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let passed = now - latest;
    // An end that lies ahead by more than the pause: the clock was set back since.
    let is_due = last.status == RunStatus::Abandoned || passed >= APART || passed < -APART;
    (last.attempt < ATTEMPTS && is_due).then_some(last.attempt + 1)
}

#[cfg(test)]
mod tests;
