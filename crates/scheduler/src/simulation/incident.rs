//! What can befall the cluster and its nodes.

use std::time::Duration;

use chrono::TimeDelta;

use super::chance::Chance;
use super::time::{Micros, SECOND, seconds};

/// What can befall a node in the middle of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// It is killed.
    Crash,
    /// It is stopped, and goes on after this.
    Freeze(Micros),
}

/// What an operator or somebody else does.
#[derive(Debug, Clone)]
pub(super) enum Hand {
    RunNow(String),
    Pause(String),
    Resume(String),
    Stop(Duration),
}

/// Something that befalls the cluster.
#[derive(Debug, Clone)]
pub(super) enum Incident {
    /// A process starts, unless one is there.
    Start {
        node: usize,
    },
    Meet {
        node: usize,
        doom: Doom,
    },
    /// A stopped process goes on.
    Thaw {
        node: usize,
    },
    Ask {
        node: usize,
        hand: Hand,
    },
    /// Somebody sets its wall clock, forwards or back.
    SetClock {
        node: usize,
        by: TimeDelta,
    },
    /// A process has ended by itself.
    Gone {
        node: usize,
    },
    /// A process that knows nothing of us takes the lock, and gives it back after this.
    ForeignTake {
        job: String,
        holds: Micros,
    },
    ForeignRelease {
        job: String,
    },
    /// Everybody who is stopped goes on. Two nodes come back if they are down, the others leave.
    CalmBegins,
    /// The judge looks for dead runs.
    Watch,
    /// The judge looks at what the calm has left.
    CalmEnds {
        began: Micros,
    },
    End,
}

/// By how much a clock is set: a correction, a wrong minute, a wrong zone.
pub(super) fn step(chance: &mut Chance) -> TimeDelta {
    TimeDelta::seconds(*chance.pick(&[-5, -600, -32_400, 5, 600]))
}

pub(super) fn doom(chance: &mut Chance) -> Doom {
    match chance.within(0..=3) {
        0 | 1 => Doom::Crash,
        2 => Doom::Freeze(chance.within(SECOND / 2..=seconds(6))),
        _ => Doom::Freeze(chance.within(seconds(6)..=seconds(80))),
    }
}
