//! A trigger as an operator reads it.

use std::fmt;

use chrono::{SecondsFormat, TimeDelta};

use super::{Kind, Trigger};

/// As an operator writes it: `cron 0 */10 * * * *`, `every 3s`, `once at 2026-11-22T12:00:00Z`. What differs from the
/// usual stands behind it: `cron @daily (gap skipped) (jitter 5m)`.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Cron(cron) => write!(f, "cron {}{}", cron.written(), cron.policy())?,
            Kind::FixedDelay(delay) => write!(f, "every {}", Human(*delay))?,
            Kind::FixedRate(rate) => write!(f, "every {}", Human(*rate))?,
            Kind::Once(at) => write!(
                f,
                "once at {}",
                at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            )?,
        }
        if self.jitter.is_zero() {
            return Ok(());
        }
        write!(f, " (jitter {})", Human(self.jitter))
    }
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
