//! The loop of one job: its slots as they come, those that wait for a lock, and those that were missed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::{Core, Registered};
use crate::error::chain;
use crate::event::{Event, Passed};
use crate::job::{Misfire, Record, Scope};
use crate::model::Cause;
use crate::run::claim::{Ask, Claim};

/// A slot noticed later than this was missed: its misfire policy decides.
const IN_TIME: TimeDelta = TimeDelta::seconds(60);
/// How often a slot that waits for a lock or the database asks again.
const ASK_AGAIN: TimeDelta = TimeDelta::seconds(1);
/// How often a run-once job looks for a missed slot.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(15);

/// What became of a slot.
enum Slot {
    Settled,
    Waits,
}

impl Core {
    /// Runs the slots of a cron or fixed-rate job after `began`, until the scheduler stops.
    pub(crate) async fn keep_slots(&self, registered: &Registered, began: DateTime<Utc>) {
        let trigger = &registered.job.trigger;
        let run_once = registered.job.misfire == Misfire::RunOnce;
        // A slot just before, whose start jitter has put off until now, is still to come.
        let mut waiting = trigger.put_off(&registered.job.name, began);
        let mut seen = began;
        let mut look_back = began;
        while !self.stopping.is_cancelled() {
            // Registered before the lock is looked at, so that a run that ends meanwhile is not missed.
            let ended = registered.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();

            // Read once: what comes next counts from here, however long the steps below take.
            let now = self.now();
            if let Some(slot) = trigger.newest_due(seen, now) {
                seen = slot;
                if let Some(superseded) = waiting.take() {
                    self.passed(registered, superseded, Passed::Superseded);
                }
                if now - registered.start_of(slot) <= IN_TIME {
                    waiting = Some(slot);
                } else {
                    self.passed(registered, slot, Passed::TooLate);
                    look_back = slot;
                }
            }
            let start = waiting.map(|slot| registered.start_of(slot));
            if let Some(slot) = waiting.filter(|_| start <= Some(now))
                && let Slot::Settled = self.slot(registered, slot).await
            {
                waiting = None;
                // The run may have outlived the next slot.
                continue;
            }
            if run_once && look_back <= now {
                self.catch_up(registered, waiting).await;
                look_back = now + LOOK_BACK;
                continue;
            }
            let times = [
                trigger.next_after(seen),
                start.map(|start| if start > now { start } else { now + ASK_AGAIN }),
                run_once.then_some(look_back),
            ];
            let next = times
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(DateTime::<Utc>::MAX_UTC);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = &mut ended, if waiting.is_some() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Runs a fixed-delay job: at once, then after each delay from the end of the last run, or when woken.
    pub(crate) async fn keep_delay(&self, registered: &Registered, began: DateTime<Utc>) {
        let mut slot = began;
        while !self.stopping.is_cancelled() {
            // A tick that finds the lock held is another node's: the next one comes soon enough.
            self.slot(registered, slot).await;
            let next = registered
                .job
                .trigger
                .next_after(self.now())
                .unwrap_or(DateTime::<Utc>::MAX_UTC);
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                // Before the timer: when both are due, one run answers both.
                () = registered.wake.notified() => slot = self.now(),
                () = self.clock.sleep_until(registered.start_of(next)) => slot = next,
            }
        }
    }

    async fn slot(&self, registered: &Registered, slot: DateTime<Utc>) -> Slot {
        let job = &registered.job;
        match self
            .claim(
                registered,
                Ask {
                    slot,
                    cause: Cause::Schedule,
                    attempt: 1,
                },
            )
            .await
        {
            Ok(Claim::Won(claimed)) => {
                self.execute(registered, *claimed).await;
                Slot::Settled
            }
            Ok(Claim::Settled(because)) => {
                self.passed(registered, slot, because);
                Slot::Settled
            }
            Ok(Claim::Held { holder, .. }) => {
                tracing::debug!(job = job.name, %slot, holder, "the slot waits for the lock");
                self.delayed(registered, slot, Some(holder));
                // What ticks often enough to go unrecorded does not queue up behind a lock.
                if job.scope == Scope::Cluster && job.record == Record::Always {
                    Slot::Waits
                } else {
                    Slot::Settled
                }
            }
            Ok(Claim::Slipped) => {
                self.delayed(registered, slot, None);
                Slot::Waits
            }
            Err(error) => {
                tracing::warn!(job = job.name, %slot, error = chain(&error), "the slot could not be taken; will be tried again while it is the newest");
                self.delayed(registered, slot, None);
                Slot::Waits
            }
        }
    }

    fn delayed(&self, registered: &Registered, slot: DateTime<Utc>, holder: Option<String>) {
        let job = registered.job.name.clone();
        self.announce(Event::Delayed { job, slot, holder });
    }

    fn passed(&self, registered: &Registered, slot: DateTime<Utc>, because: Passed) {
        tracing::debug!(job = registered.job.name, %slot, ?because, "slot passed without a run here");
        self.announce(Event::Passed {
            job: registered.job.name.clone(),
            slot,
            because,
        });
    }
}
