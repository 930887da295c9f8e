//! Missed slots, of jobs that catch up: checked for all jobs at once, then run one by one.

use chrono::{DateTime, Utc};
use ground::chain;

use super::owed::judge;
use crate::core::Core;
use crate::error::SchedulerError;
use crate::event::Event;
use crate::model::{Cause, Run, RunRequest};
use crate::registered::Registered;
use crate::runs::Claim;
use crate::schedule_queue::{Candidate, Judged, SlotCursor, StepResult, Verdict};
use crate::store::{History, SlotQuery};

/// A check of more jobs than this announces only those that were owed a run. Listeners would not follow so many
/// announcements at once.
const MOST_ANNOUNCED: usize = 64;

/// What became of a slot that was owed.
enum CaughtUp {
    Ran(Run),
    Passed,
    Locked,
}

impl Core {
    /// Judges which slots the candidates have missed, all of them by one reading of the tables.
    pub(crate) async fn check_misfires(
        &self,
        candidates: Vec<Candidate>,
        now: DateTime<Utc>,
    ) -> Vec<Judged> {
        let queries = self.slot_queries(&candidates, now);
        let asked: Vec<_> = queries
            .iter()
            .filter(|query| !query.slots.is_empty())
            .cloned()
            .collect();
        let mut histories = self.histories(&asked).await.map(Vec::into_iter);
        let judge = |query: &SlotQuery<'_>| match &mut histories {
            Some(histories) if !query.slots.is_empty() => {
                judge(&query.slots, &histories.next().unwrap_or_default(), now)
            }
            _ => Verdict {
                owed: Vec::new(),
                open: true,
            },
        };
        let verdicts: Vec<_> = queries.iter().map(judge).collect();
        let judged = candidates.into_iter().zip(verdicts);
        judged
            .map(|(candidate, verdict)| Judged { candidate, verdict })
            .collect()
    }

    fn slot_queries(&self, candidates: &[Candidate], now: DateTime<Utc>) -> Vec<SlotQuery<'_>> {
        let mut newest = Registered::newest_slots(now);
        let query = |candidate: &Candidate| {
            let registered = &self.jobs[candidate.job];
            let mut slots = newest(registered);
            slots.retain(|slot| candidate.waiting != Some(*slot));
            SlotQuery {
                job: &registered.job.name,
                slots,
            }
        };
        candidates.iter().map(query).collect()
    }

    /// None when the database did not say.
    async fn histories(&self, queries: &[SlotQuery<'_>]) -> Option<Vec<History>> {
        if queries.is_empty() {
            return Some(Vec::new());
        }
        match self.store.histories(queries).await {
            Ok(histories) => Some(histories),
            Err(error) => {
                tracing::warn!(
                    jobs = queries.len(),
                    error = chain(&error),
                    "could not check for missed slots; will check again"
                );
                None
            }
        }
    }

    /// Runs the missed slots of a job, one after the other. What cannot be claimed now is checked again.
    pub(crate) async fn catch_up(
        &self,
        registered: &Registered,
        cursor: SlotCursor,
        verdict: Verdict,
    ) -> StepResult {
        let mut runs = Vec::new();
        for (slot, attempt) in verdict.owed {
            if self.stopping.is_cancelled() {
                break;
            }
            match self.catch_up_on(registered, slot, attempt).await {
                Ok(CaughtUp::Ran(run)) => runs.push(run),
                Ok(CaughtUp::Passed) => {}
                Ok(CaughtUp::Locked) => break,
                Err(error) => {
                    tracing::warn!(
                        job = registered.job.name,
                        %slot,
                        error = chain(&error),
                        "could not catch up on a missed slot; will check again"
                    );
                    break;
                }
            }
        }
        self.announce(Event::MisfiresChecked {
            job: registered.job.name.clone(),
        });
        StepResult {
            cursor,
            newer: false,
            missed: false,
            runs,
        }
    }

    async fn catch_up_on(
        &self,
        registered: &Registered,
        slot: DateTime<Utc>,
        attempt: u32,
    ) -> Result<CaughtUp, SchedulerError> {
        let request = RunRequest {
            slot,
            cause: Cause::CatchUp,
            attempt,
        };
        Ok(match self.claim(registered, request).await? {
            Claim::Won(claimed) => {
                tracing::info!(job = registered.job.name, %slot, attempt, "catching up on a slot that was missed or came to nothing");
                CaughtUp::Ran(self.execute(registered, *claimed).await)
            }
            Claim::Passed(because) => {
                self.passed(registered, slot, because);
                CaughtUp::Passed
            }
            Claim::Locked { .. } | Claim::LostLock => CaughtUp::Locked,
        })
    }

    /// Announces that there is nothing to do for jobs that were checked.
    pub(crate) fn announce_misfires_checked(&self, jobs: &[usize]) {
        if jobs.len() > MOST_ANNOUNCED {
            return;
        }
        for index in jobs {
            self.announce(Event::MisfiresChecked {
                job: self.jobs[*index].job.name.clone(),
            });
        }
    }
}
