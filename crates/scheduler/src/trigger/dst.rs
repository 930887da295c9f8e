//! Between instants and a zone's wall clock, where that clock jumps.

use chrono::{
    DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

/// The wall clock at `t`, in whole seconds.
pub(super) fn wall(zone: Tz, t: DateTime<Utc>) -> NaiveDateTime {
    let wall = t.with_timezone(&zone).naive_local();
    wall.with_nanosecond(0).unwrap_or(wall)
}

/// The instants at which the wall clock shows `wall`: none, one, or two in order.
pub(super) fn instants(
    zone: Tz,
    wall: NaiveDateTime,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    match zone.from_local_datetime(&wall).map(|at| at.to_utc()) {
        MappedLocalTime::None => (None, None),
        MappedLocalTime::Single(at) => (Some(at), None),
        MappedLocalTime::Ambiguous(a, b) => (Some(a.min(b)), Some(a.max(b))),
    }
}

/// When `t` is in the first pass of a repeated stretch of wall clock: the instant the second pass begins.
pub(super) fn second_pass_begins(zone: Tz, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let second = instants(zone, wall(zone, t)).1?;
    (t < second).then(|| jump(zone, t, second))
}

/// No zone ever skipped more than a day (Samoa and Kiritimati skipped a whole one).
const LONGEST_GAP: TimeDelta = TimeDelta::hours(48);

/// The end of the gap that skipped `wall`.
pub(super) fn gap_end(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    let offset_before = zone
        .offset_from_utc_datetime(&wall.checked_sub_signed(LONGEST_GAP)?)
        .fix();
    let after = wall.checked_sub_offset(offset_before)?.and_utc();
    Some(jump(zone, after - LONGEST_GAP, after))
}

/// The instant in `(from, to]` at which the zone's offset changes, to the second.
fn jump(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> DateTime<Utc> {
    let offset = |at: i64| {
        DateTime::from_timestamp(at, 0)
            .map(|at| zone.offset_from_utc_datetime(&at.naive_utc()).fix())
    };
    let (mut before, mut after) = (from.timestamp(), to.timestamp());
    let old = offset(before);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(middle) == old {
            before = middle
        } else {
            after = middle
        }
    }
    DateTime::from_timestamp(after, 0).unwrap_or(to)
}
