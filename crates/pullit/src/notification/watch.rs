//! Looks for new notifications when it is woken, and unasked.

use std::time::Duration;

use tokio::time::Instant;

/// The first and the longest pause while what is committed waits for an open transaction.
const BLOCKED_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// After so long a warning is logged.
const WARN_AFTER: Duration = Duration::from_secs(5);
/// The pause after a look that failed.
const RETRY: Duration = Duration::from_millis(500);

/// How a look at the store ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// Up to here all is sent.
    pub(super) settled: Option<i64>,
    /// Something that is committed waits for a transaction to end.
    pub(super) waits: bool,
}

/// What one look after the other was like: how long to wait for the next, and what to say of it.
#[derive(Debug)]
pub(super) struct Watch {
    poll: Duration,
    failing: bool,
    settled: Option<i64>,
    /// Nothing was settled since; only while something waits.
    blocked_since: Option<Instant>,
    pause: Duration,
    warned: bool,
}

impl Watch {
    pub(super) fn new(poll: Duration) -> Self {
        Self {
            poll,
            failing: false,
            settled: None,
            blocked_since: None,
            pause: BLOCKED_PAUSES.0,
            warned: false,
        }
    }

    pub(super) fn pause_after(&mut self, looked: Result<Looked, sqlx::Error>) -> Duration {
        match looked {
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "stored notifications could not be read; they are sent when the database answers");
                }
                self.failing = true;
                RETRY
            }
            Ok(looked) => {
                if self.failing {
                    tracing::info!("stored notifications can be read again");
                    self.failing = false;
                }
                // Where many write, something waits at each look, and never for long.
                if !looked.waits || looked.settled != self.settled {
                    self.went_on(looked.settled);
                }
                if looked.waits {
                    self.blocked()
                } else {
                    self.poll
                }
            }
        }
    }

    fn went_on(&mut self, settled: Option<i64>) {
        if self.warned {
            tracing::info!("notifications are sent again");
        }
        *self = Self::new(self.poll);
        self.settled = settled;
    }

    fn blocked(&mut self) -> Duration {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        if !self.warned && since.elapsed() >= WARN_AFTER {
            self.warned = true;
            tracing::warn!(
                "notifications wait for a transaction that wrote to their table and has not ended: see pg_locks for `notification`"
            );
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(BLOCKED_PAUSES.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(5);

    fn waiting(settled: i64) -> Result<Looked, sqlx::Error> {
        Ok(Looked {
            settled: Some(settled),
            waits: true,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn many_short_writers_are_not_taken_for_one_that_never_ends() {
        let mut watch = Watch::new(POLL);
        for settled in 0..100 {
            assert_eq!(watch.pause_after(waiting(settled)), BLOCKED_PAUSES.0);
            tokio::time::advance(WARN_AFTER / 10).await;
            assert!(!watch.warned, "after {settled}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_does_not_end_is_warned_of_and_looked_at_less_and_less_often() {
        let mut watch = Watch::new(POLL);
        let mut pauses = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() <= WARN_AFTER {
            assert!(!watch.warned);
            let pause = watch.pause_after(waiting(7));
            pauses.push(pause);
            tokio::time::advance(pause).await;
        }
        watch.pause_after(waiting(7));
        assert!(watch.warned);
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(
            (pauses[0], pauses.last()),
            (BLOCKED_PAUSES.0, Some(&BLOCKED_PAUSES.1))
        );
        // As soon as anything is settled the next one is waited for anew.
        assert_eq!(watch.pause_after(waiting(8)), BLOCKED_PAUSES.0);
        assert!(!watch.warned);
    }

    #[test]
    fn without_anything_that_waits_the_next_look_is_due_when_the_poll_is() {
        let mut watch = Watch::new(POLL);
        let looked = Looked {
            settled: Some(7),
            waits: false,
        };
        assert_eq!(watch.pause_after(Ok(looked)), POLL);
        let failed = watch.pause_after(Err(sqlx::Error::PoolTimedOut));
        assert_eq!(failed, RETRY);
    }
}
