//! Time comes in from outside, so that a test can move a week in a millisecond.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The clock of a room: what time is it?
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The calendar day of an instant in a zone, whatever the zone of the server.
pub fn day(zone: Tz, instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

/// The first instant of a calendar day in a zone. Where midnight does not exist that day, the first minute that does.
pub fn start_of_day(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    (0..24 * 60)
        .find_map(|minute| {
            zone.from_local_datetime(&(midnight + TimeDelta::minutes(minute)))
                .earliest()
        })
        .map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia};

    use super::*;

    #[test]
    fn one_second_before_and_after_midnight_in_seoul_are_different_days() {
        let before: DateTime<Utc> = "2026-11-22T14:59:59Z".parse().unwrap();
        let after: DateTime<Utc> = "2026-11-22T15:00:01Z".parse().unwrap();
        assert_eq!(day(Asia::Seoul, before).to_string(), "2026-11-22");
        assert_eq!(day(Asia::Seoul, after).to_string(), "2026-11-23");
    }

    #[test]
    fn a_day_without_a_midnight_starts_at_its_first_instant() {
        let day = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        let start = start_of_day(America::Sao_Paulo, day);
        assert_eq!(start.to_rfc3339(), "2018-11-04T03:00:00+00:00");
    }
}
