//! The manners between us and a model's service: how often it is asked, when it is left alone, and what is asked again at once.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use question_maker::GenerationError;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::fault::{Blame, Fault};
use super::rate::RateLimit;
use super::{Model, Prompt};

/// A slot of the rate limit, or a pause that the service asks for, is waited for this long; what takes longer is put off.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A request that fails is made again so often within its attempt.
const ASKED_AGAIN: usize = 2;
/// The pause before the first of these; it doubles, and each is lengthened by chance.
const PAUSE: Duration = Duration::from_secs(1);

/// A model, asked with manners.
pub(super) struct Guarded<M> {
    model: M,
    rate: RateLimit,
    breaker: Breaker,
}

impl<M: Model> Guarded<M> {
    /// At most so many requests a minute; 0: as many as there are.
    pub(super) fn new(model: M, requests_per_minute: u32) -> Self {
        let provider = model.provider();
        Self {
            rate: RateLimit::per_minute(requests_per_minute),
            breaker: Breaker::new(
                metrics::gauge!("question_generation_breaker_state", "provider" => provider),
            ),
            model,
        }
    }

    pub(super) fn model(&self) -> &M {
        &self.model
    }

    /// The model's answer.
    ///
    /// # Errors
    /// The fault, as judged in [`fault`](super::fault); or [`GenerationError::PutOff`] while the service is left alone.
    pub(super) async fn ask(&self, prompt: &Prompt<'_>) -> Result<String, GenerationError> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSE)
            .with_max_times(ASKED_AGAIN)
            .with_jitter()
            .build();
        loop {
            let ticket = self.breaker.admit().map_err(put_off)?;
            let wait = self.rate.reserve(TIMEOUT).map_err(put_off)?;
            tokio::time::sleep(wait).await;
            let fault = match self.measured(prompt).await {
                Ok(answer) => {
                    ticket.answered();
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            let judgement = fault.judge();
            match judgement.blame {
                Blame::Service => {}
                Blame::Operator => {
                    ticket.hopeless();
                    tracing::error!(
                        provider = self.model.provider(),
                        %fault,
                        "the model's service does not let us in: check generator.url, generator.key and generator.model. \
                         One set in ten minutes fails for good until then"
                    );
                    return Err(fault.into());
                }
                Blame::Material | Blame::Answer => {
                    ticket.answered();
                    return Err(fault.into());
                }
            }
            let asked = fault.retry_after();
            if let Some(long) = asked.filter(|asked| *asked > TIMEOUT) {
                ticket.failed(Some(long));
                return Err(put_off(long));
            }
            ticket.failed(None);
            let pause = fault
                .worth_asking_at_once()
                .then(|| pauses.next())
                .flatten();
            let Some(pause) = pause else {
                return Err(fault.into());
            };
            tracing::info!(provider = self.model.provider(), %fault, "a model is asked once more");
            tokio::time::sleep(pause.max(asked.unwrap_or_default())).await;
        }
    }

    async fn measured(&self, prompt: &Prompt<'_>) -> Result<String, Fault> {
        let provider = self.model.provider();
        let started = Instant::now();
        let answer = self.model.ask(prompt).await;
        let outcome = match &answer {
            Ok(_) => "ANSWERED",
            Err(fault) => fault.judge().code,
        };
        metrics::histogram!("question_generation_call_seconds", "provider" => provider)
            .record(started.elapsed().as_secs_f64());
        metrics::counter!("question_generation_calls_total", "provider" => provider, "outcome" => outcome)
            .increment(1);
        answer
    }
}

fn put_off(after: Duration) -> GenerationError {
    GenerationError::PutOff { after }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use serde_json::Value;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Answers as it is told, and notes when it was asked.
    #[derive(Default)]
    struct Told {
        answers: Mutex<VecDeque<Result<String, Fault>>>,
        asked: Mutex<Vec<Instant>>,
        hangs: AtomicBool,
    }

    #[async_trait]
    impl Model for Told {
        fn provider(&self) -> &'static str {
            "told"
        }

        async fn ask(&self, _: &Prompt<'_>) -> Result<String, Fault> {
            self.asked.lock().unwrap().push(Instant::now());
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let answer = self.answers.lock().unwrap().pop_front();
            answer.unwrap_or(Ok("fine".to_owned()))
        }
    }

    fn told(answers: impl IntoIterator<Item = Fault>, requests_per_minute: u32) -> Guarded<Told> {
        let model = Told::default();
        model
            .answers
            .lock()
            .unwrap()
            .extend(answers.into_iter().map(Err));
        Guarded::new(model, requests_per_minute)
    }

    fn status(status: u16, retry_after: Option<u64>) -> Fault {
        Fault::Status {
            status,
            reason: None,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    impl Guarded<Told> {
        async fn asked(&self) -> Result<String, GenerationError> {
            let prompt = Prompt {
                instructions: String::new(),
                wish: String::new(),
                schema: Value::Null,
                material: Vec::new(),
            };
            self.ask(&prompt).await
        }

        fn count(&self) -> usize {
            self.model.asked.lock().unwrap().len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_once_is_asked_again_after_a_pause() {
        let model = told([status(500, None), Fault::Connection], 0);
        assert_eq!(model.asked().await, Ok("fine".to_owned()));
        let asked = model.model.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3);
        assert!(asked[1] - asked[0] >= PAUSE, "{asked:?}");
        assert!(asked[2] - asked[1] >= PAUSE * 2, "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_failing_is_given_up_as_worth_another_attempt() {
        let model = told(std::iter::repeat_n(status(503, None), 3), 0);
        let error = model.asked().await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("GENERATOR_DOWN", true));
        assert_eq!(model.count(), 1 + ASKED_AGAIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_retry_after_is_waited_for() {
        let model = told([status(429, Some(15))], 0);
        assert_eq!(model.asked().await, Ok("fine".to_owned()));
        let asked = model.model.asked.lock().unwrap().clone();
        assert!(asked[1] - asked[0] >= SECOND * 15, "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_retry_after_puts_this_and_every_other_request_off_until_then() {
        let model = told([status(429, Some(90))], 0);
        let put_off = |seconds: u64| {
            Err(GenerationError::PutOff {
                after: SECOND * seconds as u32,
            })
        };
        assert_eq!(model.asked().await, put_off(90));
        tokio::time::advance(SECOND * 60).await;
        assert_eq!(model.asked().await, put_off(30));
        assert_eq!(model.count(), 1, "nothing is asked meanwhile");
        tokio::time::advance(SECOND * 30).await;
        assert_eq!(model.asked().await, Ok("fine".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_down_costs_few_requests_and_puts_off_the_rest() {
        let model = told(std::iter::repeat_n(Fault::Connection, 5), 0);
        assert_eq!(model.asked().await.unwrap_err().code(), "GENERATOR_DOWN");
        let second = model.asked().await.unwrap_err();
        assert!(
            matches!(second, GenerationError::PutOff { .. }),
            "{second:?}"
        );
        assert_eq!(model.count(), 5);
        for _ in 0..100 {
            let other = model.asked().await.unwrap_err();
            assert!(matches!(other, GenerationError::PutOff { .. }), "{other:?}");
        }
        assert_eq!(model.count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_service_judges_is_neither_asked_again_nor_held_against_it() {
        for fault in [
            status(400, None),
            Fault::Refused,
            Fault::CutOff,
            Fault::Malformed("x"),
        ] {
            let model = told(std::iter::repeat_n(fault.clone(), 20), 0);
            for n in 1..=20 {
                let error = model.asked().await.unwrap_err();
                assert_eq!(error.code(), fault.judge().code);
                assert_eq!(model.count(), n);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_key_fails_one_set_and_puts_off_the_others() {
        let model = told(std::iter::repeat_n(status(401, None), 3), 0);
        let first = model.asked().await.unwrap_err();
        assert_eq!(
            (first.code(), first.retryable()),
            ("GENERATOR_MISCONFIGURED", false)
        );
        let second = model.asked().await.unwrap_err();
        assert!(
            matches!(second, GenerationError::PutOff { .. }),
            "{second:?}"
        );
        assert_eq!(model.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_keep_to_the_rate_and_what_would_wait_long_is_put_off() {
        let model = told([], 4);
        let started = Instant::now();
        model.asked().await.unwrap();
        model.asked().await.unwrap();
        assert_eq!(started.elapsed(), SECOND * 15);
        let (one, two) = tokio::join!(model.asked(), model.asked());
        assert_eq!(one, Ok("fine".to_owned()));
        assert_eq!(two, Err(GenerationError::PutOff { after: SECOND * 30 }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_stopped_while_it_probes_leaves_the_probe_to_another() {
        let model = told(std::iter::repeat_n(Fault::Connection, 5), 0);
        assert!(model.asked().await.is_err());
        assert!(model.asked().await.is_err());
        tokio::time::advance(SECOND * 60).await;
        model.model.hangs.store(true, Ordering::Relaxed);
        let stopped = tokio::time::timeout(SECOND, model.asked()).await;
        assert!(stopped.is_err(), "{stopped:?}");
        model.model.hangs.store(false, Ordering::Relaxed);
        assert_eq!(model.asked().await, Ok("fine".to_owned()));
    }
}
