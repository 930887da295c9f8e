//! What a child of the matrix is to do.

use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The variable that carries a child's plan.
pub(crate) const VARIABLE: &str = "PULLIT_CRASH_CHILD";

/// The members of every lane, with one source each, whose id is the member's.
pub(crate) const MEMBERS: i64 = 6;

/// Small, so that a round has many batches to die in.
pub(crate) const BATCH: u32 = 7;

/// What a node can say of itself, and how often it does so in a round, about.
pub(crate) const STEPS: [(&str, u32); 7] = [
    ("published", 20),
    ("notified", 20),
    ("claimed", 6),
    ("applied", 8),
    ("deleted", 8),
    ("committing", 8),
    ("committed", 8),
];

/// The same of what only a message broker outside the database brings.
pub(crate) const STEPS_OUTSIDE: [(&str, u32); 2] = [("delivered", 2), ("confirmed", 2)];

/// What a child does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) database: String,
    pub(crate) broker: String,
    pub(crate) folder: PathBuf,
    pub(crate) node: String,
    pub(crate) seed: u64,
    /// How many seconds its clock is ahead of the computer's.
    pub(crate) ahead: i64,
    pub(crate) death: Option<Death>,
    pub(crate) part: Part,
}

/// At which step the child kills itself: the n-th time that it gets there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Death {
    pub(crate) step: String,
    pub(crate) n: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Members are at work.
    Work,
    /// What is left is brought to its end.
    Drain,
    /// The week is reset, and all stats are recalibrated.
    Reset,
}

/// What happens to a child's world in one round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    /// Its number, from 0.
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) death: Option<Death>,
    /// SIGKILL from outside after so many things that members did; never, when it has killed itself before.
    pub(crate) killed_after: u32,
    /// Its PostgreSQL crashes after so many things.
    pub(crate) database_crashes_after: Option<u32>,
    pub(crate) broker_crashes_after: Option<u32>,
    /// Another node works beside it, and goes on when it has died.
    pub(crate) companion: bool,
    /// Seconds since the last round, by the nodes' clocks.
    pub(crate) leap: i64,
}

impl Round {
    pub(crate) fn new(seed: u64, number: u64, steps: &[(&str, u32)]) -> Self {
        let mut dice = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003) ^ number);
        let by_itself = dice.random_bool(0.75);
        let (step, about) = steps.choose(&mut dice).unwrap();
        let death = by_itself.then(|| Death {
            step: (*step).to_owned(),
            n: dice.random_range(1..=*about),
        });
        let killed_after = if by_itself {
            u32::MAX
        } else {
            dice.random_range(0..30)
        };
        Self {
            number,
            seed: dice.random(),
            death,
            killed_after,
            database_crashes_after: dice.random_bool(0.1).then(|| dice.random_range(0..12)),
            broker_crashes_after: dice.random_bool(0.08).then(|| dice.random_range(1..20)),
            companion: dice.random_bool(0.2),
            // Some hours, sometimes more than a day: streaks break, weeks pass, leases and pauses run out.
            leap: if dice.random_bool(0.1) {
                dice.random_range(90_000..200_000)
            } else {
                dice.random_range(1_000..25_000)
            },
        }
    }
}
