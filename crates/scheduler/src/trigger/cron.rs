//! A cron expression in a zone.

use chrono::{DateTime, Months, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use super::days::MonthDays;
use super::error::TriggerError;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, Rule, SECOND, Set};
use super::policy::{DstPolicy, Gap, Overlap};
use super::{dst, spring};

/// A Spring cron expression read in a zone.
///
/// Wall-clock matching is croner's. What croner reads differently from Spring is ours (`field`, `days`), and so is what
/// happens where the zone's clock jumps (`dst`).
#[derive(Debug)]
pub(super) struct Cron {
    written: String,
    pattern: croner::Cron,
    days: Option<MonthDays>,
    zone: Tz,
    policy: DstPolicy,
    gap: Gap,
    overlap: Overlap,
}

impl Cron {
    pub(super) fn parse(
        expression: &str,
        zone: Tz,
        policy: DstPolicy,
    ) -> Result<Self, TriggerError> {
        let read = spring::parse(expression)?;
        let days = MonthDays::unless_plain(&read.day_of_month);
        let fields = [
            in_croner(&SECOND, &read.second),
            in_croner(&MINUTE, &read.minute),
            in_croner(&HOUR, &read.hour),
            match days {
                Some(_) => "*".to_owned(),
                None => in_croner(&DAY_OF_MONTH, &read.day_of_month),
            },
            in_croner(&MONTH, &read.month),
            in_croner(&DAY_OF_WEEK, &read.day_of_week),
        ];
        let pattern = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build()
            .parse(&fields.join(" "))
            .map_err(|error| TriggerError::Field {
                expression: expression.to_owned(),
                field: "whole",
                text: fields.join(" "),
                problem: format!("cannot be read: {error}"),
            })?;
        let (gap, overlap) = policy.rules(read.sub_daily);
        let cron = Self {
            written: expression.trim().to_owned(),
            pattern,
            days,
            zone,
            policy,
            gap,
            overlap,
        };
        match cron.next_wall(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(cron),
            None => Err(TriggerError::Never(cron.written)),
        }
    }

    pub(super) fn written(&self) -> &str {
        &self.written
    }

    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    pub(super) fn policy(&self) -> DstPolicy {
        self.policy
    }

    /// The first slot after `t`. Later wall-clock times are later slots, with one exception. In the second pass of a
    /// repeated stretch, times that the first pass has shown already are still to come.
    pub(super) fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let t = t.max(FIRST);
        if t >= LAST {
            return None;
        }
        let ahead = self.first_slot(dst::wall(self.zone, t), t);
        if self.overlap == Overlap::First {
            return ahead;
        }
        let second_pass = dst::second_pass_begins(self.zone, t).and_then(|begins| {
            let just_before = begins - TimeDelta::seconds(1);
            let wall = dst::wall(self.zone, begins) - TimeDelta::seconds(1);
            self.first_slot(wall, just_before)
        });
        ahead.into_iter().chain(second_pass).min()
    }

    /// Looks back in growing steps, so that a long stall costs no walk through all that was missed.
    pub(super) fn newest_due(
        &self,
        after: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let now = now.min(LAST);
        let mut back = TimeDelta::seconds(2);
        loop {
            let from = now
                .checked_sub_signed(back)
                .map_or(after, |from| from.max(after));
            let mut newest = None;
            let mut cursor = from;
            while let Some(slot) = self.next_after(cursor).filter(|slot| *slot <= now) {
                newest = Some(slot);
                cursor = slot;
            }
            if newest.is_some() || from <= after {
                return newest;
            }
            back = back * 8;
        }
    }

    /// The slot after `t` that belongs to the first wall-clock match after `wall`.
    fn first_slot(&self, mut wall: NaiveDateTime, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        loop {
            wall = self.next_wall(wall)?;
            if let Some(slot) = self.slots_at(wall).into_iter().flatten().find(|at| *at > t) {
                return Some(slot);
            }
        }
    }

    fn slots_at(&self, wall: NaiveDateTime) -> [Option<DateTime<Utc>>; 2] {
        match (dst::instants(self.zone, wall), self.overlap, self.gap) {
            ((None, _), _, Gap::Skip) => [None, None],
            ((None, _), _, Gap::RunAtEnd) => [dst::gap_end(self.zone, wall), None],
            ((Some(only), None), ..) => [Some(only), None],
            ((first, Some(_)), Overlap::First, _) => [first, None],
            ((_, second), Overlap::Second, _) => [second, None],
            ((first, second), Overlap::Both, _) => [first, second],
        }
    }

    fn next_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let give_up = after.checked_add_months(RAREST)?;
        let mut after = after;
        while after < give_up {
            let wall = self.pattern.find_next_occurrence(&after, false).ok()?;
            let Some(days) = &self.days else {
                return Some(wall);
            };
            let date = days.on_or_after(wall.date())?;
            if date == wall.date() {
                return Some(wall);
            }
            after = date.and_time(NaiveTime::MIN) - TimeDelta::seconds(1);
        }
        None
    }
}

/// Slots lie between the years 10 and 4900: where croner looks, less what an offset or a step back crosses.
const FIRST: DateTime<Utc> = second_of_time(-61_851_600_000);
const LAST: DateTime<Utc> = second_of_time(92_465_280_000);

const fn second_of_time(second: i64) -> DateTime<Utc> {
    match DateTime::from_timestamp(second, 0) {
        Some(t) => t,
        None => DateTime::UNIX_EPOCH,
    }
}

/// What does not come in a century never comes: a leap day on a given weekday comes after forty years at the most.
const RAREST: Months = Months::new(100 * 12);

/// A field in croner's words: lists of numbers. Croner steps through weekdays from Sunday, where Spring begins on
/// Monday, and accepts steps that lead nowhere.
fn in_croner(field: &Field, set: &Set) -> String {
    if set.values == field.all() {
        return "*".to_owned();
    }
    let values = (0..64)
        .filter(|n| set.values & (1 << n) != 0)
        .map(|n| n.to_string());
    let rules = set.rules.iter().filter_map(|rule| match rule {
        Rule::BeforeLast(0) => Some("L".to_owned()),
        Rule::LastWorkday => Some("LW".to_owned()),
        Rule::LastOf(weekday) => Some(format!("{weekday}L")),
        Rule::Nth(weekday, nth) => Some(format!("{weekday}#{nth}")),
        // A field with one of these is judged whole by `days`.
        Rule::BeforeLast(_) | Rule::NearestWorkday(_) => None,
    });
    values.chain(rules).collect::<Vec<_>>().join(",")
}
