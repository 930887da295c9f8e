//! When a job is due.

mod cron;
mod dst;
mod spring;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use self::cron::Cron;

/// When a job is due. Its slots are a function of the trigger alone, so every node computes the same ones.
#[derive(Debug, Clone)]
pub struct Trigger(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron(Arc<Cron>),
    FixedDelay(TimeDelta),
    FixedRate(TimeDelta),
}

/// Why a trigger cannot be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TriggerError {
    /// The expression has five, seven or another wrong number of fields.
    #[error(
        "cron expression `{expression}` has {found} fields, it needs six (second minute hour day month weekday): {hint}"
    )]
    Fields {
        /// The expression as written.
        expression: String,
        /// How many fields it has.
        found: usize,
        /// What to write instead.
        hint: String,
    },
    /// One field cannot be read.
    #[error("cron expression `{expression}`: the {field} field `{text}` {problem}")]
    Field {
        /// The expression as written.
        expression: String,
        /// Which of the six fields.
        field: &'static str,
        /// That field as written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The expression reads well and names no day that ever comes, like 30 February.
    #[error("cron expression `{0}` never fires: no date matches it")]
    Never(String),
    /// An unknown `@macro`.
    #[error(
        "`{0}` is not a cron macro: use @yearly, @monthly, @weekly, @daily (or @midnight) or @hourly"
    )]
    Macro(String),
    /// A delay or a rate of zero, or too long to count.
    #[error("a period of {0:?} cannot be kept: use one between a millisecond and a thousand years")]
    Period(Duration),
}

impl Trigger {
    /// Slots of a six-field Spring cron expression, read in `zone`.
    ///
    /// Around a change of the zone's clock, a time of day that does not exist runs once at the next valid instant and one that
    /// occurs twice runs once, at the first. An expression whose hour is `*` or stepped keeps to elapsed
    /// time instead: it runs through both passes of a repeated hour and simply goes on after a skipped one.
    ///
    /// # Errors
    /// A [`TriggerError`] that points at the field.
    pub fn cron(expression: &str, zone: Tz) -> Result<Self, TriggerError> {
        Ok(Self(Kind::Cron(Arc::new(Cron::parse(expression, zone)?))))
    }

    /// A slot `delay` after the end of the last run, and on each [`wake`](crate::RunningScheduler::wake).
    ///
    /// # Errors
    /// [`TriggerError::Period`] for a delay below a millisecond or beyond a thousand years.
    pub fn fixed_delay(delay: Duration) -> Result<Self, TriggerError> {
        Ok(Self(Kind::FixedDelay(period(delay)?)))
    }

    /// Slots at the whole multiples of `rate` since the Unix epoch.
    ///
    /// # Errors
    /// [`TriggerError::Period`] for a rate below a millisecond or beyond a thousand years.
    pub fn fixed_rate(rate: Duration) -> Result<Self, TriggerError> {
        Ok(Self(Kind::FixedRate(period(rate)?)))
    }

    /// The first slot after `t`; for a fixed delay, with `t` taken as the end of the last run. `None` when there is none.
    #[must_use]
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Cron(cron) => cron.next_after(t),
            Kind::FixedDelay(delay) => t.checked_add_signed(*delay),
            Kind::FixedRate(rate) => multiple_at_or_before(*rate, t)?.checked_add_signed(*rate),
        }
    }

    /// The newest slot in `(after, now]`. A fixed delay has none: its slots depend on its runs.
    #[must_use]
    pub fn newest_due(&self, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Cron(cron) => cron.newest_due(after, now),
            Kind::FixedDelay(_) => None,
            Kind::FixedRate(rate) => multiple_at_or_before(*rate, now).filter(|slot| *slot > after),
        }
    }

    /// The zone a cron expression is read in.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        match &self.0 {
            Kind::Cron(cron) => Some(cron.zone()),
            Kind::FixedDelay(_) | Kind::FixedRate(_) => None,
        }
    }

    pub(crate) fn is_fixed_delay(&self) -> bool {
        matches!(self.0, Kind::FixedDelay(_))
    }

    pub(crate) fn is_cron(&self) -> bool {
        matches!(self.0, Kind::Cron(_))
    }
}

/// As an operator writes it: `cron 0 */10 * * * *`, `every 3s`.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron(cron) => write!(f, "cron {cron}"),
            Kind::FixedDelay(delay) => write!(f, "every {}", Human(*delay)),
            Kind::FixedRate(rate) => write!(f, "every {}", Human(*rate)),
        }
    }
}

fn period(duration: Duration) -> Result<TimeDelta, TriggerError> {
    TimeDelta::from_std(duration)
        .ok()
        .filter(|d| *d >= TimeDelta::milliseconds(1) && *d <= TimeDelta::days(366_000))
        .ok_or(TriggerError::Period(duration))
}

fn multiple_at_or_before(rate: TimeDelta, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let rate = rate.num_milliseconds();
    DateTime::from_timestamp_millis(t.timestamp_millis().div_euclid(rate) * rate)
}

/// A period in the largest unit that divides it.
struct Human(TimeDelta);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.num_milliseconds();
        match ms {
            _ if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            _ if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            _ if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            _ => write!(f, "{ms}ms"),
        }
    }
}
