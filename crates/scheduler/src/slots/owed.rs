//! Which missed slots are owed a run: decided from what the tables say, without asking anybody.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Run, RunStatus};
use crate::schedule_queue::Verdict;
use crate::store::History;

/// How many attempts a slot gets.
const ATTEMPTS: u32 = 3;
/// How far apart they are.
const APART: TimeDelta = TimeDelta::minutes(5);

/// Which of these slots, the newest first, are owed a run.
pub(super) fn judge(slots: &[DateTime<Utc>], history: &History, now: DateTime<Utc>) -> Verdict {
    let mut verdict = Verdict {
        owed: Vec::new(),
        open: false,
    };
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
        } else if reached(row.resumed_at) || reached(row.foreign_slot) {
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

/// Whether another attempt may be due later.
fn may_come_to_nothing(runs: &[&Run]) -> bool {
    let last = runs.iter().map(|run| run.attempt).max();
    last.is_some_and(|last| last < ATTEMPTS)
        && !runs.iter().any(|run| run.status == RunStatus::Succeeded)
}

/// After attempts that all came to nothing: the next one, once the pause since the last one's end is over.
fn next_attempt(runs: &[&Run], now: DateTime<Utc>) -> Option<u32> {
    let last = runs.iter().map(|run| run.attempt).max()?;
    let ended = runs.iter().map(|run| match run.status {
        RunStatus::Failed | RunStatus::Abandoned => run.finished_at,
        RunStatus::Running | RunStatus::Succeeded => None,
    });
    let latest = ended.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    (last < ATTEMPTS && now - latest >= APART).then_some(last + 1)
}

#[cfg(test)]
mod tests;
