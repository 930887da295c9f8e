//! How long an event waits after a failure.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

/// After an outage everything should move again soon.
const LONGEST_OUTAGE_WAIT: TimeDelta = TimeDelta::seconds(30);

/// A source of random numbers in `0.0..=1.0`.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// A wait that doubles with each failure, up to a limit.
#[derive(Clone)]
pub(super) struct Backoff {
    pub(super) base: Duration,
    pub(super) cap: Duration,
    pub(super) jitter: Jitter,
}

impl Backoff {
    /// The longest wait after so many failures.
    pub(super) fn longest(&self, failures: i32) -> Duration {
        let doublings = u32::try_from(failures - 1).unwrap_or_default().min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// The wait after so many failures: half of it fixed, half random, never nothing.
    pub(super) fn after(&self, failures: i32) -> TimeDelta {
        let half = self.longest(failures) / 2;
        let jitter = (self.jitter)();
        let jitter = if jitter.is_nan() {
            1.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        let wait = half + half.mul_f64(jitter);
        TimeDelta::from_std(wait.max(Duration::from_millis(1))).unwrap_or(TimeDelta::days(1))
    }

    /// The wait after the destination was unavailable so often in a row.
    pub(super) fn after_outage(&self, times: i32) -> TimeDelta {
        self.after(times).min(LONGEST_OUTAGE_WAIT)
    }
}
