//! When a job is due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
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
fn day_of_month_and_day_of_week_must_both_match() {
    // The next Friday the 13th after November 2026.
    assert_eq!(
        cron("0 0 0 13 * FRI", Tz::UTC).next_after(at("2026-11-14T00:00:00Z")),
        Some(at("2027-08-13T00:00:00Z"))
    );
}

#[test]
fn spring_s_examples_are_read() {
    for expression in [
        "0 0 * * * *",
        "*/10 * * * * *",
        "0 0 8-10 * * *",
        "0 0 6,19 * * *",
        "0 0/30 8-10 * * *",
        "0 0 9-17 * * MON-FRI",
        "0 0 0 25 12 ?",
        "0 0 0 L * *",
        "0 0 0 1W * *",
        "0 0 0 LW * *",
        "0 0 0 * * 5L",
        "0 0 0 * * THUL",
        "0 0 0 ? * 5#2",
        "0 0 0 ? * MON#1",
        "@hourly",
        "@daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "@yearly",
        "0 0 0 ? JAN-MAR 0,7",
    ] {
        assert!(
            cron(expression, Tz::UTC)
                .next_after(at("2026-11-22T00:00:00Z"))
                .is_some(),
            "{expression}"
        );
    }
}

#[test]
fn a_wrong_expression_gets_an_error_that_points_at_the_field() {
    let error = |expression: &str| Trigger::cron(expression, SEOUL).unwrap_err().to_string();
    assert!(
        error("*/10 * * * *").contains("has 5 fields")
            && error("*/10 * * * *").contains("`0 */10 * * * *`")
    );
    assert!(error("0 0 4 * * * 2027").contains("no year field"));
    assert!(error("0 */61 * * * *").contains("minute field `*/61` steps by `61`"));
    assert!(error("0 0 24 * * *").contains("hour field `24`"));
    assert!(error("0 0 4 * * MOM").contains("day-of-week field `MOM`"));
    assert!(error("0 0 4 L-3 * *").contains("not supported"));
    assert!(error("0 5,,6 4 * * *").contains("empty part"));
    assert!(error("L 0 4 * * *").contains("second field `L`"));
    assert!(error("0 30-10 4 * * *").contains("backwards"));
    assert!(error("0 0 4 +1 * *").contains("day-of-month"));
    assert!(error("@fortnightly").contains("@weekly"));
    assert_eq!(
        Trigger::cron("0 0 0 30 2 *", SEOUL).unwrap_err(),
        TriggerError::Never("0 0 0 30 2 *".into())
    );
    assert!(Trigger::fixed_rate(Duration::ZERO).is_err());
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
fn a_whole_day_that_a_zone_skipped_runs_once_after_it() {
    // Samoa had no 30 December 2011.
    let apia = chrono_tz::Pacific::Apia;
    let skipped = slots(
        "0 0 12 30 12 *",
        apia,
        "2011-12-01T00:00:00Z",
        "2012-01-31T00:00:00Z",
    );
    assert_eq!(skipped, ["31 00:00 +14"]);
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

/// What a brute-force walk over the minutes says: the slots of `second 0, these minutes, these hours`.
fn brute_force(
    zone: Tz,
    minutes: &[u32],
    hours: &[u32],
    sub_daily: bool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let matches = |wall: &chrono::NaiveDateTime| {
        minutes.contains(&wall.minute()) && hours.contains(&wall.hour())
    };
    let mut found = Vec::new();
    let mut t = from + TimeDelta::minutes(1);
    while t <= to {
        let (wall, before) = (
            t.with_timezone(&zone).naive_local(),
            (t - TimeDelta::minutes(1))
                .with_timezone(&zone)
                .naive_local(),
        );
        let first_pass = zone
            .from_local_datetime(&wall)
            .earliest()
            .is_some_and(|first| first == t);
        let mut due = matches(&wall) && (sub_daily || first_pass);
        // The clock jumped: whatever it passed over is due now.
        let mut skipped = before + TimeDelta::minutes(1);
        while !sub_daily && skipped < wall {
            due |= matches(&skipped);
            skipped += TimeDelta::minutes(1);
        }
        if due {
            found.push(t);
        }
        t += TimeDelta::minutes(1);
    }
    found
}

const ZONES: [Tz; 6] = [
    SEOUL,
    NEW_YORK,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Pacific::Kiritimati,
    Tz::UTC,
    chrono_tz::Europe::Berlin,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_slots_are_those_a_walk_over_the_minutes_finds(
        zone in prop::sample::select(&ZONES[..]),
        minutes in prop::sample::subsequence((0..60).collect::<Vec<u32>>(), 1..4),
        hours in prop::sample::subsequence((0..24).collect::<Vec<u32>>(), 1..6),
        sub_daily in any::<bool>(),
        // Around the changes of the clock in these zones, and anywhere.
        start in prop::sample::select(vec!["2026-03-07T00:00:00Z", "2026-03-28T00:00:00Z", "2026-04-03T12:00:00Z", "2026-10-02T12:00:00Z",
            "2026-10-24T00:00:00Z", "2026-10-31T00:00:00Z", "2026-07-01T00:00:00Z"]),
    ) {
        let list = |values: &[u32]| values.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let all: Vec<u32> = (0..24).collect();
        let (hour_field, hours) = if sub_daily { ("*".to_owned(), &all) } else { (list(&hours), &hours) };
        let trigger = cron(&format!("0 {} {hour_field} * * *", list(&minutes)), zone);
        let (from, to) = (at(start), at(start) + TimeDelta::days(4));
        let slots: Vec<_> = std::iter::successors(trigger.next_after(from), |slot| trigger.next_after(*slot)).take_while(|slot| *slot <= to).collect();
        prop_assert_eq!(slots, brute_force(zone, &minutes, hours, sub_daily, from, to));
    }

    #[test]
    fn the_next_slot_is_strictly_later_and_nothing_lies_between(
        zone in prop::sample::select(&ZONES[..]),
        expression in prop::sample::select(vec!["0 */10 * * * *", "0 0 4 * * *", "0 30 2 * * *", "30 15 1 * * SUN", "0 0 0 L * *", "*/7 * 1 * * *", "0 0 */6 * * *", "0 0 0 ? * MON#1"]),
        seconds in 1_700_000_000_i64..1_900_000_000,
        millis in 0_i64..1000,
    ) {
        let trigger = cron(expression, zone);
        let t = DateTime::from_timestamp_millis(seconds * 1000 + millis).unwrap();
        let next = trigger.next_after(t).unwrap();
        prop_assert!(next > t);
        let between = t + (next - t) / 2;
        if between < next {
            prop_assert_eq!(trigger.next_after(between), Some(next));
        }
        prop_assert_eq!(trigger.newest_due(t, next), Some(next));
    }
}
