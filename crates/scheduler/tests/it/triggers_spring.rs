//! Expressions and the dates that Spring Framework publishes for them, with rows of our own for what those leave out.
//!
//! They come from the documentation and the tests of its `CronExpression`.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use scheduler::{DstPolicy, Gap, Trigger};

use crate::support::at;

fn in_zone(zone: Tz, text: &str) -> DateTime<Utc> {
    let wall: NaiveDateTime = format!("{text}:00").get(..19).unwrap().parse().unwrap();
    zone.from_local_datetime(&wall).unwrap().to_utc()
}

/// Each line of `table` is an expression, a time, and the slots that follow it.
fn holds(zone: Tz, table: &str) {
    let rows = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let [expression, from, slots] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let expected: Vec<_> = slots.split(' ').map(|slot| in_zone(zone, slot)).collect();
        let trigger = Trigger::cron(expression, zone).unwrap();
        let slots: Vec<_> = trigger
            .upcoming(in_zone(zone, from), expected.len())
            .collect();
        assert_eq!(slots, expected, "{row} in {zone}");
    }
}

/// Published with a fixed date, or with "now", for which a date stands here.
const PUBLISHED: &str = "
* * * * * * | 2026-11-22T12:00:58 | 2026-11-22T12:00:59 2026-11-22T12:01:00
10 * * * * * | 2026-11-22T12:00:09 | 2026-11-22T12:00:10 2026-11-22T12:01:10
11 * * * * * | 2026-11-22T12:00:10 | 2026-11-22T12:00:11
10 * * * * * | 2026-11-22T12:00:11 | 2026-11-22T12:01:10
10-15 * * * * * | 2026-11-22T12:00:13 | 2026-11-22T12:00:14 2026-11-22T12:00:15 2026-11-22T12:01:10
0 * * * * * | 2026-11-22T12:10 | 2026-11-22T12:11 2026-11-22T12:12
0 11 * * * * | 2026-11-22T12:10 | 2026-11-22T12:11
0 10 * * * * | 2026-11-22T12:11 | 2026-11-22T13:10
0 0 * * * * | 2026-10-30T11:01 | 2026-10-30T12:00 2026-10-30T13:00
0 0 * * * * | 2026-09-10T23:01 | 2026-09-11T00:00
0 0 0 * * * | 2026-11-01T12:00 | 2026-11-02T00:00 2026-11-03T00:00
* * * 10 * * | 2026-11-09T12:34 | 2026-11-10T00:00 2026-11-10T00:00:01
* * * 10 * * | 2026-11-11T12:34 | 2026-12-10T00:00
0 0 0 * * * | 2026-09-30T12:00 | 2026-10-01T00:00 2026-10-02T00:00
0 0 0 * * * | 2026-08-30T12:00 | 2026-08-31T00:00 2026-09-01T00:00
0 0 0 1 * * | 2010-12-31T12:00 | 2011-01-01T00:00 2011-02-01T00:00
0 0 0 1 * * | 2026-10-30T12:00 | 2026-11-01T00:00 2026-12-01T00:00
0 0 0 31 * * | 2026-10-30T12:00 | 2026-10-31T00:00 2026-12-31T00:00
* * * * * 2 | 2026-11-23T12:00 | 2026-11-24T00:00
* * * * * 2 | 2026-11-25T12:00 | 2026-12-01T00:00
55 5 * * * * | 2026-11-22T12:04:54 | 2026-11-22T12:05:55 2026-11-22T13:05:55
55 * 10 * * * | 2026-11-22T09:30:54 | 2026-11-22T10:00:55 2026-11-22T10:01:55
* 5 10 * * * | 2026-11-22T09:04:30 | 2026-11-22T10:05 2026-11-22T10:05:01
55 * * 3 * * | 2026-11-02T12:30:54 | 2026-11-03T00:00:55 2026-11-03T00:01:55
* * * 3 11 * | 2026-10-02T12:30 | 2026-11-03T00:00 2026-11-03T00:00:01
0 0 0 29 2 * | 2007-02-10T12:00 | 2008-02-29T00:00 2012-02-29T00:00
0 0 7 ? * MON-FRI | 2009-09-26T12:00 | 2009-09-28T07:00 2009-09-29T07:00 2009-09-30T07:00
0 30 23 30 1/3 ? | 2010-12-30T12:00 | 2011-01-30T23:30 2011-04-30T23:30 2011-07-30T23:30
0 0 0 29 2 WED | 2012-02-29T01:00 | 2040-02-29T00:00
0 0 0 13 * FRI | 2018-07-31T11:47:14 | 2019-09-13T00:00 2019-12-13T00:00
0 15 12 */10 1-8 5 | 2021-04-30T12:14:59 | 2021-05-21T12:15 2021-06-11T12:15 2022-01-21T12:15
@yearly | 2026-10-10T12:00 | 2027-01-01T00:00 2028-01-01T00:00 2029-01-01T00:00
@annually | 2026-10-10T12:00 | 2027-01-01T00:00 2028-01-01T00:00
@monthly | 2026-10-10T12:00 | 2026-11-01T00:00 2026-12-01T00:00 2027-01-01T00:00
@weekly | 2026-11-22T12:00 | 2026-11-29T00:00 2026-12-06T00:00
@daily | 2026-11-22T12:00 | 2026-11-23T00:00 2026-11-24T00:00
@midnight | 2026-11-22T12:00 | 2026-11-23T00:00 2026-11-24T00:00
@hourly | 2026-11-22T12:00 | 2026-11-22T13:00 2026-11-22T14:00
0 0 0 L * * | 2008-01-04T12:00 | 2008-01-31T00:00 2008-02-29T00:00 2008-03-31T00:00 2008-04-30T00:00
0 0 0 L-3 * * | 2008-01-04T12:00 | 2008-01-28T00:00 2008-02-26T00:00 2008-03-28T00:00 2008-04-27T00:00
0 0 0 LW * * | 2008-01-04T12:00 | 2008-01-31T00:00 2008-02-29T00:00 2008-03-31T00:00 2008-04-30T00:00 2008-05-30T00:00 2008-06-30T00:00 2008-07-31T00:00 2008-08-29T00:00 2008-09-30T00:00 2008-10-31T00:00 2008-11-28T00:00 2008-12-31T00:00
0 0 0 * * 5L | 2008-01-04T12:00 | 2008-01-25T00:00 2008-02-29T00:00 2008-03-28T00:00 2008-04-25T00:00 2008-05-30T00:00 2008-06-27T00:00 2008-07-25T00:00 2008-08-29T00:00 2008-09-26T00:00 2008-10-31T00:00 2008-11-28T00:00 2008-12-26T00:00
0 0 0 15W * ? | 2020-01-01T00:00 | 2020-01-15T00:00 2020-02-14T00:00 2020-03-16T00:00 2020-04-15T00:00
0 0 0 1W * ? | 2019-12-31T00:00 | 2020-01-01T00:00 2020-02-03T00:00 2020-03-02T00:00 2020-04-01T00:00
0 0 0 1W * ? | 2022-01-01T00:00 | 2022-01-03T00:00
0 0 0 1W * ? | 2021-08-01T00:00 | 2021-08-02T00:00
# The 31st of May 2020 is a Sunday: the Monday after it is no day of May, and May has no slot.
0 0 0 31W * ? | 2020-01-01T00:00 | 2020-01-31T00:00 2020-03-31T00:00 2020-07-31T00:00 2020-08-31T00:00 2020-10-30T00:00 2020-12-31T00:00
0 0 0 ? * 5#2 | 2020-01-01T00:00 | 2020-01-10T00:00 2020-02-14T00:00 2020-03-13T00:00 2020-04-10T00:00
0 0 0 ? * FRI#2 | 2020-01-01T00:00 | 2020-01-10T00:00 2020-02-14T00:00 2020-03-13T00:00 2020-04-10T00:00
0 0 0 ? * 3#5 | 2020-01-01T00:00 | 2020-01-29T00:00 2020-04-29T00:00 2020-07-29T00:00 2020-09-30T00:00 2020-12-30T00:00
0 0 0 1W,15,LW * ? | 2019-12-30T00:00 | 2019-12-31T00:00 2020-01-01T00:00 2020-01-15T00:00 2020-01-31T00:00
0 0 0 ? * THU#1,THU#3,THU#5 | 2019-12-31T00:00 | 2020-01-02T00:00 2020-01-16T00:00 2020-01-30T00:00
0 0 * L * * | 2021-01-30T00:01 | 2021-01-31T00:00 2021-01-31T01:00 2021-01-31T02:00
0 0 * L-1 * * | 2021-01-29T00:01 | 2021-01-30T00:00 2021-01-30T01:00 2021-01-30T02:00
0 0 * 1W * * | 2021-01-31T00:01 | 2021-02-01T00:00 2021-02-01T01:00 2021-02-01T02:00
0 0 * LW * * | 2021-01-28T00:01 | 2021-01-29T00:00 2021-01-29T01:00 2021-01-29T02:00
0 0 * ? * FRI#5 | 2021-01-28T00:01 | 2021-01-29T00:00 2021-01-29T01:00 2021-01-29T02:00
0 0 * ? * FRIL | 2021-01-28T00:01 | 2021-01-29T00:00 2021-01-29T01:00 2021-01-29T02:00
0 0 0 ? * SUN-FRI | 2021-02-25T15:00 | 2021-02-26T00:00 2021-02-28T00:00 2021-03-01T00:00
3-57 13-28 17,18 1,15 3-12 6#1 | 2022-09-15T17:44:11 | 2022-10-01T17:13:03
*/28 56 22 */6 * * | 2022-02-27T08:00:42 | 2022-03-01T22:56 2022-03-01T22:56:28 2022-03-01T22:56:56
# The examples of the documentation.
*/10 * * * * * | 2026-11-22T12:00:41 | 2026-11-22T12:00:50 2026-11-22T12:01:00
0 0 8-10 * * * | 2026-11-22T08:30 | 2026-11-22T09:00 2026-11-22T10:00 2026-11-23T08:00
0 0 6,19 * * * | 2026-11-22T06:00 | 2026-11-22T19:00 2026-11-23T06:00
0 0/30 8-10 * * * | 2026-11-22T08:30 | 2026-11-22T09:00 2026-11-22T09:30 2026-11-22T10:00 2026-11-22T10:30 2026-11-23T08:00
0 0 9-17 * * MON-FRI | 2026-11-20T17:00 | 2026-11-23T09:00 2026-11-23T10:00
0 0 0 25 12 ? | 2026-12-25T00:00 | 2027-12-25T00:00
0 0 0 * * THUL | 2026-11-22T00:00 | 2026-11-26T00:00 2026-12-31T00:00
0 0 0 ? * MON#1 | 2026-11-22T00:00 | 2026-12-07T00:00 2027-01-04T00:00
";

/// What follows from Spring's documented rules, worked out with a calendar.
const FOLLOWS: &str = "
# Steps through the days of the week begin on Monday; 0 and 7 are Sunday.
0 0 0 * * */2 | 2026-11-22T00:00 | 2026-11-23T00:00 2026-11-25T00:00 2026-11-27T00:00 2026-11-29T00:00 2026-11-30T00:00
0 0 0 * * 0/2 | 2026-11-22T00:00 | 2026-11-24T00:00 2026-11-26T00:00 2026-11-28T00:00 2026-11-29T00:00
0 0 0 * * 7 | 2026-11-22T00:00 | 2026-11-29T00:00
0 0 0 * * 0 | 2026-11-22T00:00 | 2026-11-29T00:00
0 0 0 * * 7L | 2026-11-22T00:00 | 2026-11-29T00:00 2026-12-27T00:00
0 0 0 * * SUN#1 | 2026-11-22T00:00 | 2026-12-06T00:00 2027-01-03T00:00
0 0 0 * * 7-2 | 2026-11-22T00:00 | 2026-11-23T00:00 2026-11-24T00:00 2026-11-29T00:00
0 0 0 * * SAT-SUN | 2026-11-22T00:00 | 2026-11-28T00:00 2026-11-29T00:00 2026-12-05T00:00
0 0 0 * * wed,Fri | 2026-11-22T00:00 | 2026-11-25T00:00 2026-11-27T00:00 2026-12-02T00:00
0 0 0 * * MONL | 2026-11-22T00:00 | 2026-11-30T00:00 2026-12-28T00:00
0 0 0 * * FRIL,MON#1 | 2026-11-22T00:00 | 2026-11-27T00:00 2026-12-07T00:00 2026-12-25T00:00
0 0 0 * * TUE,SATL | 2026-11-24T00:00 | 2026-11-28T00:00 2026-12-01T00:00 2026-12-08T00:00
# Names go round the end, which Spring refuses.
0 0 0 * * SAT-MON/2 | 2026-11-22T00:00 | 2026-11-23T00:00 2026-11-28T00:00 2026-11-30T00:00
0 0 0 * * FRI-MON | 2026-11-25T00:00 | 2026-11-27T00:00 2026-11-28T00:00 2026-11-29T00:00 2026-11-30T00:00 2026-12-04T00:00
0 0 0 1 NOV-FEB * | 2026-11-22T00:00 | 2026-12-01T00:00 2027-01-01T00:00 2027-02-01T00:00 2027-11-01T00:00
0 0 0 1 nov-feb/2 * | 2026-11-22T00:00 | 2027-01-01T00:00 2027-11-01T00:00
0 0 0 1 JAN,jul * | 2026-11-22T00:00 | 2027-01-01T00:00 2027-07-01T00:00
0 0 0 1 4-10/3 ? | 2026-11-22T00:00 | 2027-04-01T00:00 2027-07-01T00:00 2027-10-01T00:00 2028-04-01T00:00
0 0/15 * * * * | 2026-11-22T12:46 | 2026-11-22T13:00 2026-11-22T13:15
0 50/4 * * * * | 2026-11-22T12:51 | 2026-11-22T12:54 2026-11-22T12:58 2026-11-22T13:50
0 5-20/5,40 9 * * * | 2026-11-22T09:15 | 2026-11-22T09:20 2026-11-22T09:40 2026-11-23T09:05
0 0 0 L,LW * * | 2026-10-30T00:00 | 2026-10-31T00:00 2026-11-30T00:00 2026-12-31T00:00 2027-01-29T00:00 2027-01-31T00:00
0 0 0 5,L-3,LW * * | 2026-11-22T00:00 | 2026-11-27T00:00 2026-11-30T00:00 2026-12-05T00:00 2026-12-28T00:00 2026-12-31T00:00
0 0 0 L-30 * * | 2026-11-22T00:00 | 2026-12-01T00:00 2027-01-01T00:00 2027-03-01T00:00
0 0 0 L-28 2 * | 2026-11-22T00:00 | 2028-02-01T00:00 2032-02-01T00:00
0 0 0 28W 2 * | 2026-11-22T00:00 | 2028-02-28T00:00 2029-02-28T00:00 2030-02-28T00:00
0 0 0 30W * * | 2026-01-31T00:00 | 2026-03-30T00:00 2026-04-30T00:00 2026-05-29T00:00
0 0 0 L * FRI | 2026-11-22T00:00 | 2027-04-30T00:00 2027-12-31T00:00
0 0 0 29W 2 MON | 2026-11-22T00:00 | 2044-02-29T00:00 2072-02-29T00:00
";

#[test]
fn every_published_example_runs_when_spring_says() {
    holds(Tz::UTC, PUBLISHED);
}

#[test]
fn days_that_spring_s_rules_lead_to_are_the_slots() {
    holds(Tz::UTC, FOLLOWS);
}

#[test]
fn the_same_wall_clock_times_are_the_slots_in_zones_that_change_their_clock() {
    // A date of each row may lie on a change of the clock at 02:00 or so: none of these rows does.
    for zone in [
        chrono_tz::America::New_York,
        chrono_tz::Australia::Lord_Howe,
        chrono_tz::Asia::Seoul,
        chrono_tz::Pacific::Kiritimati,
    ] {
        holds(zone, PUBLISHED);
        holds(zone, FOLLOWS);
    }
}

#[test]
fn the_changes_of_the_clock_that_spring_publishes_run_when_it_says() {
    for (expression, from, expected) in [
        (
            "0 0 9 * * *",
            "2021-03-27T08:00:00Z",
            "2021-03-28T07:00:00Z",
        ),
        (
            "0 0 9 * * *",
            "2021-10-30T07:00:00Z",
            "2021-10-31T08:00:00Z",
        ),
        (
            "0 5 0 * * *",
            "2021-03-28T00:00:00Z",
            "2021-03-28T22:05:00Z",
        ),
        (
            "0 0 0 * * *",
            "2021-10-30T10:00:00Z",
            "2021-10-30T22:00:00Z",
        ),
        (
            "0 0 0 * * *",
            "2021-10-30T22:00:00Z",
            "2021-10-31T23:00:00Z",
        ),
    ] {
        let trigger = Trigger::cron(expression, chrono_tz::Europe::Amsterdam).unwrap();
        assert_eq!(
            trigger.next_after(at(from)),
            Some(at(expected)),
            "{expression} after {from}"
        );
    }
}

#[test]
fn a_time_that_does_not_exist_is_skipped_as_by_spring_only_when_asked_to() {
    let next = |policy| {
        Trigger::cron_with("0 10 2 * * *", chrono_tz::Europe::Amsterdam, policy)
            .unwrap()
            .next_after(at("2013-03-31T00:09:00Z"))
    };
    let spring = DstPolicy::default().gap(Gap::Skip);
    assert_eq!(next(spring), Some(at("2013-04-01T00:10:00Z")));
    assert_eq!(next(DstPolicy::default()), Some(at("2013-03-31T01:00:00Z")));
}

/// What is refused, and what is said of it.
const REFUSED: &str = "
99 99 * * * * -> the second field `99`
60 * * * * * -> the second field `60` has `60`, which must be 0 to 59
0 60 * * * * -> the minute field `60` has `60`, which must be 0 to 59
0 0 24 * * * -> the hour field `24` has `24`, which must be 0 to 23
0 0 0 0 * * -> the day-of-month field `0` has `0`, which must be 1 to 31
0 0 0 32 * * -> must be 1 to 31
0 0 0 * 0 * -> the month field `0` has `0`, which must be 1 to 12 or JAN to DEC
0 0 0 * 13 * -> must be 1 to 12 or JAN to DEC
0 0 0 * * 8 -> the day-of-week field `8` has `8`, which must be 0 to 7 or MON to SUN
0 0 0 * * MOM -> did you mean MON?
0 0 0 * january * -> did you mean JAN?
0 0 0 * * MON-8 -> the day-of-week field `MON-8` has `8`
0 0 0 * JAN#1 * -> the month field `JAN#1` has `JAN#1`
*/61 * * * * * -> the second field `*/61` steps by `61`, which must be 1 to 59
0 */61 * * * * -> the minute field `*/61` steps by `61`, which must be 1 to 59
0 0 */24 * * * -> steps by `24`, which must be 1 to 23
0 */0 * * * * -> steps by `0`, which must be 1 to 59
0 */+5 * * * * -> steps by `+5`
0 */ * * * * -> steps by ``
0 */5/5 * * * * -> steps by `5/5`
0 0 22-2 * * * -> has the range `22-2` backwards: one that goes round the end is written `22-23,0-2`
0 0 0 * * 5-1 -> `5-7,1-1`
0 5- * * * * -> the minute field `5-` has ``
0 -5 * * * * -> the minute field `-5` has ``
0 1,,2 * * * * -> has an empty part
? * * * * * -> the second field `?` is for the two day fields only: write `*`
0 0 0 ?,1 * * -> the day-of-month field `?,1` has `?`
0 0 0 L-0 * * -> must be L-1 to L-30
0 0 0 L-31 * * -> must be L-1 to L-30
0 0 0 L-3W * * -> must be L-1 to L-30
0 0 0 W * * -> write `15W`, or `LW`
0 0 0 32W * * -> must be 1 to 31
0 0 0 1-5W * * -> the day-of-month field `1-5W` has `1-5`
0 0 0 5L * * -> the day-of-month field `5L`
0 0 0 * * L -> has `L` without a weekday: write `5L` or `FRIL`
0 0 0 * * 15W -> the day-of-week field `15W`
0 0 0 * * MON#0 -> occurrence `0` of a weekday, which must be 1 to 5
0 0 0 * * MON#6 -> occurrence `6` of a weekday, which must be 1 to 5
0 0 0 * * MON# -> occurrence `` of a weekday
0 0 0 * * #1 -> the day-of-week field `#1` has ``
0 0 L * * * -> the hour field `L` has `L`
0 */10 * * * -> has 5 fields, it needs six (second minute hour day month weekday): put the second first, as in `0 0 */10 * * *`
* * * * * * * -> there is no year field; leave it out
 -> has 0 fields
* -> has 1 fields
@fortnightly -> `@fortnightly` is not a cron macro: use @yearly
0 0 0 31 6 * -> never fires
0 0 0 30W 2 * -> never fires
0 0 0 L-30 2 * -> never fires
0 0 0 31W * SUN -> never fires
";

#[test]
fn what_is_wrong_is_said_with_the_field_and_what_would_be_right() {
    for (expression, said) in REFUSED.lines().filter_map(|line| line.split_once(" -> ")) {
        let error = Trigger::cron(expression, Tz::UTC).unwrap_err().to_string();
        assert!(error.contains(said), "{expression}: {error}");
    }
}
