//! Days of the month that croner does not read as Spring does.
//!
//! It knows no `L-3` and takes `L,LW` for `LW`. When the 31st is a Sunday it moves `31W` back to Friday the 29th, where
//! Spring has no day in that month.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::field::{Rule, Set};

/// The day-of-month field, judged here.
#[derive(Debug)]
pub(super) struct MonthDays(Set);

impl MonthDays {
    /// The field, when croner would not read it as Spring does.
    pub(super) fn unless_plain(field: &Set) -> Option<Self> {
        let has = |rule: Rule| field.rules.contains(&rule);
        let plain = field
            .rules
            .iter()
            .all(|rule| matches!(rule, Rule::BeforeLast(0) | Rule::LastWorkday))
            && !(has(Rule::BeforeLast(0)) && has(Rule::LastWorkday));
        (!plain).then(|| Self(field.clone()))
    }

    /// The first matching day on or after `date`, within a year: whatever is judged here comes every few months.
    pub(super) fn on_or_after(&self, date: NaiveDate) -> Option<NaiveDate> {
        let first = date.with_day(1)?;
        (0..12)
            .filter_map(|months| first.checked_add_months(Months::new(months)))
            .find_map(|first| {
                let length = u32::from(first.num_days_in_month());
                let days = (1..=length).filter_map(|day| first.with_day(day));
                days.into_iter()
                    .find(|day| *day >= date && self.matches(*day, length))
            })
    }

    fn matches(&self, date: NaiveDate, length: u32) -> bool {
        let day = date.day();
        self.0.values & (1 << day) != 0
            || self.0.rules.iter().any(|rule| match *rule {
                Rule::BeforeLast(back) => day + back == length,
                Rule::LastWorkday => is_workday(date) && last_workday(date, length) == Some(date),
                Rule::NearestWorkday(wanted) => {
                    wanted <= length && nearest_workday(date, wanted) == Some(date)
                }
                Rule::LastOf(_) | Rule::Nth(..) => false,
            })
    }
}

fn is_workday(date: NaiveDate) -> bool {
    !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

fn last_workday(date: NaiveDate, length: u32) -> Option<NaiveDate> {
    (length - 2..=length)
        .rev()
        .filter_map(|day| date.with_day(day))
        .find(|day| is_workday(*day))
}

/// Friday for a Saturday, Monday for a Sunday or for a Saturday the first. May lie in the next month, where no slot is.
fn nearest_workday(date: NaiveDate, wanted: u32) -> Option<NaiveDate> {
    let day = date.with_day(wanted)?;
    match day.weekday() {
        Weekday::Sat if wanted == 1 => day.checked_add_days(Days::new(2)),
        Weekday::Sat => day.pred_opt(),
        Weekday::Sun => day.succ_opt(),
        _ => Some(day),
    }
}
