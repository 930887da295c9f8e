//! Where a job stands among its slots, from one step to the next.

use chrono::{DateTime, Utc};

use super::wake_up::WakeUp;
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
            next: trigger
                .next_after(began)
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            waiting: put_off.map(|slot| Waiting::new(registered, slot)),
        }
    }

    /// Skips whatever was due, and goes on with what comes after `now`.
    pub(crate) fn after(registered: &Registered, now: DateTime<Utc>) -> Self {
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

    /// When the job's next step is due.
    pub(crate) fn due_at(&self) -> DateTime<Utc> {
        match self {
            Self::Slots { next, waiting, .. } => {
                waiting.map_or(*next, |waiting| waiting.try_at.min(*next))
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
                    ..
                },
                WakeUp::RunEnded,
            ) => waiting.try_at = waiting.start.max(now),
            (Self::Delay { slot, start }, WakeUp::Requested) => (*slot, *start) = (now, now),
            _ => {}
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
