//! What happens to a time of day where the zone's clock jumps.

use std::fmt;

/// What happens to a wall-clock time that the clock skips, as when it goes from 02:00 to 03:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gap {
    /// It runs at the end of the gap, once however many times were skipped.
    #[default]
    RunAtEnd,
    /// It does not run that day. This is what Spring does.
    Skip,
}

/// What happens to a wall-clock time that the clock shows twice, as when it goes from 02:00 back to 01:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// It runs the first time.
    #[default]
    First,
    /// It runs the second time.
    Second,
    /// It runs both times.
    Both,
}

/// How an expression whose hour is `*` or stepped is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SubDaily {
    /// It follows elapsed time: it goes on after a gap and runs through both passes of an overlap.
    #[default]
    Elapsed,
    /// Its times follow [`Gap`] and [`Overlap`] as those of any other expression do.
    TimesOfDay,
}

/// How a cron expression behaves around a change of its zone's clock (daylight saving time, or a zone that moves).
///
/// The default runs each time of day once: at the end of a gap, at the first of two. Expressions whose hour is `*` or
/// stepped follow elapsed time instead.
///
/// ```
/// use scheduler::{DstPolicy, Gap, Trigger};
///
/// // New York's clock went from 02:00 to 03:00 on 8 March 2026.
/// let zone = chrono_tz::America::New_York;
/// let before = "2026-03-08T05:00:00Z".parse()?;
/// let default = Trigger::cron("0 30 2 * * *", zone)?;
/// assert_eq!(default.next_after(before), Some("2026-03-08T07:00:00Z".parse()?));
/// let skipped = Trigger::cron_with("0 30 2 * * *", zone, DstPolicy::default().gap(Gap::Skip))?;
/// assert_eq!(skipped.next_after(before), Some("2026-03-09T06:30:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DstPolicy {
    gap: Gap,
    overlap: Overlap,
    sub_daily: SubDaily,
}

impl DstPolicy {
    /// What happens to a time that does not exist.
    #[must_use]
    pub fn gap(mut self, gap: Gap) -> Self {
        self.gap = gap;
        self
    }

    /// What happens to a time that occurs twice.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Whether `*` and stepped hours follow elapsed time.
    #[must_use]
    pub fn sub_daily(mut self, sub_daily: SubDaily) -> Self {
        self.sub_daily = sub_daily;
        self
    }

    /// The rules for an expression that is sub-daily or not. Elapsed time is the wall clock's, without what it
    /// skips and with both of what it repeats.
    pub(super) fn rules(self, sub_daily: bool) -> (Gap, Overlap) {
        match self.sub_daily {
            SubDaily::Elapsed if sub_daily => (Gap::Skip, Overlap::Both),
            _ => (self.gap, self.overlap),
        }
    }
}

/// What differs from the default, as ` (gap skipped, overlap twice)`; nothing for the default.
impl fmt::Display for DstPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.gap == Gap::Skip).then_some("gap skipped"),
            match self.overlap {
                Overlap::First => None,
                Overlap::Second => Some("overlap second"),
                Overlap::Both => Some("overlap twice"),
            },
            (self.sub_daily == SubDaily::TimesOfDay).then_some("hours by the wall clock"),
        ];
        let words: Vec<_> = words.into_iter().flatten().collect();
        if words.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", words.join(", "))
    }
}
