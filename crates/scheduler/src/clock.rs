//! Time, passed in from outside.

use std::fmt::Debug;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Where the scheduler and its jobs get the time from.
///
/// Production uses [`SystemClock`]; tests use [`ManualClock`](crate::testkit::ManualClock).
/// Locks do not use it: their times come from the database.
pub trait Clock: Send + Sync + Debug {
    /// The present time.
    fn now(&self) -> DateTime<Utc>;

    /// Completes when this clock shows `t` or later.
    fn sleep_until(&self, t: DateTime<Utc>) -> BoxFuture<'static, ()>;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Timers stand still while a computer is suspended and know nothing of a clock that is set.
/// A long sleep is made of short ones, so that either is noticed after at most this long.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

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
}
