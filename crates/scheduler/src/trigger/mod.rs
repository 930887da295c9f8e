//! When a job is due.

mod cron;
mod days;
mod display;
mod dst;
mod error;
mod field;
mod jitter;
mod policy;
mod pool;
mod spring;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;

pub use self::error::TriggerError;
pub(crate) use self::jitter::hash;
pub use self::policy::{DstPolicy, Gap, Overlap, SubDaily};
use self::pool::Pooled;

/// When a job is due. Its slots are a function of the trigger alone, so every node computes the same ones.
///
/// # Cron expressions
/// Six fields as in Spring Framework 6 and 7
/// ([`CronExpression`](https://docs.spring.io/spring-framework/docs/current/javadoc-api/org/springframework/scheduling/support/CronExpression.html)),
/// in any case of letters. A slot matches all six, day of month *and* day of week:
///
/// | field | values | also |
/// |---|---|---|
/// | second | 0-59 | |
/// | minute | 0-59 | |
/// | hour | 0-23 | |
/// | day of month | 1-31 | `?`, `L` the last day, `L-3` the third before it, `LW` the last weekday, `15W` the weekday nearest to the 15th |
/// | month | 1-12, `JAN`-`DEC` | |
/// | day of week | 0-7 (0 and 7 are Sunday), `SUN`-`SAT` | `?`, `5L` or `FRIL` the last Friday of the month, `MON#1` the first Monday |
///
/// Each is `*` (all), a value, a range `9-17`, a step `*/10`, `0/15` (from 0 to the end) or `9-17/2`, or a list of such,
/// `MON,WED,FRI`. A *weekday* in `W` is Monday to Friday. `15W` takes the Friday before a Saturday and the
/// Monday after a Sunday, `1W` the Monday after a Saturday too. Where that Monday is in the next month, as when the 31st is a
/// Sunday, `31W` has no day in the month. Steps through the days of the week begin on Monday: `*/2` is Monday, Wednesday,
/// Friday and Sunday.
///
/// `@yearly` (or `@annually`), `@monthly`, `@weekly`, `@daily` (or `@midnight`) and `@hourly` stand for `0 0 0 1 1 *`,
/// `0 0 0 1 * *`, `0 0 0 * * 0`, `0 0 0 * * *` and `0 0 * * * *`.
///
/// Beyond Spring, ranges of names go round the end (`FRI-MON`, `NOV-FEB`). Stricter than Spring, a step that
/// exceeds its field (`*/61`) and an expression no date matches (`0 0 0 30 2 *`) are refused.
///
/// # Where the zone's clock jumps
/// A time of day that does not exist runs once at the next valid instant and one that occurs twice runs once,
/// at the first. An expression whose hour is `*` or stepped follows elapsed time instead. It runs through both
/// passes of a repeated hour, and simply goes on after a skipped one. [`cron_with`](Self::cron_with) takes another
/// [`DstPolicy`]; Spring itself skips times that do not exist ([`Gap::Skip`]).
#[derive(Debug, Clone)]
pub struct Trigger {
    kind: Kind,
    jitter: TimeDelta,
}

#[derive(Debug, Clone)]
enum Kind {
    Cron(Arc<Pooled>),
    FixedDelay(TimeDelta),
    FixedRate(TimeDelta),
    Once(DateTime<Utc>),
}

impl Trigger {
    /// Slots of a six-field Spring cron expression, read in `zone`.
    ///
    /// ```
    /// let fridays = scheduler::Trigger::cron("0 30 18 ? * FRIL", chrono_tz::Europe::Berlin)?;
    /// let next = fridays.next_after("2026-11-22T00:00:00Z".parse()?);
    /// assert_eq!(next, Some("2026-11-27T17:30:00Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`TriggerError`] that points at the field.
    pub fn cron(expression: &str, zone: Tz) -> Result<Self, TriggerError> {
        Self::cron_with(expression, zone, DstPolicy::default())
    }

    /// As [`cron`](Self::cron), with another policy for what the zone's clock skips or repeats.
    ///
    /// # Errors
    /// A [`TriggerError`] that points at the field.
    pub fn cron_with(expression: &str, zone: Tz, policy: DstPolicy) -> Result<Self, TriggerError> {
        Ok(Kind::Cron(pool::cron(expression, zone, policy)?).into())
    }

    /// A slot `delay` after the end of the last run, and on each [`wake`](crate::RunningScheduler::wake).
    ///
    /// ```
    /// let relay = scheduler::Trigger::fixed_delay(std::time::Duration::from_secs(1))?;
    /// let ended = "2026-11-22T12:00:00.250Z".parse()?;
    /// assert_eq!(relay.next_after(ended), Some("2026-11-22T12:00:01.250Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TriggerError::Period`] for a delay below a millisecond or beyond a thousand years.
    pub fn fixed_delay(delay: Duration) -> Result<Self, TriggerError> {
        Ok(Kind::FixedDelay(period(delay)?).into())
    }

    /// Slots at the whole multiples of `rate` since the Unix epoch.
    ///
    /// ```
    /// let heartbeat = scheduler::Trigger::fixed_rate(std::time::Duration::from_secs(3))?;
    /// assert_eq!(heartbeat.next_after("2026-11-22T12:00:01Z".parse()?), Some("2026-11-22T12:00:03Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TriggerError::Period`] for a rate below a millisecond or beyond a thousand years.
    pub fn fixed_rate(rate: Duration) -> Result<Self, TriggerError> {
        Ok(Kind::FixedRate(period(rate)?).into())
    }

    /// One slot, at `at` in whole microseconds, as the tables store it. A slot that nobody ran in time is the misfire
    /// policy's to judge, like any other. One that passed before the job was first registered is not run.
    ///
    /// ```
    /// let at = "2026-11-22T12:00:00Z".parse()?;
    /// let cutover = scheduler::Trigger::once(at);
    /// assert_eq!(cutover.next_after("2026-01-01T00:00:00Z".parse()?), Some(at));
    /// assert_eq!(cutover.next_after(at), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn once(at: DateTime<Utc>) -> Self {
        Kind::Once(at.trunc_subsecs(6)).into()
    }

    /// Starts each slot up to `max` late, so that jobs of one schedule do not all start at once.
    ///
    /// How late depends on the job's name and the slot and is the same on every node. Only the start moves.
    /// The slot's own time stays, in the record too. A slot that waits is not missed, not even by a node that comes up in
    /// between. It always starts before the next one is due. A fixed delay that is woken starts at once.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let hourly = scheduler::Trigger::cron("@hourly", chrono_tz::UTC)?.jitter(Duration::from_secs(300))?;
    /// let slot = "2026-11-22T12:00:00Z".parse()?;
    /// let starts = ["mail", "report", "sweep"].map(|job| hourly.start_of(job, slot));
    /// assert!(starts.iter().all(|start| (*start - slot).num_seconds() <= 300));
    /// assert!(starts[0] != starts[1] && starts[1] != starts[2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TriggerError::Jitter`] when slots come `max` or less apart, judged for cron by a hundred slots.
    /// [`TriggerError::Period`] for less than a millisecond or more than a thousand years.
    pub fn jitter(mut self, max: Duration) -> Result<Self, TriggerError> {
        let jitter = period(max)?;
        if let Some(apart) = self.shortest_gap().filter(|apart| *apart <= jitter) {
            return Err(TriggerError::Jitter {
                jitter: max,
                apart: apart.to_std().unwrap_or_default(),
            });
        }
        self.jitter = jitter;
        Ok(self)
    }

    /// When the run of `slot` of the job of this name starts: at the slot, later by the jitter if there is one.
    #[must_use]
    pub fn start_of(&self, job: &str, slot: DateTime<Utc>) -> DateTime<Utc> {
        if self.jitter.is_zero() {
            return slot;
        }
        let start = slot
            .checked_add_signed(jitter::delay(self.jitter, job, slot))
            .unwrap_or(slot);
        // Where a zone's clock jumps, slots come closer than they ever do elsewhere.
        match self.next_after(slot) {
            Some(next) if start >= next => (next - TimeDelta::milliseconds(1)).max(slot),
            _ => start,
        }
    }

    /// The first slot after `t`; for a fixed delay, with `t` taken as the end of the last run. `None` when there is none.
    #[must_use]
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.kind {
            Kind::Cron(cron) => cron.next_after(t),
            Kind::FixedDelay(delay) => t.checked_add_signed(*delay),
            Kind::FixedRate(rate) => multiple_at_or_before(*rate, t)?.checked_add_signed(*rate),
            Kind::Once(at) => Some(*at).filter(|at| *at > t),
        }
    }

    /// The next slots after `t`, at most `count`: [`next_after`](Self::next_after), repeated. For a fixed delay, as if
    /// its runs took no time.
    ///
    /// ```
    /// let monday = scheduler::Trigger::cron("0 0 9,17 * * MON", chrono_tz::UTC)?;
    /// let next: Vec<_> = monday.upcoming("2026-11-22T00:00:00Z".parse()?, 3).map(|slot| slot.to_string()).collect();
    /// assert_eq!(next, ["2026-11-23 09:00:00 UTC", "2026-11-23 17:00:00 UTC", "2026-11-30 09:00:00 UTC"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upcoming(
        &self,
        t: DateTime<Utc>,
        count: usize,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let mut last = t;
        std::iter::from_fn(move || {
            last = self.next_after(last)?;
            Some(last)
        })
        .take(count)
    }

    /// The newest slot in `(after, now]`. A fixed delay has none: its slots depend on its runs.
    #[must_use]
    pub fn newest_due(&self, after: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.kind {
            Kind::Cron(cron) => cron.newest_due(after, now),
            Kind::FixedDelay(_) => None,
            Kind::FixedRate(rate) => multiple_at_or_before(*rate, now).filter(|slot| *slot > after),
            Kind::Once(at) => Some(*at).filter(|at| *at > after && *at <= now),
        }
    }

    /// The zone a cron expression is read in.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        match &self.kind {
            Kind::Cron(cron) => Some(cron.zone()),
            Kind::FixedDelay(_) | Kind::FixedRate(_) | Kind::Once(_) => None,
        }
    }

    pub(crate) fn is_fixed_delay(&self) -> bool {
        matches!(self.kind, Kind::FixedDelay(_))
    }

    pub(crate) fn is_fixed_rate(&self) -> bool {
        matches!(self.kind, Kind::FixedRate(_))
    }

    /// All that its slots depend on, for [`from_slots_text`](Self::from_slots_text).
    pub(crate) fn slots_text(&self) -> String {
        let trigger = Self::from(self.kind.clone());
        match trigger.zone() {
            Some(zone) => format!("{trigger} in {zone}"),
            None => trigger.to_string(),
        }
    }

    /// The trigger of a [`slots_text`](Self::slots_text), of cron with the usual policy. None of any other.
    pub(crate) fn from_slots_text(text: &str) -> Option<Self> {
        let (expression, zone) = text.strip_prefix("cron ")?.rsplit_once(" in ")?;
        Self::cron(expression, zone.parse().ok()?).ok()
    }

    /// What triggers of one cron expression have in common: their slots are the same.
    pub(crate) fn shared(&self) -> Option<usize> {
        match &self.kind {
            Kind::Cron(cron) => Some(Arc::as_ptr(cron).addr()),
            Kind::FixedDelay(_) | Kind::FixedRate(_) | Kind::Once(_) => None,
        }
    }

    /// Whether its slots are times of the calendar, each worth running late.
    pub(crate) fn is_cron_or_once(&self) -> bool {
        matches!(self.kind, Kind::Cron(_) | Kind::Once(_))
    }

    /// The newest slot at or before `t` whose start jitter has put off beyond `t`.
    pub(crate) fn put_off(&self, job: &str, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.jitter.is_zero() {
            return None;
        }
        self.newest_due(t.checked_sub_signed(self.jitter)?, t)
            .filter(|slot| self.start_of(job, *slot) > t)
    }

    /// For cron, of the slots of an ordinary time.
    fn shortest_gap(&self) -> Option<TimeDelta> {
        match &self.kind {
            Kind::Cron(_) => {
                let slots: Vec<_> = self.upcoming(DateTime::UNIX_EPOCH, 100).collect();
                slots.windows(2).map(|pair| pair[1] - pair[0]).min()
            }
            Kind::FixedDelay(period) | Kind::FixedRate(period) => Some(*period),
            Kind::Once(_) => None,
        }
    }
}

impl From<Kind> for Trigger {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            jitter: TimeDelta::zero(),
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
