//! How late notifications are when they reach their streams.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use metrics::Histogram;

/// How long notifications take from stored to given to the member's streams on this node, by the clocks of the node that stored them and of
/// this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// The last one.
    pub last: Duration,
    /// The longest since the start.
    pub longest: Duration,
}

pub(super) struct Delays {
    last: AtomicU64,
    longest: AtomicU64,
    histogram: Histogram,
}

impl Delays {
    pub(super) fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            histogram: metrics::histogram!("notification_delay_seconds"),
        }
    }

    pub(super) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Relaxed);
        self.longest.fetch_max(micros, Relaxed);
        self.histogram.record(took.as_secs_f64());
    }

    pub(super) fn read(&self) -> Delay {
        Delay {
            last: Duration::from_micros(self.last.load(Relaxed)),
            longest: Duration::from_micros(self.longest.load(Relaxed)),
        }
    }
}
