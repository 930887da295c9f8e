//! Percentiles of times, from counts in buckets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets of each doubling: what is reported is at most an eighth too long.
const STEPS: u32 = 8;
/// Microseconds of up to two minutes; longer times count as that.
const DOUBLINGS: u32 = 27;
const BUCKETS: usize = (STEPS * DOUBLINGS) as usize;

/// How long something took. It happens too often to store each measurement.
pub(crate) struct Latencies {
    buckets: [AtomicU64; BUCKETS],
    longest: AtomicU64,
}

/// How long something took, in shares of all times that it happened. The shares are exact to an
/// eighth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How often it happened.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            longest: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)].fetch_add(1, Relaxed);
        self.longest.fetch_max(micros, Relaxed);
    }

    pub(crate) fn read(&self) -> Latency {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|count| count.load(Relaxed))
            .collect();
        let count: u64 = counts.iter().sum();
        let max = Duration::from_micros(self.longest.load(Relaxed));
        let share = |thousandths: u64| {
            let rank = (count * thousandths).div_ceil(1000).max(1);
            let mut below = 0;
            let found = counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            found.map_or(Duration::ZERO, |bucket| end(bucket).min(max))
        };
        Latency {
            count,
            p50: share(500),
            p99: share(990),
            p999: share(999),
            max,
        }
    }
}

fn bucket(micros: u64) -> usize {
    let steps = u64::from(STEPS);
    if micros < steps {
        return micros as usize;
    }
    // The highest bit says which doubling, the three below it which step of it.
    let doubling = micros.ilog2() - STEPS.ilog2();
    let step = (micros >> doubling) - steps;
    let index = u64::from(doubling + 1) * steps + step;
    (index as usize).min(BUCKETS - 1)
}

/// Where a bucket ends.
fn end(bucket: usize) -> Duration {
    let steps = u64::from(STEPS);
    let bucket = bucket as u64;
    let micros = if bucket < steps {
        bucket
    } else {
        let doubling = bucket / steps - 1;
        ((steps + bucket % steps + 1) << doubling) - 1
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_told_of_what_was_measured() {
        let latencies = Latencies::new();
        for micros in 1..=1000 {
            latencies.record(Duration::from_micros(micros));
        }
        let read = latencies.read();
        assert_eq!((read.count, read.max), (1000, Duration::from_micros(1000)));
        for (reported, exact) in [(read.p50, 500), (read.p99, 990), (read.p999, 999)] {
            let reported = reported.as_micros();
            assert!(
                reported >= exact && reported <= exact * 9 / 8,
                "{reported} for {exact}"
            );
        }
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Latencies::new().read(), Latency::default());
    }

    proptest! {
        #[test]
        fn every_time_falls_into_a_bucket_that_is_at_most_an_eighth_wide(micros in 0_u64..60_000_000) {
            let end = end(bucket(micros)).as_micros() as u64;
            prop_assert!(end >= micros && end <= micros + micros / 8, "{} ends at {}", micros, end);
            prop_assert!(bucket(micros) <= bucket(micros + 1));
        }
    }
}
