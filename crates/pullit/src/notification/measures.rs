use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::Histogram;
use tokio::time::Instant;

/// How quick the notifications of this node are, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedStats {
    /// From stored to given to the member's streams, by the clocks of the node that stored and of this one.
    pub delivery: Times,
    /// How much later than its interval a heartbeat came after the one before.
    pub heartbeat_lag: Times,
}

/// Of one kind of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The last one.
    pub last: Duration,
    /// The longest.
    pub longest: Duration,
}

pub(super) struct Measures {
    delivery: Measured,
    heartbeat_lag: Measured,
    interval: Duration,
    beat: Mutex<Option<Instant>>,
}

struct Measured {
    last: AtomicU64,
    longest: AtomicU64,
    histogram: Histogram,
}

impl Measures {
    /// Heartbeats are to come at this interval.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            delivery: Measured::new(metrics::histogram!("notification_delivery_seconds")),
            heartbeat_lag: Measured::new(metrics::histogram!("notification_heartbeat_lag_seconds")),
            interval,
            beat: Mutex::default(),
        }
    }

    pub(super) fn delivered(&self, took: Duration) {
        self.delivery.add(took);
    }

    pub(super) fn beat(&self) {
        let now = Instant::now();
        let before = self
            .beat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(now);
        if let Some(before) = before {
            let gap = now.duration_since(before);
            self.heartbeat_lag.add(gap.saturating_sub(self.interval));
        }
    }

    pub(super) fn stats(&self) -> FeedStats {
        FeedStats {
            delivery: self.delivery.times(),
            heartbeat_lag: self.heartbeat_lag.times(),
        }
    }
}

impl Measured {
    fn new(histogram: Histogram) -> Self {
        Self {
            last: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            histogram,
        }
    }

    fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Relaxed);
        self.longest.fetch_max(micros, Relaxed);
        self.histogram.record(took.as_secs_f64());
    }

    fn times(&self) -> Times {
        Times {
            last: Duration::from_micros(self.last.load(Relaxed)),
            longest: Duration::from_micros(self.longest.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_lags_by_what_its_gap_is_longer_than_the_interval() {
        let measures = Measures::new(Duration::from_secs(3));
        for (gap, lag, longest) in [(0, 0, 0), (3000, 0, 0), (3200, 200, 200), (2900, 0, 200)] {
            tokio::time::advance(Duration::from_millis(gap)).await;
            measures.beat();
            let times = measures.stats().heartbeat_lag;
            assert_eq!(times.last, Duration::from_millis(lag));
            assert_eq!(times.longest, Duration::from_millis(longest));
        }
    }
}
