//! How long after its slot a job starts, so that many jobs of one schedule do not start at once.

use chrono::{DateTime, TimeDelta, Utc};

/// A delay from zero to `max`, in milliseconds. It depends only on the job's name and the slot, so every node and every
/// restart finds the same one.
pub(super) fn delay(max: TimeDelta, job: &str, slot: DateTime<Utc>) -> TimeDelta {
    let Ok(max) = u64::try_from(max.num_milliseconds()) else {
        return TimeDelta::zero();
    };
    let delay = (u128::from(hash(job, slot)) * (u128::from(max) + 1)) >> 64;
    i64::try_from(delay).map_or(TimeDelta::zero(), TimeDelta::milliseconds)
}

/// FNV-1a, then the last step of MurmurHash3, without which names that differ in their last letter stay close.
/// The standard library's hasher may change from one release to the next, and nodes of two releases must agree.
pub(crate) fn hash(job: &str, slot: DateTime<Utc>) -> u64 {
    let micros = slot.timestamp_micros().to_le_bytes();
    let mut hash = job
        .bytes()
        .chain(micros)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
