//! Expressions as a test makes them up, and their slots by brute force.
//!
//! Nothing is shared with the crate's own code. Parts of a field are matched one by one, on a walk over the minutes of
//! five years.

use std::fmt::Write;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;

/// `*`, `5`, `5-9`, each with a step or not.
#[derive(Debug, Clone, Copy)]
struct Part {
    range: Option<(u32, Option<u32>)>,
    step: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Day {
    Part(Part),
    /// `L`, `L-3`.
    FromLast(u32),
    LastWorkday,
    Nearest(u32),
    /// `5L`, `5#2`.
    LastOf(u32),
    Nth(u32, u32),
}

/// An expression with second 0.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    minute: Vec<Part>,
    hour: Vec<Part>,
    day_of_month: Vec<Day>,
    month: Vec<Part>,
    day_of_week: Vec<Day>,
    /// Months and weekdays by name.
    named: bool,
}

const MONTHS: [&str; 13] = [
    "0", "JAN", "feb", "MAR", "Apr", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "wed", "THU", "Fri", "SAT", "SUN"];

impl Part {
    fn write(&self, names: Option<&[&str]>) -> String {
        let value = |n: u32| names.map_or(n.to_string(), |names| names[n as usize].to_owned());
        let mut text = match self.range {
            None => "*".to_owned(),
            Some((from, None)) => value(from),
            Some((from, Some(to))) => format!("{}-{}", value(from), value(to)),
        };
        if let Some(step) = self.step {
            write!(text, "/{step}").unwrap();
        }
        text
    }

    fn matches(&self, n: u32, min: u32, max: u32) -> bool {
        let step = self.step.unwrap_or(1);
        match self.range {
            None => n >= min && (n - min).is_multiple_of(step),
            Some((only, None)) if self.step.is_none() => n == only,
            Some((from, None)) => n >= from && (n - from).is_multiple_of(step),
            Some((from, Some(to))) if from <= to => {
                (from..=to).contains(&n) && (n - from).is_multiple_of(step)
            }
            Some((from, Some(to))) => {
                let turn = max - min + 1;
                let along = (n + turn - from) % turn;
                along <= to + turn - from && along.is_multiple_of(step)
            }
        }
    }
}

fn workday(date: NaiveDate) -> bool {
    date.weekday().number_from_monday() <= 5
}

impl Day {
    fn write(&self, names: Option<&[&str]>) -> String {
        let value = |n: u32| names.map_or(n.to_string(), |names| names[n as usize].to_owned());
        match *self {
            Day::Part(part) => part.write(names),
            Day::FromLast(0) => "L".to_owned(),
            Day::FromLast(back) => format!("L-{back}"),
            Day::LastWorkday => "LW".to_owned(),
            Day::Nearest(day) => format!("{day}W"),
            Day::LastOf(weekday) => format!("{}L", value(weekday)),
            Day::Nth(weekday, nth) => format!("{}#{nth}", value(weekday)),
        }
    }

    fn matches_day_of_month(&self, date: NaiveDate) -> bool {
        let left = (1..=31)
            .take_while(|days| (date + TimeDelta::days(*days)).month() == date.month())
            .count() as u32;
        match *self {
            Day::Part(part) => part.matches(date.day(), 1, 31),
            Day::FromLast(back) => left == back,
            Day::LastWorkday => {
                workday(date)
                    && (1..=i64::from(left)).all(|days| !workday(date + TimeDelta::days(days)))
            }
            Day::Nearest(wanted) => {
                let is = |days: i64, weekday| {
                    let other = date + TimeDelta::days(days);
                    (other.year(), other.month(), other.day())
                        == (date.year(), date.month(), wanted)
                        && other.weekday() == weekday
                };
                (workday(date) && date.day() == wanted)
                    || is(1, Weekday::Sat)
                    || is(-1, Weekday::Sun)
                    || (wanted == 1 && is(-2, Weekday::Sat))
            }
            Day::LastOf(_) | Day::Nth(..) => unreachable!(),
        }
    }

    fn matches_day_of_week(&self, date: NaiveDate) -> bool {
        let number = date.weekday().number_from_monday();
        let same = |weekday: u32| weekday % 7 == number % 7;
        match *self {
            // A range that begins on Sunday begins the week.
            Day::Part(Part {
                range: Some((7, Some(to))),
                step,
            }) => {
                let part = Part {
                    range: Some((0, Some(to))),
                    step,
                };
                part.matches(number, 0, 7) || (number == 7 && part.matches(0, 0, 7))
            }
            Day::Part(part) => {
                // Sunday is 0 as well, but not on the way round the end of the week, which it is passed on once.
                let goes_round = matches!(part.range, Some((from, Some(to))) if from > to);
                let also_zero = part.range.is_some() && !goes_round && number == 7;
                part.matches(number, 1, 7) || (also_zero && part.matches(0, 0, 7))
            }
            Day::LastOf(weekday) => {
                same(weekday) && (date + TimeDelta::days(7)).month() != date.month()
            }
            Day::Nth(weekday, nth) => same(weekday) && (date.day() - 1) / 7 + 1 == nth,
            Day::FromLast(_) | Day::LastWorkday | Day::Nearest(_) => unreachable!(),
        }
    }
}

impl Written {
    pub(crate) fn expression(&self) -> String {
        fn list<T>(parts: &[T], write: impl Fn(&T) -> String) -> String {
            parts.iter().map(write).collect::<Vec<_>>().join(",")
        }
        let months = self.named.then_some(&MONTHS[..]);
        let weekdays = self.named.then_some(&WEEKDAYS[..]);
        format!(
            "0 {} {} {} {} {}",
            list(&self.minute, |part| part.write(None)),
            list(&self.hour, |part| part.write(None)),
            list(&self.day_of_month, |day| day.write(None)),
            list(&self.month, |part| part.write(months)),
            list(&self.day_of_week, |day| day.write(weekdays)),
        )
    }

    pub(crate) fn matches_date(&self, date: NaiveDate) -> bool {
        self.month
            .iter()
            .any(|part| part.matches(date.month(), 1, 12))
            && self
                .day_of_month
                .iter()
                .any(|day| day.matches_day_of_month(date))
            && self
                .day_of_week
                .iter()
                .any(|day| day.matches_day_of_week(date))
    }

    pub(crate) fn matches_hour(&self, hour: u32) -> bool {
        self.hour.iter().any(|part| part.matches(hour, 0, 23))
    }

    pub(crate) fn matches_minute(&self, minute: u32) -> bool {
        self.minute.iter().any(|part| part.matches(minute, 0, 59))
    }

    fn sub_daily(&self) -> bool {
        self.hour.iter().any(|part| part.step.is_some())
            || (0..24).all(|hour| self.matches_hour(hour))
    }

    /// Whether each minute of a day is due, and each day from `first` on.
    fn tables(&self, first: NaiveDate, days: usize) -> (Vec<bool>, Vec<bool>) {
        let minutes = (0..24 * 60)
            .map(|minute| self.matches_hour(minute / 60) && self.matches_minute(minute % 60));
        let days = first
            .iter_days()
            .take(days)
            .map(|date| self.matches_date(date));
        (minutes.collect(), days.collect())
    }
}

/// A stretch of minutes since 1970 in which the zone's clock is ahead of UTC by so many minutes.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: i64,
    to: i64,
    ahead: i64,
}

pub(crate) const ZONES: [Tz; 5] = [
    chrono_tz::Asia::Seoul,
    chrono_tz::America::New_York,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Pacific::Kiritimati,
    Tz::UTC,
];

/// 1 January 2024 to 2029, in minutes since 1970.
pub(crate) const FROM: i64 = 28_401_120;
pub(crate) const TO: i64 = FROM + (5 * 365 + 2) * 24 * 60;

pub(crate) fn time(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).unwrap()
}

/// The offsets of each zone, looked up every half hour: no zone of these changes its clock at another minute.
pub(crate) static STRETCHES: LazyLock<Vec<Vec<Stretch>>> = LazyLock::new(|| {
    ZONES
        .iter()
        .map(|zone| {
            let mut stretches: Vec<Stretch> = Vec::new();
            for from in (FROM..TO).step_by(30) {
                let offset = zone.offset_from_utc_datetime(&time(from).naive_utc()).fix();
                let ahead = i64::from(offset.local_minus_utc()) / 60;
                match stretches.last_mut() {
                    Some(last) if last.ahead == ahead => last.to = from + 30,
                    _ => stretches.push(Stretch {
                        from,
                        to: from + 30,
                        ahead,
                    }),
                }
            }
            stretches
        })
        .collect()
});

/// Every slot of the five years, minute by minute of the days that match, under the usual policy.
pub(crate) fn brute_force(written: &Written, stretches: &[Stretch]) -> Vec<i64> {
    const DAY: i64 = 24 * 60;
    // Local time may be a day off from UTC's.
    let first_day = FROM / DAY - 1;
    let first = time(first_day * DAY).date_naive();
    let (minutes, days) = written.tables(first, ((TO - FROM) / DAY) as usize + 3);
    let due =
        |local: i64| days[(local / DAY - first_day) as usize] && minutes[(local % DAY) as usize];
    let sub_daily = written.sub_daily();
    let mut slots = Vec::new();
    // What the clock has shown up to, in a time of day's eyes.
    let mut shown = stretches[0].from + stretches[0].ahead;
    for stretch in stretches {
        let begin = stretch.from + stretch.ahead;
        if !sub_daily && (shown..begin).any(due) {
            slots.push(stretch.from);
        }
        let mut local = begin;
        while local < stretch.to + stretch.ahead {
            if !days[(local / DAY - first_day) as usize] {
                local = (local / DAY + 1) * DAY;
                continue;
            }
            let minute = local - stretch.ahead;
            if (sub_daily || local >= shown) && due(local) && slots.last() != Some(&minute) {
                slots.push(minute);
            }
            local += 1;
        }
        shown = shown.max(stretch.to + stretch.ahead);
    }
    slots
}

fn part(min: u32, max: u32, round: bool) -> impl Strategy<Value = Part> {
    let value = min..=max;
    let range = prop_oneof![
        1 => Just(None),
        4 => value.clone().prop_map(|n| Some((n, None))),
        2 => (value.clone(), value).prop_map(move |(a, b)| Some(if round { (a, Some(b)) } else { (a.min(b), Some(a.max(b))) })),
    ];
    let step = prop_oneof![3 => Just(None), 1 => (1..=max - min.max(1)).prop_map(Some)];
    (range, step).prop_map(|(range, step)| Part { range, step })
}

fn some<T: std::fmt::Debug>(part: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(part, 1..4)
}

const ANY: Part = Part {
    range: None,
    step: None,
};

pub(crate) fn written() -> impl Strategy<Value = Written> {
    any::<bool>().prop_flat_map(|named| {
        let day_of_month = prop_oneof![
            2 => Just(vec![Day::Part(ANY)]),
            3 => some(prop_oneof![
                4 => part(1, 31, false).prop_map(Day::Part),
                1 => (0_u32..31).prop_map(Day::FromLast),
                1 => Just(Day::LastWorkday),
                2 => (1_u32..=31).prop_map(Day::Nearest),
            ]),
        ];
        let day_of_week = prop_oneof![
            3 => Just(vec![Day::Part(ANY)]),
            2 => some(prop_oneof![
                3 => part(u32::from(named), 7, named).prop_map(Day::Part),
                1 => (0_u32..=7).prop_map(Day::LastOf),
                1 => (0_u32..=7, 1_u32..=5).prop_map(|(weekday, nth)| Day::Nth(weekday, nth)),
            ]),
        ];
        let month = prop_oneof![2 => Just(vec![ANY]), 1 => some(part(1, 12, named))];
        let hour = prop_oneof![1 => Just(vec![ANY]), 3 => some(part(0, 23, false))];
        (
            some(part(0, 59, false)),
            hour,
            day_of_month,
            month,
            day_of_week,
        )
            .prop_map(
                move |(minute, hour, day_of_month, month, day_of_week)| Written {
                    minute,
                    hour,
                    day_of_month,
                    month,
                    day_of_week,
                    named,
                },
            )
    })
}
