//! A cron expression in a zone.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use super::{TriggerError, dst, spring};

/// A Spring cron expression read in a zone. Wall-clock matching is croner's; what happens where the
/// zone's clock jumps is ours (`dst`).
#[derive(Debug)]
pub(super) struct Cron {
    written: String,
    pattern: croner::Cron,
    zone: Tz,
    elapsed: bool,
}

impl Cron {
    pub(super) fn parse(expression: &str, zone: Tz) -> Result<Self, TriggerError> {
        let fields = spring::fields(expression)?;
        let pattern = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .sloppy_ranges(true)
            .build()
            .parse(&fields.join(" "))
            .map_err(|error| TriggerError::Field {
                expression: expression.to_owned(),
                field: "whole",
                text: fields.join(" "),
                problem: format!("cannot be read: {error}"),
            })?;
        let hours = &fields[2];
        let elapsed = hours.contains('/') || pattern.pattern.hours.values().len() == 24;
        let cron = Self {
            written: expression.trim().to_owned(),
            pattern,
            zone,
            elapsed,
        };
        match cron.next_wall(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(cron),
            None => Err(TriggerError::Never(cron.written)),
        }
    }

    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    pub(super) fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.elapsed {
            self.next_elapsed(t)
        } else {
            self.next_time_of_day(t)
        }
    }

    /// Looks back in growing steps, so that a long stall costs no walk through all that was missed.
    pub(super) fn newest_due(
        &self,
        after: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let mut back = TimeDelta::seconds(2);
        loop {
            let from = (now - back).max(after);
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

    /// A wall-clock time maps to its first instant, or to the end of the gap that swallowed it. That mapping never
    /// goes back, so the first wall-clock match beyond `t`'s own is the one, except inside a repeated hour.
    fn next_time_of_day(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = dst::wall(self.zone, t);
        loop {
            wall = self.next_wall(wall)?;
            let instant = dst::first_instant(self.zone, wall)?;
            if instant > t {
                return Some(instant);
            }
        }
    }

    fn next_elapsed(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ahead = self.next_existing(dst::wall(self.zone, t), t)?;
        let second_pass = dst::second_pass_begins(self.zone, t).and_then(|begin| {
            let just_before = dst::wall(self.zone, begin) - TimeDelta::seconds(1);
            self.next_existing(just_before, begin - TimeDelta::seconds(1))
        });
        Some(second_pass.map_or(ahead, |again| ahead.min(again)))
    }

    /// The first match after `wall` that names an instant later than `t`; skipped wall-clock times do not.
    fn next_existing(&self, mut wall: NaiveDateTime, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        loop {
            wall = self.next_wall(wall)?;
            if let Some(instant) = dst::instants(self.zone, wall).find(|instant| *instant > t) {
                return Some(instant);
            }
        }
    }

    fn next_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        self.pattern.find_next_occurrence(&after, false).ok()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
