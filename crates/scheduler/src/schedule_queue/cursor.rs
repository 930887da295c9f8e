//! Where a job stands among its slots, from one step to the next.

use chrono::{DateTime, TimeDelta, Utc};

use super::wake_up::WakeUp;
use crate::job::{Record, Scope};
use crate::model::Run;
use crate::registered::Registered;

/// Where a job stands among its slots.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SlotCursor {
    /// Of a cron, fixed-rate or one-off job.
    Slots {
        /// The newest slot that was noticed.
        seen: DateTime<Utc>,
        /// The one after it.
        next: DateTime<Utc>,
        waiting: Option<Waiting>,
        watch: Watch,
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
    pub(crate) slot: DateTime<Utc>,
    pub(crate) start: DateTime<Utc>,
    /// When it tries to get the lock, for the first time or again.
    pub(crate) try_at: DateTime<Utc>,
}

/// What a job must know of a clock that was set back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    /// How far a fixed rate is ahead of the clock. Its slots go on where they were.
    pub(crate) ahead: TimeDelta,
    /// From when on the clock was watched without being set back.
    since: DateTime<Utc>,
    /// The slots that were noticed before, after the first time and up to the second.
    noticed: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) struct StepResult {
    pub(crate) cursor: SlotCursor,
    /// Newer slots were noticed.
    pub(crate) newer: bool,
    /// The newest was noticed too late.
    pub(crate) missed: bool,
    pub(crate) runs: Vec<Run>,
}

fn or_never(slot: Option<DateTime<Utc>>) -> DateTime<Utc> {
    slot.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl SlotCursor {
    /// The first cursor of a job that starts at `began`: a job's slots are those after it.
    pub(crate) fn first(registered: &Registered, began: DateTime<Utc>) -> Self {
        let trigger = &registered.job.trigger;
        if trigger.is_fixed_delay() {
            return Self::Delay {
                slot: began,
                start: began,
            };
        }
        // A slot just before, whose start jitter has put off until now, is still to come.
        let put_off = trigger.put_off(&registered.job.name, began);
        Self::Slots {
            seen: began,
            next: or_never(trigger.next_after(began)),
            waiting: put_off.map(|slot| Waiting::new(registered, slot)),
            watch: Watch::since(began),
        }
    }

    /// Skips whatever was due, and goes on with what comes after `now`.
    pub(crate) fn after(registered: &Registered, now: DateTime<Utc>) -> Self {
        let trigger = &registered.job.trigger;
        let next = or_never(trigger.next_after(now));
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
            watch: Watch::since(now),
        }
    }

    /// When the job's next step is due, by the clock as it is.
    pub(crate) fn due_at(&self) -> DateTime<Utc> {
        match self {
            Self::Slots {
                next,
                waiting,
                watch,
                ..
            } => {
                let due = waiting.map_or(*next, |waiting| waiting.try_at.min(*next));
                // Never is never, however far ahead.
                due.checked_sub_signed(watch.ahead).unwrap_or(due)
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

    /// Brings the next step forward, if that is what the wake-up asks for.
    pub(crate) fn wake(&mut self, wake_up: WakeUp, now: DateTime<Utc>) {
        match (self, wake_up) {
            (
                Self::Slots {
                    waiting: Some(waiting),
                    watch,
                    ..
                },
                WakeUp::RunEnded,
            ) => waiting.try_at = waiting.start.max(now + watch.ahead),
            (Self::Delay { slot, start }, WakeUp::Requested) => (*slot, *start) = (now, now),
            _ => {}
        }
    }

    /// Plans anew after the clock was set back to `now`, by `ahead` in all. Twice does no more than once.
    ///
    /// A fixed delay and a fixed rate go on as if nothing had happened. Of cron the clock shows the same times again: what
    /// comes next is what comes after `now`. A slot that was noticed stays so, and one that has a run passes without another.
    pub(crate) fn plan_anew(
        &mut self,
        registered: &Registered,
        now: DateTime<Utc>,
        ahead: TimeDelta,
    ) {
        let trigger = &registered.job.trigger;
        match self {
            Self::Delay { slot, start } => {
                let next = or_never(trigger.next_after(now));
                if *slot > next {
                    (*slot, *start) = (next, registered.start_of(next));
                }
            }
            Self::Slots { watch, .. } if trigger.is_fixed_rate() => watch.ahead = ahead,
            Self::Slots {
                seen,
                next,
                waiting,
                watch,
            } => {
                if *seen > now {
                    // What has not run yet when its time lies ahead again is yet to come.
                    let to_come = waiting.take_if(|waiting| waiting.slot > now);
                    let noticed = to_come.map(|to_come| to_come.slot - TimeDelta::microseconds(1));
                    watch.set_back(now, noticed.unwrap_or(*seen));
                    *seen = now;
                    *next = or_never(trigger.next_after(now));
                }
                if let Some(waiting) = waiting {
                    waiting.try_at = waiting.try_at.min(waiting.start.max(now));
                }
            }
        }
    }
}

impl Waiting {
    pub(crate) fn new(registered: &Registered, slot: DateTime<Utc>) -> Self {
        let start = registered.start_of(slot);
        Self {
            slot,
            start,
            try_at: start,
        }
    }
}

impl Watch {
    fn since(began: DateTime<Utc>) -> Self {
        Self {
            ahead: TimeDelta::zero(),
            since: began,
            noticed: None,
        }
    }

    fn set_back(&mut self, now: DateTime<Utc>, seen: DateTime<Utc>) {
        let (from, to) = self.noticed.unwrap_or((self.since, seen));
        self.noticed = Some((from.min(self.since), to.max(seen)));
        self.since = now;
    }

    /// Whether the slot was noticed before the clock was set back, and nothing but this says so: such runs have no rows.
    pub(crate) fn knows(&self, registered: &Registered, slot: DateTime<Utc>) -> bool {
        let job = &registered.job;
        let has_rows = job.scope == Scope::Cluster && job.record == Record::Always;
        let noticed = |(from, to): (DateTime<Utc>, DateTime<Utc>)| from < slot && slot <= to;
        !has_rows && self.noticed.is_some_and(noticed)
    }
}
