//! When a job is due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use scheduler::{Trigger, TriggerError};

use crate::support::at;

const NEW_YORK: Tz = chrono_tz::America::New_York;
const SEOUL: Tz = chrono_tz::Asia::Seoul;

fn cron(expression: &str, zone: Tz) -> Trigger {
    Trigger::cron(expression, zone).unwrap()
}

/// The slots after `from` up to `to`, in the zone.
fn slots(expression: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let (trigger, to) = (cron(expression, zone), at(to));
    std::iter::successors(trigger.next_after(at(from)), |slot| {
        trigger.next_after(*slot)
    })
    .take_while(|slot| *slot <= to)
    .map(|slot| slot.with_timezone(&zone).format("%d %H:%M %Z").to_string())
    .collect()
}

/// New York's clock went from 02:00 to 03:00 on 8 March 2026 …
fn gap(expression: &str) -> Vec<String> {
    slots(
        expression,
        NEW_YORK,
        "2026-03-08T04:59:59Z",
        "2026-03-09T03:59:59Z",
    )
}

/// … and from 02:00 back to 01:00 on 1 November 2026.
fn fold(expression: &str) -> Vec<String> {
    slots(
        expression,
        NEW_YORK,
        "2026-11-01T03:59:59Z",
        "2026-11-02T04:59:59Z",
    )
}

#[test]
fn the_schedules_of_the_service_read_as_in_spring() {
    let next = |expression, from| cron(expression, SEOUL).next_after(at(from)).unwrap();
    assert_eq!(
        next("0 */10 * * * *", "2026-11-22T18:50:00Z"),
        at("2026-11-22T19:00:00Z")
    );
    assert_eq!(
        next("0 0 4 * * *", "2026-11-22T18:50:00Z"),
        at("2026-11-22T19:00:00Z")
    );
    assert_eq!(
        next("0 0 0 * * *", "2026-11-22T15:00:00Z"),
        at("2026-11-23T15:00:00Z")
    );
    assert_eq!(
        next("0 0 4 * * MON", "2026-11-22T19:00:00Z"),
        at("2026-11-29T19:00:00Z")
    );
    assert_eq!(
        cron("0 0 4 * * MON", SEOUL).to_string(),
        "cron 0 0 4 * * MON"
    );
}

#[test]
fn what_never_fires_or_cannot_be_counted_is_refused() {
    assert_eq!(
        Trigger::cron("0 0 0 30 2 *", SEOUL).unwrap_err(),
        TriggerError::Never("0 0 0 30 2 *".into())
    );
    assert!(Trigger::fixed_rate(Duration::ZERO).is_err());
    assert!(Trigger::fixed_delay(Duration::from_micros(999)).is_err());
    assert!(Trigger::fixed_rate(Duration::MAX).is_err());
}

#[test]
fn a_time_that_does_not_exist_runs_once_at_the_next_valid_instant() {
    assert_eq!(gap("0 30 2 * * *"), ["08 03:00 EDT"]);
    assert_eq!(gap("0 0,30 2 * * *"), ["08 03:00 EDT"]);
    assert_eq!(gap("0 0 1,2,3 * * *"), ["08 01:00 EST", "08 03:00 EDT"]);
    assert_eq!(gap("0 */20 2 * * *"), ["08 03:00 EDT"]);
}

#[test]
fn a_time_that_occurs_twice_runs_once_at_the_first() {
    assert_eq!(fold("0 30 1 * * *"), ["01 01:30 EDT"]);
    assert_eq!(
        fold("0 0 1,2,3 * * *"),
        ["01 01:00 EDT", "01 02:00 EST", "01 03:00 EST"]
    );
    assert_eq!(fold("0 */30 1 * * *"), ["01 01:00 EDT", "01 01:30 EDT"]);
    // Also when asked from within the second pass.
    let within = at("2026-11-01T06:10:00Z");
    assert_eq!(
        cron("0 30 1 * * *", NEW_YORK).next_after(within),
        Some(at("2026-11-02T06:30:00Z"))
    );
}

#[test]
fn sub_daily_patterns_keep_to_elapsed_time() {
    let evenly =
        |slots: Vec<DateTime<Utc>>, apart| slots.windows(2).all(|pair| pair[1] - pair[0] == apart);
    for (from, expression, apart) in [
        (
            "2026-03-08T05:00:00Z",
            "0 */30 * * * *",
            TimeDelta::minutes(30),
        ),
        (
            "2026-11-01T04:00:00Z",
            "0 */30 * * * *",
            TimeDelta::minutes(30),
        ),
        ("2026-03-08T05:00:00Z", "0 15 * * * *", TimeDelta::hours(1)),
        ("2026-11-01T04:00:00Z", "0 15 * * * *", TimeDelta::hours(1)),
        ("2026-11-01T04:00:00Z", "0 0 */1 * * *", TimeDelta::hours(1)),
    ] {
        let trigger = cron(expression, NEW_YORK);
        let slots = std::iter::successors(trigger.next_after(at(from)), |slot| {
            trigger.next_after(*slot)
        })
        .take(20)
        .collect();
        assert!(evenly(slots, apart), "{expression} from {from}");
    }
}

#[test]
fn a_long_stall_finds_the_newest_slot_only() {
    let newest = |trigger: Trigger| {
        trigger.newest_due(at("2020-01-01T00:00:00Z"), at("2026-11-22T12:34:56.789Z"))
    };
    assert_eq!(
        newest(cron("* * * * * *", SEOUL)),
        Some(at("2026-11-22T12:34:56Z"))
    );
    assert_eq!(
        newest(cron("0 0 4 * * MON", SEOUL)),
        Some(at("2026-11-15T19:00:00Z"))
    );
    assert_eq!(
        newest(cron("0 0 0 29 2 *", Tz::UTC)),
        Some(at("2024-02-29T00:00:00Z"))
    );
    assert_eq!(
        newest(Trigger::fixed_rate(Duration::from_secs(3)).unwrap()),
        Some(at("2026-11-22T12:34:54Z"))
    );
    let just_ran = at("2026-11-22T12:34:54Z");
    assert_eq!(
        Trigger::fixed_rate(Duration::from_secs(3))
            .unwrap()
            .newest_due(just_ran, just_ran),
        None
    );
}

#[test]
fn a_fixed_rate_keeps_to_multiples_that_every_node_agrees_on() {
    let rate = Trigger::fixed_rate(Duration::from_secs(3)).unwrap();
    assert_eq!(
        rate.next_after(at("2026-11-22T12:34:54Z")),
        Some(at("2026-11-22T12:34:57Z"))
    );
    assert_eq!(
        rate.next_after(at("2026-11-22T12:34:54.001Z")),
        Some(at("2026-11-22T12:34:57Z"))
    );
    let delay = Trigger::fixed_delay(Duration::from_millis(1500)).unwrap();
    assert_eq!(
        delay.next_after(at("2026-11-22T12:34:54.001Z")),
        Some(at("2026-11-22T12:34:55.501Z"))
    );
    assert_eq!(delay.to_string(), "every 1500ms");
}
