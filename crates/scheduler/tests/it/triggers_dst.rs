//! Times of day that a zone's clock skips or shows twice, under each policy.

use chrono_tz::Tz;
use scheduler::{DstPolicy, Gap, Overlap, SubDaily, Trigger};

use crate::support::at;

/// The slots after `from` up to `to`, in the zone.
fn slots(expression: &str, zone: Tz, policy: DstPolicy, from: &str, to: &str) -> Vec<String> {
    let to = at(to);
    Trigger::cron_with(expression, zone, policy)
        .unwrap()
        .upcoming(at(from), 1000)
        .take_while(|slot| *slot <= to)
        .map(|slot| slot.with_timezone(&zone).format("%d %H:%M %:z").to_string())
        .collect()
}

struct Change {
    zone: Tz,
    from: &'static str,
    to: &'static str,
}

impl Change {
    #[track_caller]
    fn gap(&self, expression: &str, at_end: &[&str], skipped: &[&str]) {
        let policy = DstPolicy::default();
        let slots = |policy| slots(expression, self.zone, policy, self.from, self.to);
        assert_eq!(slots(policy), at_end, "{expression} at the end");
        assert_eq!(
            slots(policy.gap(Gap::Skip)),
            skipped,
            "{expression} skipped"
        );
    }

    #[track_caller]
    fn overlap(&self, expression: &str, first: &[&str], second: &[&str], both: &[&str]) {
        let policy = DstPolicy::default();
        let slots = |policy| slots(expression, self.zone, policy, self.from, self.to);
        assert_eq!(slots(policy), first, "{expression} at the first");
        assert_eq!(
            slots(policy.overlap(Overlap::Second)),
            second,
            "{expression} at the second"
        );
        assert_eq!(
            slots(policy.overlap(Overlap::Both)),
            both,
            "{expression} both times"
        );
    }
}

#[test]
fn new_york_skips_an_hour_in_spring() {
    let spring = Change {
        zone: chrono_tz::America::New_York,
        from: "2026-03-08T04:59:59Z",
        to: "2026-03-09T03:59:59Z",
    };
    spring.gap("0 30 2 * * *", &["08 03:00 -04:00"], &[]);
    spring.gap(
        "0 0,30 1-3 * * *",
        &[
            "08 01:00 -05:00",
            "08 01:30 -05:00",
            "08 03:00 -04:00",
            "08 03:30 -04:00",
        ],
        &[
            "08 01:00 -05:00",
            "08 01:30 -05:00",
            "08 03:00 -04:00",
            "08 03:30 -04:00",
        ],
    );
}

#[test]
fn new_york_repeats_an_hour_in_autumn() {
    let autumn = Change {
        zone: chrono_tz::America::New_York,
        from: "2026-11-01T03:59:59Z",
        to: "2026-11-02T04:59:59Z",
    };
    autumn.overlap(
        "0 30 1 * * *",
        &["01 01:30 -04:00"],
        &["01 01:30 -05:00"],
        &["01 01:30 -04:00", "01 01:30 -05:00"],
    );
    autumn.overlap(
        "0 0,40 0-2 * * *",
        &[
            "01 00:00 -04:00",
            "01 00:40 -04:00",
            "01 01:00 -04:00",
            "01 01:40 -04:00",
            "01 02:00 -05:00",
            "01 02:40 -05:00",
        ],
        &[
            "01 00:00 -04:00",
            "01 00:40 -04:00",
            "01 01:00 -05:00",
            "01 01:40 -05:00",
            "01 02:00 -05:00",
            "01 02:40 -05:00",
        ],
        &[
            "01 00:00 -04:00",
            "01 00:40 -04:00",
            "01 01:00 -04:00",
            "01 01:40 -04:00",
            "01 01:00 -05:00",
            "01 01:40 -05:00",
            "01 02:00 -05:00",
            "01 02:40 -05:00",
        ],
    );
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    // From 02:00 to 02:30 on 4 October 2026, from 02:00 back to 01:30 on 5 April 2026.
    let spring = Change {
        zone: chrono_tz::Australia::Lord_Howe,
        from: "2026-10-03T13:59:59Z",
        to: "2026-10-04T12:00:00Z",
    };
    spring.gap("0 15 2 * * *", &["04 02:30 +11:00"], &[]);
    spring.gap(
        "0 15,45 2 * * *",
        &["04 02:30 +11:00", "04 02:45 +11:00"],
        &["04 02:45 +11:00"],
    );
    spring.gap("0 30 2 * * *", &["04 02:30 +11:00"], &["04 02:30 +11:00"]);
    let autumn = Change {
        zone: chrono_tz::Australia::Lord_Howe,
        from: "2026-04-04T12:59:59Z",
        to: "2026-04-05T12:00:00Z",
    };
    autumn.overlap(
        "0 45 1 * * *",
        &["05 01:45 +11:00"],
        &["05 01:45 +10:30"],
        &["05 01:45 +11:00", "05 01:45 +10:30"],
    );
    autumn.overlap(
        "0 15 1 * * *",
        &["05 01:15 +11:00"],
        &["05 01:15 +11:00"],
        &["05 01:15 +11:00"],
    );
    autumn.overlap(
        "0 0 2 * * *",
        &["05 02:00 +10:30"],
        &["05 02:00 +10:30"],
        &["05 02:00 +10:30"],
    );
}

#[test]
fn santiago_has_no_midnight_on_one_day_and_two_on_another() {
    // From 00:00 to 01:00 on 6 September 2026, from 24:00 back to 23:00 on 4 April 2026.
    let spring = Change {
        zone: chrono_tz::America::Santiago,
        from: "2026-09-05T05:00:00Z",
        to: "2026-09-07T02:59:59Z",
    };
    spring.gap("@daily", &["06 01:00 -03:00"], &[]);
    spring.gap("0 30 0 * * *", &["06 01:00 -03:00"], &[]);
    spring.gap("0 30 0 ? * SUN", &["06 01:00 -03:00"], &[]);
    let autumn = Change {
        zone: chrono_tz::America::Santiago,
        from: "2026-04-04T12:00:00Z",
        to: "2026-04-05T12:00:00Z",
    };
    autumn.overlap(
        "0 30 23 * * *",
        &["04 23:30 -03:00"],
        &["04 23:30 -04:00"],
        &["04 23:30 -03:00", "04 23:30 -04:00"],
    );
    autumn.overlap(
        "@daily",
        &["05 00:00 -04:00"],
        &["05 00:00 -04:00"],
        &["05 00:00 -04:00"],
    );
}

#[test]
fn havana_has_no_midnight_on_one_day_and_two_on_another() {
    // From 00:00 to 01:00 on 8 March 2026, from 01:00 back to 00:00 on 1 November 2026.
    let spring = Change {
        zone: chrono_tz::America::Havana,
        from: "2026-03-07T12:00:00Z",
        to: "2026-03-09T03:59:59Z",
    };
    spring.gap("@daily", &["08 01:00 -04:00"], &[]);
    let autumn = Change {
        zone: chrono_tz::America::Havana,
        from: "2026-10-31T12:00:00Z",
        to: "2026-11-01T12:00:00Z",
    };
    autumn.overlap(
        "@daily",
        &["01 00:00 -04:00"],
        &["01 00:00 -05:00"],
        &["01 00:00 -04:00", "01 00:00 -05:00"],
    );
}

#[test]
fn apia_skipped_the_thirtieth_of_december_2011() {
    let change = Change {
        zone: chrono_tz::Pacific::Apia,
        from: "2011-12-29T10:00:00Z",
        to: "2012-01-01T09:59:59Z",
    };
    // The day after it has its own slot at the very end of the gap: one run.
    change.gap(
        "@daily",
        &["31 00:00 +14:00", "01 00:00 +14:00"],
        &["31 00:00 +14:00", "01 00:00 +14:00"],
    );
    change.gap(
        "0 0 12 * * *",
        &[
            "29 12:00 -10:00",
            "31 00:00 +14:00",
            "31 12:00 +14:00",
            "01 12:00 +14:00",
        ],
        &["29 12:00 -10:00", "31 12:00 +14:00", "01 12:00 +14:00"],
    );
    change.gap("0 0 12 30 12 *", &["31 00:00 +14:00"], &[]);
}

#[test]
fn kiritimati_skipped_new_year_s_eve_of_1994() {
    let change = Change {
        zone: chrono_tz::Pacific::Kiritimati,
        from: "1994-12-31T03:59:59Z",
        to: "1995-01-01T12:00:00Z",
    };
    change.gap(
        "0 0 18 * * *",
        &["30 18:00 -10:00", "01 00:00 +14:00", "01 18:00 +14:00"],
        &["30 18:00 -10:00", "01 18:00 +14:00"],
    );
    change.gap("0 0 12 31 12 *", &["01 00:00 +14:00"], &[]);
    // Since then its clock stands.
    let now = Change {
        zone: chrono_tz::Pacific::Kiritimati,
        from: "2026-03-07T12:00:00Z",
        to: "2026-03-09T11:59:59Z",
    };
    now.gap(
        "0 30 2 * * *",
        &["08 02:30 +14:00", "09 02:30 +14:00"],
        &["08 02:30 +14:00", "09 02:30 +14:00"],
    );
}

#[test]
fn a_slot_is_the_same_from_wherever_it_is_asked_for() {
    let zone = chrono_tz::America::New_York;
    for overlap in [Overlap::First, Overlap::Second, Overlap::Both] {
        let policy = DstPolicy::default().overlap(overlap);
        let trigger = Trigger::cron_with("0 10,50 1 * * *", zone, policy).unwrap();
        let all: Vec<_> = trigger.upcoming(at("2026-10-31T04:00:00Z"), 10).collect();
        let mut t = at("2026-10-31T04:00:00Z");
        while t < all[8] {
            let next = all.iter().find(|slot| **slot > t).copied();
            assert_eq!(trigger.next_after(t), next, "{overlap:?} after {t}");
            let newest = all.iter().rev().find(|slot| **slot <= t).copied();
            assert_eq!(
                trigger.newest_due(at("2026-10-31T04:00:00Z"), t),
                newest,
                "{overlap:?} at {t}"
            );
            t += chrono::TimeDelta::minutes(5);
        }
    }
}

#[test]
fn sub_daily_patterns_follow_elapsed_time_unless_set_to_the_wall_clock() {
    let zone = chrono_tz::America::New_York;
    let (from, to) = ("2026-11-01T04:00:00Z", "2026-11-01T08:00:00Z");
    let hourly = [
        "01 01:00 -04:00",
        "01 01:00 -05:00",
        "01 02:00 -05:00",
        "01 03:00 -05:00",
    ];
    for policy in [
        DstPolicy::default(),
        DstPolicy::default().gap(Gap::Skip),
        DstPolicy::default().overlap(Overlap::Second),
    ] {
        assert_eq!(slots("0 0 * * * *", zone, policy, from, to), hourly);
    }
    let by_the_clock = DstPolicy::default().sub_daily(SubDaily::TimesOfDay);
    assert_eq!(
        slots("0 0 * * * *", zone, by_the_clock, from, to),
        ["01 01:00 -04:00", "01 02:00 -05:00", "01 03:00 -05:00"]
    );
    let spring = |policy| {
        slots(
            "0 30 */2 * * *",
            zone,
            policy,
            "2026-03-08T05:00:00Z",
            "2026-03-08T09:00:00Z",
        )
    };
    assert_eq!(
        spring(DstPolicy::default()),
        ["08 00:30 -05:00", "08 04:30 -04:00"]
    );
    assert_eq!(
        spring(by_the_clock),
        ["08 00:30 -05:00", "08 03:00 -04:00", "08 04:30 -04:00"]
    );
}

#[test]
fn an_operator_reads_of_a_policy_that_is_not_the_usual() {
    let shown = |policy| {
        Trigger::cron_with("0 30 2 * * *", Tz::UTC, policy)
            .unwrap()
            .to_string()
    };
    let policy = DstPolicy::default();
    assert_eq!(shown(policy), "cron 0 30 2 * * *");
    assert_eq!(
        shown(policy.gap(Gap::Skip).overlap(Overlap::Both)),
        "cron 0 30 2 * * * (gap skipped, overlap twice)"
    );
    assert_eq!(
        shown(
            policy
                .overlap(Overlap::Second)
                .sub_daily(SubDaily::TimesOfDay)
        ),
        "cron 0 30 2 * * * (overlap second, hours by the wall clock)"
    );
}
