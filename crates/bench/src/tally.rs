//! What the readers have seen.

use crate::histogram::Histogram;

/// What the readers have seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What is being waited for.
    pub(crate) goal: Goal,
    /// Readers that are to be open, and those that are.
    pub(crate) wanted: usize,
    pub(crate) open: usize,
    /// Readers whose server ended the stream, or that never got one.
    pub(crate) lost: usize,
    /// Why the first of them was lost.
    pub(crate) reason: Option<String>,
    /// Events of every kind, heartbeats included.
    pub(crate) events: u64,
    /// Events that did not arrive as they were published.
    pub(crate) damaged: u64,
    /// Events that a reader got a second time.
    pub(crate) repeated: u64,
    /// The publish that goes to all readers.
    pub(crate) round: Round,
    /// From one heartbeat of a reader to its next, in nanoseconds.
    pub(crate) gaps: Histogram,
    /// From the sending of a publish to its receipt, in nanoseconds; those to all readers aside.
    pub(crate) latencies: Histogram,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Goal {
    /// All readers that are wanted are open.
    #[default]
    AllOpen,
    /// Every open reader has the publish.
    AllReached,
}

/// One publish on its way to all readers; times are readings of the run's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) received: usize,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Tally {
    pub(crate) fn lose(&mut self, reason: impl ToString) {
        self.lost += 1;
        self.reason.get_or_insert_with(|| reason.to_string());
    }

    /// Whether the wait has an end, be it a bad one.
    pub(crate) fn is_settled(&self) -> bool {
        let reached = match self.goal {
            Goal::AllOpen => self.open == self.wanted,
            Goal::AllReached => self.round.received >= self.open,
        };
        reached || self.lost > 0
    }

    pub(crate) fn publish_arrived(&mut self, number: u64, now: u64) {
        if number != self.round.number {
            self.latencies.record(now.saturating_sub(number));
            return;
        }
        if self.round.received == 0 {
            self.round.first = now;
        }
        self.round.last = now;
        self.round.received += 1;
    }
}
