//! Slots that nobody ran in time, of jobs that make up for them.

use chrono::{DateTime, TimeDelta, Utc};
use ground::chain;

use crate::core::{Core, Registered};
use crate::error::SchedulerError;
use crate::event::Event;
use crate::model::{Cause, Run, RunStatus};
use crate::run::claim::{Ask, Claim};
use crate::store::{Asked, History};
use crate::ticking::{Beat, Stepped};

/// How many attempts a slot gets.
const ATTEMPTS: u32 = 3;
/// How far apart they are.
const APART: TimeDelta = TimeDelta::minutes(5);

/// A job that may owe a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) job: usize,
    /// How many steps it had made.
    pub(crate) steps: u32,
    /// Its slot that waits is not missed yet.
    pub(crate) waiting: Option<DateTime<Utc>>,
}

/// What is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The slots that are to run now, the oldest first, and the attempt that each is due.
    pub(crate) owed: Vec<(DateTime<Utc>, u32)>,
    /// Whether more may be owed before there is a newer slot.
    pub(crate) open: bool,
}

#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) candidate: Candidate,
    pub(crate) verdict: Verdict,
}

impl Core {
    /// Judges what jobs owe, all of them by one reading of the tables.
    pub(crate) async fn look_back(
        &self,
        candidates: Vec<Candidate>,
        now: DateTime<Utc>,
    ) -> Vec<Judged> {
        let mut newest = Registered::newest_slots(now);
        let asked: Vec<_> = candidates
            .iter()
            .map(|candidate| {
                let registered = &self.jobs[candidate.job];
                let mut slots = newest(registered);
                slots.retain(|slot| candidate.waiting != Some(*slot));
                Asked {
                    job: &registered.job.name,
                    slots,
                }
            })
            .collect();
        let some: Vec<_> = asked
            .iter()
            .filter(|asked| !asked.slots.is_empty())
            .cloned()
            .collect();
        let histories = if some.is_empty() {
            Ok(Vec::new())
        } else {
            self.store.histories(&some).await
        };
        let mut histories = match histories {
            Ok(histories) => Some(histories.into_iter()),
            Err(error) => {
                tracing::warn!(
                    jobs = some.len(),
                    error = chain(&error),
                    "could not look for missed slots; will look again"
                );
                None
            }
        };
        let judge = |asked: &Asked<'_>| match &mut histories {
            Some(histories) if !asked.slots.is_empty() => {
                judge(&asked.slots, &histories.next().unwrap_or_default(), now)
            }
            _ => Verdict {
                owed: Vec::new(),
                open: true,
            },
        };
        let verdicts: Vec<_> = asked.iter().map(judge).collect();
        let judged = candidates.into_iter().zip(verdicts);
        judged
            .map(|(candidate, verdict)| Judged { candidate, verdict })
            .collect()
    }

    /// Runs what a job owes, one slot after the other. What cannot be taken now is looked at again.
    pub(crate) async fn catch_up(
        &self,
        registered: &Registered,
        beat: Beat,
        verdict: Verdict,
    ) -> Stepped {
        let mut runs = Vec::new();
        for (slot, attempt) in verdict.owed {
            if self.stopping.is_cancelled() {
                break;
            }
            match self.make_up_for(registered, slot, attempt).await {
                Ok(Made::Run(run)) => runs.push(run),
                Ok(Made::Nothing) => {}
                Ok(Made::Locked) => break,
                Err(error) => {
                    tracing::warn!(
                        job = registered.job.name,
                        %slot,
                        error = chain(&error),
                        "could not make up for a missed slot; will look again"
                    );
                    break;
                }
            }
        }
        self.announce(Event::LookedBack {
            job: registered.job.name.clone(),
        });
        Stepped {
            beat,
            newer: false,
            missed: false,
            runs,
        }
    }

    async fn make_up_for(
        &self,
        registered: &Registered,
        slot: DateTime<Utc>,
        attempt: u32,
    ) -> Result<Made, SchedulerError> {
        let ask = Ask {
            slot,
            cause: Cause::CatchUp,
            attempt,
        };
        Ok(match self.claim(registered, ask).await? {
            Claim::Won(claimed) => {
                tracing::info!(job = registered.job.name, %slot, attempt, "catching up on a slot that was missed or came to nothing");
                Made::Run(self.execute(registered, *claimed).await)
            }
            Claim::Settled(because) => {
                self.passed(registered, slot, because);
                Made::Nothing
            }
            Claim::Held { .. } | Claim::Slipped => Made::Locked,
        })
    }
}

/// What became of a slot that was owed.
enum Made {
    Run(Run),
    Nothing,
    Locked,
}

/// What is owed of these slots, the newest first.
fn judge(slots: &[DateTime<Utc>], history: &History, now: DateTime<Utc>) -> Verdict {
    let mut verdict = Verdict {
        owed: Vec::new(),
        open: false,
    };
    for &slot in slots.iter().rev() {
        let reached = |t: Option<DateTime<Utc>>| t.is_some_and(|t| slot <= t);
        // A schedule that was changed may look back to before what the old one has run.
        if reached(history.stranger) {
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
mod tests {
    use super::*;
    use crate::store::JobRow;

    fn run(
        attempt: u32,
        status: RunStatus,
        ended_minutes_ago: Option<i64>,
        now: DateTime<Utc>,
    ) -> Run {
        Run {
            id: i64::from(attempt),
            job_name: "job".into(),
            scheduled_at: now - TimeDelta::hours(1),
            started_at: now - TimeDelta::hours(1),
            finished_at: ended_minutes_ago.map(|minutes| now - TimeDelta::minutes(minutes)),
            node: "node".into(),
            attempt,
            status,
            cause: Cause::Schedule,
            affected: 0,
            retries: 0,
            error: None,
        }
    }

    #[test]
    fn a_slot_is_tried_again_only_after_its_attempts_came_to_nothing_and_five_minutes_passed() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let next = |runs: &[(u32, RunStatus, Option<i64>)]| {
            let runs: Vec<_> = runs
                .iter()
                .map(|(n, status, ended)| run(*n, *status, *ended, now))
                .collect();
            next_attempt(&runs.iter().collect::<Vec<_>>(), now)
        };
        assert_eq!(next(&[(1, RunStatus::Failed, Some(5))]), Some(2));
        assert_eq!(next(&[(1, RunStatus::Abandoned, Some(6))]), Some(2));
        assert_eq!(next(&[(1, RunStatus::Failed, Some(4))]), None);
        assert_eq!(next(&[(1, RunStatus::Running, None)]), None);
        assert_eq!(
            next(&[
                (1, RunStatus::Failed, Some(50)),
                (2, RunStatus::Succeeded, Some(40))
            ]),
            None
        );
        assert_eq!(
            next(&[
                (1, RunStatus::Failed, Some(50)),
                (2, RunStatus::Abandoned, Some(5))
            ]),
            Some(3)
        );
        assert_eq!(
            next(&[
                (1, RunStatus::Failed, Some(60)),
                (2, RunStatus::Failed, Some(50)),
                (3, RunStatus::Failed, Some(40))
            ]),
            None
        );
    }

    fn slots(now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        (1..=4).map(|n| now - TimeDelta::hours(n)).collect()
    }

    #[test]
    fn every_slot_without_a_run_is_owed_the_oldest_first() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let slots = slots(now);
        let mut ran = run(1, RunStatus::Succeeded, Some(30), now);
        ran.scheduled_at = slots[1];
        let history = History {
            oldest: Some(slots[3] - TimeDelta::hours(1)),
            runs: vec![ran],
            ..History::default()
        };
        let verdict = judge(&slots, &history, now);
        assert_eq!(verdict.owed, [(slots[3], 1), (slots[2], 1), (slots[0], 1)]);
        assert!(verdict.open);
    }

    #[test]
    fn what_lies_before_a_resume_a_foreign_run_the_jobs_first_start_or_another_schedules_run_is_not_owed()
     {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let slots = slots(now);
        let until = Some(slots[1]);
        let row = |row| History {
            row,
            ..History::default()
        };
        let histories = [
            row(JobRow {
                resumed_at: until,
                ..JobRow::default()
            }),
            row(JobRow {
                foreign_slot: until,
                ..JobRow::default()
            }),
            row(JobRow {
                created_at: until,
                ..JobRow::default()
            }),
            History {
                stranger: until,
                ..History::default()
            },
        ];
        for history in histories {
            assert_eq!(
                judge(&slots, &history, now).owed,
                [(slots[0], 1)],
                "{history:?}"
            );
        }
        let paused = row(JobRow {
            paused: true,
            ..JobRow::default()
        });
        assert_eq!(
            judge(&slots, &paused, now),
            Verdict {
                owed: vec![],
                open: true
            }
        );
    }

    #[test]
    fn a_job_is_settled_when_its_slots_ran_or_came_to_nothing_for_good_and_open_while_one_runs() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let slot = now - TimeDelta::hours(1);
        let open = |runs: &[(u32, RunStatus)]| {
            let ended = |status| (status != RunStatus::Running).then_some(1);
            let runs = runs
                .iter()
                .map(|(n, status)| run(*n, *status, ended(*status), now));
            let history = History {
                runs: runs.collect(),
                ..History::default()
            };
            let verdict = judge(&[slot], &history, now);
            assert_eq!(verdict.owed, []);
            verdict.open
        };
        use RunStatus::{Abandoned, Failed, Running, Succeeded};
        assert!(!open(&[(1, Succeeded)]));
        assert!(!open(&[(1, Failed), (2, Succeeded)]));
        assert!(!open(&[(1, Failed), (2, Abandoned), (3, Failed)]));
        assert!(open(&[(1, Running)]));
        assert!(open(&[(1, Failed)]));
        assert!(open(&[(1, Failed), (2, Abandoned)]));
    }
}
