//! How many requests a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Spaces requests evenly: at most so many a minute.
pub(super) struct RateLimit {
    interval: Duration,
    next: Mutex<Instant>,
}

impl RateLimit {
    /// 0 a minute means no limit.
    pub(super) fn per_minute(requests: u32) -> Self {
        Self {
            interval: Duration::from_secs(60)
                .checked_div(requests)
                .unwrap_or_default(),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes the next slot, if it comes within `longest`: how long to wait for it. Else how far away it is, and none is taken.
    pub(super) fn reserve(&self, longest: Duration) -> Result<Duration, Duration> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = (*next).max(now);
        let wait = slot - now;
        if wait > longest {
            return Err(wait);
        }
        *next = slot + self.interval;
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn requests_are_spaced_and_a_slot_that_is_too_far_away_is_left_to_others() {
        let limit = RateLimit::per_minute(20);
        assert_eq!(limit.reserve(SECOND * 5), Ok(Duration::ZERO));
        assert_eq!(limit.reserve(SECOND * 5), Ok(SECOND * 3));
        assert_eq!(limit.reserve(SECOND * 5), Err(SECOND * 6));
        assert_eq!(limit.reserve(SECOND * 6), Ok(SECOND * 6));
        tokio::time::advance(SECOND * 60).await;
        assert_eq!(
            limit.reserve(SECOND),
            Ok(Duration::ZERO),
            "nothing is saved up"
        );
        assert_eq!(limit.reserve(SECOND), Err(SECOND * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let limit = RateLimit::per_minute(0);
        for _ in 0..1_000 {
            assert_eq!(limit.reserve(Duration::ZERO), Ok(Duration::ZERO));
        }
    }
}
