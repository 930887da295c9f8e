//! Counts of measured values, in bounded memory.

/// Values between a power of two and the next share this many buckets: they are known to 0.1 %.
const BUCKETS: u64 = 1024;

/// Counts of values that keep their order of size, in bounded memory. The smallest and the largest are
/// exact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    least: u64,
    most: u64,
}

impl Histogram {
    pub(crate) fn record(&mut self, value: u64) {
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.least = if self.count == 0 {
            value
        } else {
            self.least.min(value)
        };
        self.most = self.most.max(value);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value that at least this share of all values does not exceed; `None` without values.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(upper_end(bucket).clamp(self.least, self.most))
    }

    pub(crate) fn least(&self) -> Option<u64> {
        (self.count > 0).then_some(self.least)
    }

    pub(crate) fn most(&self) -> Option<u64> {
        (self.count > 0).then_some(self.most)
    }
}

fn bucket(value: u64) -> usize {
    let shift = value
        .checked_ilog2()
        .unwrap_or(0)
        .saturating_sub(BUCKETS.ilog2());
    (u64::from(shift) * BUCKETS + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / BUCKETS).saturating_sub(1);
    let within = bucket - shift * BUCKETS;
    (((u128::from(within) + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn quantiles_are_known_to_a_thousandth(
            mut values in vec(prop_oneof![0..5_000u64, 0..u64::from(u32::MAX), any::<u64>()], 1..200),
            share in 0.0..=1.0f64,
        ) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            let rank = ((share * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let found = histogram.quantile(share).unwrap();
            prop_assert!(found >= exact && found - exact <= exact / 1024, "{found} for {exact}");
            prop_assert_eq!(histogram.least(), values.first().copied());
            prop_assert_eq!(histogram.most(), values.last().copied());
        }
    }

    #[test]
    fn without_values_there_is_nothing_to_say() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        assert_eq!((histogram.least(), histogram.most()), (None, None));
    }
}
