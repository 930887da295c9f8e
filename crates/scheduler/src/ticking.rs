//! One job's slots as they come, and those that wait for a lock.

use chrono::{DateTime, TimeDelta, Utc};
use ground::chain;

use crate::core::{Core, Registered};
use crate::event::{Event, Passed};
use crate::job::{Record, Scope};
use crate::model::{Cause, Run};
use crate::nudges::Nudge;
use crate::run::claim::{Ask, Claim};

/// A slot noticed later than this was missed: its misfire policy decides.
const IN_TIME: TimeDelta = TimeDelta::seconds(60);
/// How often a slot that waits for a lock or the database asks again.
const ASK_AGAIN: TimeDelta = TimeDelta::seconds(1);

/// What is remembered of a job from one step to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beat {
    /// Of a cron, fixed-rate or one-off job.
    Slots {
        /// The newest slot that was noticed.
        seen: DateTime<Utc>,
        /// The one after it.
        next: DateTime<Utc>,
        waiting: Option<Waiting>,
    },
    /// Of a fixed-delay job: its next slot, and when that starts.
    Delay {
        slot: DateTime<Utc>,
        start: DateTime<Utc>,
    },
}

/// A slot that was noticed and has not run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    slot: DateTime<Utc>,
    start: DateTime<Utc>,
    /// When it asks for the lock, for the first time or again.
    ask: DateTime<Utc>,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) beat: Beat,
    /// Newer slots were noticed.
    pub(crate) newer: bool,
    /// The newest was noticed too late.
    pub(crate) missed: bool,
    pub(crate) runs: Vec<Run>,
}

/// What became of a slot.
enum Slot {
    Ran(Run),
    Passed,
    Waits,
}

impl Beat {
    /// Makes the first beats of jobs that start at `began`: a job's slots are those after it.
    pub(crate) fn first(registered: &Registered, began: DateTime<Utc>) -> Self {
        let trigger = &registered.job.trigger;
        if trigger.is_fixed_delay() {
            return Self::Delay {
                slot: began,
                start: began,
            };
        }
        // A slot just before, whose start jitter has put off until now, is still to come.
        let put_off = trigger.put_off(registered.job.name(), began);
        Self::Slots {
            seen: began,
            next: trigger
                .next_after(began)
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            waiting: put_off.map(|slot| Waiting::new(registered, slot)),
        }
    }

    /// Goes on with what comes after `now`.
    pub(crate) fn anew(registered: &Registered, now: DateTime<Utc>) -> Self {
        let trigger = &registered.job.trigger;
        let next = trigger.next_after(now);
        let next = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if trigger.is_fixed_delay() {
            return Self::Delay {
                slot: next,
                start: next,
            };
        }
        Self::Slots {
            seen: now,
            next,
            waiting: None,
        }
    }

    /// When the job is to be looked at.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Slots { next, waiting, .. } => {
                waiting.map_or(*next, |waiting| waiting.ask.min(*next))
            }
            Self::Delay { start, .. } => *start,
        }
    }

    /// The slot that waits, whose time has not passed yet.
    pub(crate) fn waiting(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Slots { waiting, .. } => waiting.map(|waiting| waiting.slot),
            Self::Delay { .. } => None,
        }
    }

    /// Brings the next step forward, if that is what the nudge asks for.
    pub(crate) fn hurry(&mut self, nudge: Nudge, now: DateTime<Utc>) {
        match (self, nudge) {
            (
                Self::Slots {
                    waiting: Some(waiting),
                    ..
                },
                Nudge::Ended,
            ) => waiting.ask = waiting.start.max(now),
            (Self::Delay { slot, start }, Nudge::Woken) => (*slot, *start) = (now, now),
            _ => {}
        }
    }
}

impl Waiting {
    fn new(registered: &Registered, slot: DateTime<Utc>) -> Self {
        let start = registered.start_of(slot);
        Self {
            slot,
            start,
            ask: start,
        }
    }
}

impl Core {
    /// Does what is due of a job.
    pub(crate) async fn step(&self, registered: &Registered, beat: Beat) -> Stepped {
        match beat {
            Beat::Slots { seen, waiting, .. } => self.step_slots(registered, seen, waiting).await,
            Beat::Delay { slot, .. } => self.step_delay(registered, slot).await,
        }
    }

    async fn step_slots(
        &self,
        registered: &Registered,
        mut seen: DateTime<Utc>,
        mut waiting: Option<Waiting>,
    ) -> Stepped {
        let trigger = &registered.job.trigger;
        let (mut newer, mut missed, mut runs) = (false, false, Vec::new());
        loop {
            // Read once: what comes next counts from here, however long the steps below take.
            let now = self.now();
            if let Some(slot) = trigger.newest_due(seen, now) {
                seen = slot;
                newer = true;
                if let Some(superseded) = waiting.take() {
                    self.passed(registered, superseded.slot, Passed::Superseded);
                }
                let noticed = Waiting::new(registered, slot);
                missed = now - noticed.start > IN_TIME;
                if missed {
                    self.passed(registered, slot, Passed::TooLate);
                } else {
                    waiting = Some(noticed);
                }
            }
            let Some(due) = waiting.as_mut().filter(|waiting| waiting.ask <= now) else {
                break;
            };
            match self.slot(registered, due.slot).await {
                Slot::Waits => {
                    due.ask = now + ASK_AGAIN;
                    break;
                }
                Slot::Passed => waiting = None,
                Slot::Ran(run) => {
                    runs.push(run);
                    waiting = None;
                }
            }
            // The run may have outlived the next slot.
            if self.stopping.is_cancelled() {
                break;
            }
        }
        let next = trigger.next_after(seen);
        Stepped {
            beat: Beat::Slots {
                seen,
                next: next.unwrap_or(DateTime::<Utc>::MAX_UTC),
                waiting,
            },
            newer,
            missed,
            runs,
        }
    }

    /// Runs a fixed-delay job once; its next slot comes after the delay from the end of that.
    async fn step_delay(&self, registered: &Registered, slot: DateTime<Utc>) -> Stepped {
        // A tick that finds the lock held is another node's: the next one comes soon enough.
        let ran = self.slot(registered, slot).await;
        let next = registered.job.trigger.next_after(self.now());
        let slot = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let start = next.map_or(slot, |next| registered.start_of(next));
        Stepped {
            beat: Beat::Delay { slot, start },
            newer: false,
            missed: false,
            runs: match ran {
                Slot::Ran(run) => vec![run],
                Slot::Passed | Slot::Waits => Vec::new(),
            },
        }
    }

    async fn slot(&self, registered: &Registered, slot: DateTime<Utc>) -> Slot {
        let job = &registered.job;
        let ask = Ask {
            slot,
            cause: Cause::Schedule,
            attempt: 1,
        };
        match self.claim(registered, ask).await {
            Ok(Claim::Won(claimed)) => Slot::Ran(self.execute(registered, *claimed).await),
            Ok(Claim::Settled(because)) => {
                self.passed(registered, slot, because);
                Slot::Passed
            }
            Ok(Claim::Held { holder, .. }) => {
                tracing::debug!(job = job.name, %slot, holder, "the slot waits for the lock");
                self.delayed(registered, slot, Some(holder));
                // What ticks often enough to go unrecorded does not queue up behind a lock.
                if job.scope == Scope::Cluster && job.record == Record::Always {
                    Slot::Waits
                } else {
                    Slot::Passed
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

    pub(crate) fn passed(&self, registered: &Registered, slot: DateTime<Utc>, because: Passed) {
        tracing::debug!(job = registered.job.name, %slot, ?because, "slot passed without a run here");
        self.announce(Event::Passed {
            job: registered.job.name.clone(),
            slot,
            because,
        });
    }
}
