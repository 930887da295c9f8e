//! The simulation's time, the same for everybody.

use chrono::{DateTime, TimeDelta, Utc};

/// Time since the simulation began, the same for everybody: nodes have clocks of their own besides.
pub(super) type Micros = u64;

pub(super) const SECOND: Micros = 1_000_000;

pub(super) const fn seconds(count: u64) -> Micros {
    count * SECOND
}

/// When the simulation begins, by the database's clock.
pub(super) fn at(time: Micros) -> DateTime<Utc> {
    const BEGINNING: DateTime<Utc> = match DateTime::from_timestamp(1_772_409_500, 0) {
        Some(beginning) => beginning,
        None => DateTime::UNIX_EPOCH,
    };
    BEGINNING + TimeDelta::microseconds(time as i64)
}
