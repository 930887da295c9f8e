//! The newest slot of a run-once job that nobody ran.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DbErr;

use crate::core::{Core, Registered};
use crate::error::{SchedulerError, chain};
use crate::event::Event;
use crate::model::{Cause, Run, RunStatus};
use crate::run::claim::{Ask, Claim};

/// How many attempts a slot gets.
const ATTEMPTS: u32 = 3;
/// How far apart they are.
const APART: TimeDelta = TimeDelta::minutes(5);

impl Core {
    /// Runs the newest slot if it is owed, and only that one.
    pub(crate) async fn catch_up(&self, registered: &Registered, waiting: Option<DateTime<Utc>>) {
        if let Err(error) = self.try_catch_up(registered, waiting).await {
            tracing::warn!(
                job = registered.job.name,
                error = chain(&error),
                "could not look for a missed slot; will look again"
            );
        }
        self.announce(Event::LookedBack {
            job: registered.job.name.clone(),
        });
    }

    async fn try_catch_up(
        &self,
        registered: &Registered,
        waiting: Option<DateTime<Utc>>,
    ) -> Result<(), SchedulerError> {
        let now = self.now();
        let Some(slot) = registered.newest_slot(now) else {
            return Ok(());
        };
        if waiting == Some(slot) {
            return Ok(());
        }
        let Some(attempt) = self.owed(&registered.job.name, slot, now).await? else {
            return Ok(());
        };
        match self
            .claim(
                registered,
                Ask {
                    slot,
                    cause: Cause::CatchUp,
                    attempt,
                },
            )
            .await?
        {
            Claim::Won(claimed) => {
                tracing::info!(job = registered.job.name, %slot, attempt, "catching up on a slot that was missed or came to nothing");
                self.execute(registered, *claimed).await;
            }
            Claim::Settled(because) => {
                self.announce(Event::Passed {
                    job: registered.job.name.clone(),
                    slot,
                    because,
                });
            }
            Claim::Held { .. } | Claim::Slipped => {}
        }
        Ok(())
    }

    /// The attempt that the slot is owed now, if any.
    async fn owed(
        &self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<u32>, DbErr> {
        // A schedule that was changed may look back to before what the old one has run.
        if self.store.ran_since(name, slot).await? {
            return Ok(None);
        }
        let runs = self.store.slot_runs(name, slot).await?;
        if !runs.is_empty() {
            return Ok(next_attempt(&runs, now));
        }
        // Judged in one reading of the row: a resume that comes between two would turn what was skipped into a debt.
        let job = self.store.job(name).await?.unwrap_or_default();
        let reached = |t: Option<DateTime<Utc>>| t.is_some_and(|t| slot <= t);
        if job.paused || reached(job.resumed_at) || reached(job.foreign_slot) {
            return Ok(None);
        }
        let before_its_time = reached(job.created_at);
        Ok((!before_its_time || self.store.ran_before(name, slot).await?).then_some(1))
    }
}

/// After attempts that all came to nothing: the next one, once the pause since the last one's end is over.
fn next_attempt(runs: &[Run], now: DateTime<Utc>) -> Option<u32> {
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
            next_attempt(&runs, now)
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
}
