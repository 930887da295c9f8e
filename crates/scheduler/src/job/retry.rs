//! How conflicts are retried.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::trigger::hash;

/// How often and how far apart a conflict is retried within one run.
///
/// ```
/// use std::time::Duration;
/// use scheduler::Retry;
///
/// // Three tries, five seconds apart.
/// let fixed = Retry::fixed(3, Duration::from_secs(5));
/// // Six tries; the pauses grow as 1, 2, 4, 8 and 10 seconds, each shortened by up to a half at random.
/// let growing = Retry::exponential(6, Duration::from_secs(1), Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub(crate) attempts: u32,
    backoff: Duration,
    /// The longest pause, for pauses that grow.
    most: Option<Duration>,
}

impl Retry {
    /// `attempts` tries in all (at least one), `backoff` apart.
    #[must_use]
    pub fn fixed(attempts: u32, backoff: Duration) -> Self {
        Self {
            attempts: attempts.max(1),
            backoff,
            most: None,
        }
    }

    /// `attempts` tries in all (at least one). The pause before the second is `first`; each further one is twice as
    /// long, up to `most`.
    ///
    /// Every pause is shortened by up to a half, so that two runs that met do not meet again. By how much depends only
    /// on the job, the slot, the node and the try.
    #[must_use]
    pub fn exponential(attempts: u32, first: Duration, most: Duration) -> Self {
        Self {
            attempts: attempts.max(1),
            backoff: first.min(most),
            most: Some(most),
        }
    }

    /// One try.
    #[must_use]
    pub fn never() -> Self {
        Self::fixed(1, Duration::ZERO)
    }

    /// The pause after conflict number `retries` (from 1) of a run.
    pub(crate) fn pause(
        &self,
        retries: u32,
        job: &str,
        node: &str,
        slot: DateTime<Utc>,
    ) -> TimeDelta {
        let Some(most) = self.most else {
            return TimeDelta::from_std(self.backoff).unwrap_or(TimeDelta::MAX);
        };
        let doublings = retries.saturating_sub(1).min(31);
        let full = self.backoff.saturating_mul(1 << doublings).min(most);
        let micros = u64::try_from(full.as_micros())
            .unwrap_or(u64::MAX)
            .min(i64::MAX.unsigned_abs());
        let chance = hash(&format!("{job} {node} {retries}"), slot);
        let shortened = (u128::from(micros / 2) * u128::from(chance)) >> 64;
        let pause = micros - u64::try_from(shortened).unwrap_or(0);
        TimeDelta::microseconds(i64::try_from(pause).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pauses(retry: Retry, job: &str) -> Vec<i64> {
        (1..=8)
            .map(|n| {
                retry
                    .pause(n, job, "node", DateTime::UNIX_EPOCH)
                    .num_milliseconds()
            })
            .collect()
    }

    #[test]
    fn growing_pauses_double_up_to_the_longest_and_lose_at_most_half() {
        let retry = Retry::exponential(9, SECOND, 10 * SECOND);
        for job in 0..50 {
            let full = [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000];
            for (pause, full) in pauses(retry, &format!("job-{job}")).into_iter().zip(full) {
                assert!(pause <= full && pause >= full / 2, "{pause} of {full}");
            }
        }
    }

    #[test]
    fn the_pauses_of_two_runs_differ_and_those_of_one_are_always_the_same() {
        let retry = Retry::exponential(9, SECOND, 10 * SECOND);
        assert_eq!(pauses(retry, "a"), pauses(retry, "a"));
        assert_ne!(pauses(retry, "a"), pauses(retry, "b"));
        let node = |node| retry.pause(1, "a", node, DateTime::UNIX_EPOCH);
        assert_ne!(node("one"), node("two"));
    }

    #[test]
    fn fixed_pauses_stay_and_no_pause_overflows() {
        assert_eq!(pauses(Retry::fixed(9, 5 * SECOND), "a"), [5000; 8]);
        let endless = Retry::exponential(u32::MAX, Duration::MAX, Duration::MAX);
        let pause = endless.pause(u32::MAX, "a", "node", DateTime::UNIX_EPOCH);
        assert!(pause > TimeDelta::days(36_500));
    }
}
