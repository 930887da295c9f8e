//! Time, passed in from outside.

use std::fmt::Debug;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use shedlock::{BootClock, LeaseClock};

/// Where the scheduler and its jobs get the time from.
///
/// Production uses [`SystemClock`]; tests use [`ManualClock`](crate::testkit::ManualClock).
/// Locks do not use it: their times come from the database.
///
/// A wall clock can be set back, and then shows the same times again. Slots go by it; pauses do not, and are measured by
/// [`elapsed`](Self::elapsed). A clock that nobody sets back needs only [`now`](Self::now) and
/// [`sleep_until`](Self::sleep_until).
pub trait Clock: Send + Sync + Debug {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;

    /// Completes when this clock shows `t` or later.
    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()>;

    /// The time since a moment that is always the same. Never goes back, and goes on while the machine sleeps, however
    /// the clock is set.
    fn elapsed(&self) -> Duration {
        self.now()
            .signed_duration_since(DateTime::UNIX_EPOCH)
            .to_std()
            .unwrap_or_default()
    }

    /// Completes when so much time has [passed](Self::elapsed).
    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        self.sleep_until(later(self.now(), pause))
    }

    /// As [`sleep_until`](Self::sleep_until), and also completes, within a second or so, when the clock was set back.
    /// What was planned by it is to be planned anew then.
    fn sleep_until_or_set_back(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        self.sleep_until(t)
    }
}

/// The computer's clock. Time that passes is that since its start, sleep included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Timers stand still while a computer is suspended and know nothing of a clock that is set.
/// A long sleep is made of short ones, so that either is noticed after at most this long.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// A step back of less costs no more than that, and is not worth a word.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(500);

#[allow(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else is given"
)]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        async move {
            while let Ok(left) = (t - Utc::now()).to_std()
                && !left.is_zero()
            {
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        }
        .boxed()
    }

    fn elapsed(&self) -> Duration {
        BootClock.elapsed()
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let until = BootClock.elapsed().saturating_add(pause);
        async move {
            loop {
                let left = until.saturating_sub(BootClock.elapsed());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        }
        .boxed()
    }

    fn sleep_until_or_set_back(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()> {
        let began = Reading::of(self);
        async move {
            loop {
                let now = Reading::of(&SystemClock);
                let left = (t - now.wall).to_std().unwrap_or_default();
                if left.is_zero() || now.set_back_since(began).is_some() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        }
        .boxed()
    }
}

/// Both faces of a clock at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) wall: DateTime<Utc>,
    elapsed: Duration,
}

impl Reading {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            elapsed: clock.elapsed(),
        }
    }

    /// By how much the wall clock was set since `earlier`: forwards, or back if negative.
    pub(crate) fn set_since(self, earlier: Self) -> TimeDelta {
        let passed = self.elapsed.saturating_sub(earlier.elapsed);
        let passed = TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        (self.wall - earlier.wall)
            .checked_sub(&passed)
            .unwrap_or_default()
    }

    /// By how much the wall clock was set back since `earlier`, if by more than is worth a word.
    pub(crate) fn set_back_since(self, earlier: Self) -> Option<TimeDelta> {
        Some(-self.set_since(earlier)).filter(|by| *by > TOLERANCE)
    }
}

/// `t` and so much, or the last time there is.
pub(crate) fn later(t: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| t.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
