//! One step of a job: its slots as they come, and the one that waits for a lock.

use chrono::{DateTime, TimeDelta, Utc};
use ground::chain;

use crate::core::Core;
use crate::event::{Event, Passed};
use crate::job::{Record, Scope};
use crate::model::{Cause, Run, RunRequest};
use crate::registered::Registered;
use crate::runs::Claim;
use crate::schedule_queue::{SlotCursor, StepResult, Waiting, Watch};

/// A slot noticed later than this was missed: its misfire policy decides.
const IN_TIME: TimeDelta = TimeDelta::seconds(60);
/// How often a slot that waits for a lock or the database tries again.
const RETRY_INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// What became of a slot.
enum Slot {
    Ran(Run),
    Passed,
    Waits,
}

/// A job's slots during one step.
struct Slots {
    seen: DateTime<Utc>,
    waiting: Option<Waiting>,
    watch: Watch,
    newer: bool,
    missed: bool,
    runs: Vec<Run>,
}

impl Core {
    /// Does what is due of a job.
    pub(crate) async fn step(&self, registered: &Registered, cursor: SlotCursor) -> StepResult {
        match cursor {
            SlotCursor::Slots {
                seen,
                waiting,
                watch,
                ..
            } => self.step_slots(registered, seen, waiting, watch).await,
            SlotCursor::Delay { slot, .. } => self.step_delay(registered, slot).await,
        }
    }

    async fn step_slots(
        &self,
        registered: &Registered,
        seen: DateTime<Utc>,
        waiting: Option<Waiting>,
        watch: Watch,
    ) -> StepResult {
        let mut slots = Slots {
            seen,
            waiting,
            watch,
            newer: false,
            missed: false,
            runs: Vec::new(),
        };
        loop {
            // Read once: what comes next counts from here, however long the steps below take.
            let now = self.now() + watch.ahead;
            self.notice_newest(registered, &mut slots, now);
            let Some(due) = slots.waiting.as_mut().filter(|slot| slot.try_at <= now) else {
                break;
            };
            match self.try_slot(registered, due.slot).await {
                Slot::Waits => {
                    due.try_at = now + RETRY_INTERVAL;
                    break;
                }
                Slot::Passed => slots.waiting = None,
                Slot::Ran(run) => {
                    slots.runs.push(run);
                    slots.waiting = None;
                }
            }
            // The run may have outlived the next slot.
            if self.stopping.is_cancelled() {
                break;
            }
        }
        let next = registered.job.trigger.next_after(slots.seen);
        StepResult {
            cursor: SlotCursor::Slots {
                seen: slots.seen,
                next: next.unwrap_or(DateTime::<Utc>::MAX_UTC),
                waiting: slots.waiting,
                watch,
            },
            newer: slots.newer,
            missed: slots.missed,
            runs: slots.runs,
        }
    }

    /// Lets the newest slot that is due wait in place of an older one, unless it is noticed too late.
    fn notice_newest(&self, registered: &Registered, slots: &mut Slots, now: DateTime<Utc>) {
        let Some(slot) = registered.job.trigger.newest_due(slots.seen, now) else {
            return;
        };
        slots.seen = slot;
        slots.newer = true;
        if let Some(superseded) = slots.waiting.take() {
            self.passed(registered, superseded.slot, Passed::Superseded);
        }
        if slots.watch.knows(registered, slot) {
            self.passed(registered, slot, Passed::AlreadyRan);
            return;
        }
        let noticed = Waiting::new(registered, slot);
        slots.missed = now - noticed.start > IN_TIME;
        if slots.missed {
            self.passed(registered, slot, Passed::TooLate);
        } else {
            slots.waiting = Some(noticed);
        }
    }

    /// Runs a fixed-delay job once; its next slot comes after the delay from the end of that.
    async fn step_delay(&self, registered: &Registered, slot: DateTime<Utc>) -> StepResult {
        // Another node owns a lock that is taken. The next slot comes early enough.
        let ran = self.try_slot(registered, slot).await;
        let next = registered.job.trigger.next_after(self.now());
        let slot = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let start = next.map_or(slot, |next| registered.start_of(next));
        StepResult {
            cursor: SlotCursor::Delay { slot, start },
            newer: false,
            missed: false,
            runs: match ran {
                Slot::Ran(run) => vec![run],
                Slot::Passed | Slot::Waits => Vec::new(),
            },
        }
    }

    async fn try_slot(&self, registered: &Registered, slot: DateTime<Utc>) -> Slot {
        let job = &registered.job;
        let request = RunRequest {
            slot,
            cause: Cause::Schedule,
            attempt: 1,
        };
        match self.claim(registered, request).await {
            Ok(Claim::Won(claimed)) => Slot::Ran(self.execute(registered, *claimed).await),
            Ok(Claim::Passed(because)) => {
                self.passed(registered, slot, because);
                Slot::Passed
            }
            Ok(Claim::Locked { holder, .. }) => {
                tracing::debug!(job = job.name, %slot, holder, "the slot waits for the lock");
                self.delayed(registered, slot, Some(holder));
                // What runs often enough to go unrecorded does not queue up behind a lock.
                if job.scope == Scope::Cluster && job.record == Record::Always {
                    Slot::Waits
                } else {
                    Slot::Passed
                }
            }
            Ok(Claim::LostLock) => {
                self.delayed(registered, slot, None);
                Slot::Waits
            }
            Err(error) => {
                tracing::warn!(job = job.name, %slot, error = chain(&error), "the slot could not be claimed; will be tried again while it is the newest");
                self.delayed(registered, slot, None);
                Slot::Waits
            }
        }
    }

    fn delayed(&self, registered: &Registered, slot: DateTime<Utc>, holder: Option<String>) {
        let job = registered.job.name.clone();
        self.announce(Event::Delayed { job, slot, holder });
    }

    pub(crate) fn passed(&self, registered: &Registered, slot: DateTime<Utc>, because: Passed) {
        tracing::debug!(job = registered.job.name, %slot, ?because, "slot passed without a run here");
        self.announce(Event::Passed {
            job: registered.job.name.clone(),
            slot,
            because,
        });
    }
}
