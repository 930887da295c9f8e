//! The circuit breaker around a model's service.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use tokio::time::Instant;

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// How long it stays open first; each failed probe doubles it.
const OPEN: Duration = Duration::from_secs(30);
const OPEN_AT_MOST: Duration = Duration::from_secs(600);
/// A service that asks for more is asked again all the same.
const ASKED_AT_MOST: Duration = Duration::from_secs(3_600);
/// While a probe is under way, the others come back after this.
const PROBING: Duration = Duration::from_secs(5);

/// Keeps requests from a service that would fail them: after failures in a row, or when it asks to be left alone, it opens for a while;
/// then one request probes whether the service is well again.
pub(super) struct Breaker {
    state: Mutex<State>,
    shown: Gauge,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// How often it opened since it was closed last.
    trips: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// Leave to make one request. Dropped without a word it changes nothing.
pub(super) struct Ticket<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    /// Closed. Its state is shown as 0 closed, 1 open, 2 probing.
    pub(super) fn new(shown: Gauge) -> Self {
        shown.set(0.0);
        Self {
            state: Mutex::default(),
            shown,
        }
    }

    /// Leave to make a request; or how long to stay away.
    pub(super) fn admit(&self) -> Result<Ticket<'_>, Duration> {
        let mut state = self.state();
        let probe = match state.open_until {
            None => false,
            Some(until) if until > Instant::now() => return Err(until - Instant::now()),
            Some(_) if state.probing => return Err(PROBING),
            Some(_) => {
                state.probing = true;
                self.shown.set(2.0);
                true
            }
        };
        Ok(Ticket {
            breaker: self,
            probe,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, state: &mut State, time: Duration) {
        let now = Instant::now();
        let until = now + time;
        // Requests that were under way when it opened are no further proof.
        if state.open_until.is_none_or(|open| open <= now) {
            state.trips += 1;
        }
        if state.open_until.is_none_or(|open| open < until) {
            state.open_until = Some(until);
            tracing::warn!(
                seconds = time.as_secs(),
                "question generation rests: the model's service is left alone for a while"
            );
        }
        state.failures = 0;
        self.shown.set(1.0);
    }
}

impl Ticket<'_> {
    /// The service answered, whatever the answer is worth.
    pub(super) fn answered(self) {
        let mut state = self.breaker.state();
        // A request from before it opened says nothing of the service as it is now.
        if self.probe || state.open_until.is_none() {
            *state = State::default();
            self.breaker.shown.set(0.0);
        }
    }

    /// The service failed; perhaps it said for how long it wants to be left alone.
    pub(super) fn failed(self, leave_alone: Option<Duration>) {
        let mut state = self.breaker.state();
        if let Some(time) = leave_alone {
            self.breaker.open(&mut state, time.min(ASKED_AT_MOST));
        } else if self.probe {
            let time = OPEN * 2_u32.saturating_pow(state.trips.min(10));
            self.breaker.open(&mut state, time.min(OPEN_AT_MOST));
        } else if state.open_until.is_none() {
            state.failures += 1;
            if state.failures >= FAILURES {
                self.breaker.open(&mut state, OPEN);
            }
        }
    }

    /// Nothing will succeed before an operator has done something.
    pub(super) fn hopeless(self) {
        let mut state = self.breaker.state();
        self.breaker.open(&mut state, OPEN_AT_MOST);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(Gauge::noop())
    }

    fn stays_away(breaker: &Breaker) -> Option<Duration> {
        breaker.admit().err()
    }

    fn fail(breaker: &Breaker) {
        breaker.admit().ok().unwrap().failed(None);
    }

    fn opened() -> Breaker {
        let breaker = breaker();
        for _ in 0..FAILURES {
            fail(&breaker);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_an_answer_between_them_starts_the_count_anew() {
        let breaker = breaker();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                fail(&breaker);
            }
            breaker.admit().ok().unwrap().answered();
        }
        for _ in 0..FAILURES {
            assert_eq!(stays_away(&breaker), None);
            fail(&breaker);
        }
        assert_eq!(stays_away(&breaker), Some(OPEN));
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_goes_through_and_its_success_closes_it() {
        let breaker = opened();
        tokio::time::advance(OPEN).await;
        let probe = breaker.admit().ok().unwrap();
        assert_eq!(stays_away(&breaker), Some(PROBING), "one probe at a time");
        probe.answered();
        assert_eq!(stays_away(&breaker), None);
        for _ in 1..FAILURES {
            fail(&breaker);
        }
        assert_eq!(stays_away(&breaker), None, "the count began anew");
    }

    #[tokio::test(start_paused = true)]
    async fn each_failed_probe_doubles_the_rest_up_to_a_bound() {
        let breaker = opened();
        let mut rest = OPEN;
        for _ in 0..8 {
            tokio::time::advance(rest).await;
            fail(&breaker);
            rest = (rest * 2).min(OPEN_AT_MOST);
            assert_eq!(stays_away(&breaker), Some(rest));
        }
        assert_eq!(rest, OPEN_AT_MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_lets_another_probe() {
        let breaker = opened();
        tokio::time::advance(OPEN).await;
        drop(breaker.admit().ok().unwrap());
        assert_eq!(stays_away(&breaker), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_asks_to_be_left_alone_is_left_alone_as_long_as_it_asks() {
        let breaker = breaker();
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let (early, late) = (breaker.admit().ok().unwrap(), breaker.admit().ok().unwrap());
        early.failed(Some(minutes(7)));
        assert_eq!(stays_away(&breaker), Some(minutes(7)));
        // Requests that were under way neither close it nor shorten the rest.
        late.failed(Some(minutes(1)));
        assert_eq!(stays_away(&breaker), Some(minutes(7)));
        tokio::time::advance(minutes(7)).await;
        // Nor do they make the next rest longer.
        fail(&breaker);
        assert_eq!(stays_away(&breaker), Some(OPEN * 2));
        tokio::time::advance(OPEN * 2).await;
        let probe = breaker.admit().ok().unwrap();
        probe.failed(Some(minutes(60 * 24)));
        assert_eq!(stays_away(&breaker), Some(ASKED_AT_MOST));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_a_request_from_before_it_opened_does_not_close_it() {
        let breaker = breaker();
        let slow = breaker.admit().ok().unwrap();
        for _ in 0..FAILURES {
            fail(&breaker);
        }
        slow.answered();
        assert_eq!(stays_away(&breaker), Some(OPEN));
    }
}
