//! One delivery: from the request to what is stored.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use question_maker::{GeneratedQuestion, GenerationError, GenerationRequest, validate};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Outcome, PUT_OFF_AT_MOST, QuestionGenerationWorker, measure};
use crate::platform::broker::{BrokerError, Delivery};
use crate::question_set::events::GenerationRequested;
use crate::question_set::lease::GenerationLease;
use crate::question_set::material::{Material, permanent, request};
use crate::question_set::model::QuestionSet;
use crate::question_set::result::{Attempt, StoreError};

/// A set whose sources are still being read is looked at again after this.
const SOURCES_NOT_READY: Duration = Duration::from_millis(500);
/// A request that was handed out this often without an end takes its worker down each time: it fails for good.
const MAX_DELIVERIES: i32 = 5;

/// The pauses after which a result that could not be stored is stored again.
const STORED_AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
];

type Generated = Result<Vec<GeneratedQuestion>, GenerationError>;

impl QuestionGenerationWorker {
    pub(super) async fn work(
        &self,
        delivery: &Delivery,
        cancel: &CancellationToken,
    ) -> Result<Outcome, StoreError> {
        let Some(attempt) = attempt(delivery) else {
            return Ok(Outcome::Done("unreadable"));
        };
        let Some(set) = self.sets.waiting_for(&attempt).await? else {
            tracing::info!(
                question_set = attempt.question_set_id,
                attempt = attempt.number,
                "a request is out of date: nothing is generated"
            );
            return Ok(Outcome::Done("out_of_date"));
        };
        let claimed = self.sets.claim_generation(&attempt, self.options.lease);
        let Some(lease) = claimed.await? else {
            tracing::info!(
                question_set = attempt.question_set_id,
                attempt = attempt.number,
                "this request is being worked on already: the repeat waits for what comes of it"
            );
            return Ok(Outcome::Later("made_elsewhere", self.options.lease / 3));
        };
        let outcome = self.work_on(delivery, &attempt, &set, &lease, cancel).await;
        if let Err(error) = self.sets.release_generation(&lease).await {
            tracing::warn!(%error, question_set = attempt.question_set_id, "the generation lease of this set could not be released; it runs out");
        }
        outcome
    }

    /// What is done by the one who has the generation lease.
    async fn work_on(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        set: &QuestionSet,
        lease: &GenerationLease,
        cancel: &CancellationToken,
    ) -> Result<Outcome, StoreError> {
        let generated = if delivery.deliveries > MAX_DELIVERIES {
            Err(permanent(
                "WORKER_CRASHED",
                "이 자료로는 문제를 만들 수 없습니다.",
            ))
        } else {
            let stop = cancel.child_token();
            let _stop_when_left = stop.clone().drop_guard();
            let generated = tokio::select! {
                generated = self.generate(set, &stop) => generated?,
                () = cancel.cancelled() => {
                    return Ok(Outcome::Later("given_back", Duration::ZERO));
                }
                () = self.extend_leases(delivery, lease) => return Ok(Outcome::Lost),
            };
            match generated {
                Some(generated) => generated,
                None => return Ok(Outcome::Later("sources_unread", SOURCES_NOT_READY)),
            }
        };
        if let Err(GenerationError::PutOff { after }) = generated {
            self.rest(after);
            tracing::info!(
                question_set = attempt.question_set_id,
                attempt = attempt.number,
                seconds = after.as_secs(),
                "a generation is put off: the generator is left alone for now"
            );
            return Ok(Outcome::Later("put_off", after.min(PUT_OFF_AT_MOST)));
        }
        let kept = tokio::select! {
            kept = self.store(attempt, set, &generated, cancel) => kept?,
            () = self.extend_leases(delivery, lease) => return Ok(Outcome::Lost),
        };
        tell(attempt, &generated, kept);
        let word = measure::attempt(&generated, kept, self.sets.waited(set));
        Ok(Outcome::Done(word))
    }

    /// The questions, made within the time of an attempt; none while a source is still being read.
    async fn generate(
        &self,
        set: &QuestionSet,
        stop: &CancellationToken,
    ) -> Result<Option<Generated>, sqlx::Error> {
        let started = Instant::now();
        let made = match tokio::time::timeout(self.options.timeout, self.make(set, stop)).await {
            Ok(made) => made?,
            Err(_) => Some(Err(transient(
                "GENERATION_TIMEOUT",
                "문제 생성이 제한 시간 안에 끝나지 않았습니다.",
            ))),
        };
        if made.is_some() {
            metrics::histogram!("question_generation_seconds")
                .record(started.elapsed().as_secs_f64());
        }
        Ok(made)
    }

    async fn make(
        &self,
        set: &QuestionSet,
        stop: &CancellationToken,
    ) -> Result<Option<Generated>, sqlx::Error> {
        let files = self.generator.files_up_to();
        let material = match self.sets.material(set, files).await? {
            Material::Unread => return Ok(None),
            Material::Read(material) => material,
        };
        Ok(Some(match material {
            Ok(texts) => self.ask(set, &request(set, texts), stop).await,
            Err(error) => Err(error),
        }))
    }

    /// Asks the generator, and checks what it says. A panic is its failure, not the worker's.
    async fn ask(
        &self,
        set: &QuestionSet,
        request: &GenerationRequest,
        stop: &CancellationToken,
    ) -> Generated {
        let asked = AssertUnwindSafe(self.generator.generate(request, stop)).catch_unwind();
        let Ok(answer) = asked.await else {
            tracing::error!(
                question_set = set.id,
                "the generator panicked: the attempt has failed"
            );
            return Err(transient(
                "GENERATOR_PANICKED",
                "문제를 만드는 중에 오류가 발생했습니다.",
            ));
        };
        let questions = answer?;
        validate(request, &questions)?;
        Ok(questions)
    }

    /// Stores the end of an attempt. A model may have been paid for it: a database that does not answer is given some seconds.
    async fn store(
        &self,
        attempt: &Attempt,
        set: &QuestionSet,
        generated: &Generated,
        cancel: &CancellationToken,
    ) -> Result<bool, StoreError> {
        let mut pauses = STORED_AGAIN.into_iter();
        loop {
            let stored = match generated {
                Ok(questions) => self.sets.store_result(attempt, set, questions).await,
                Err(error) => self.sets.store_failure(attempt, set, error).await,
            };
            let (Err(error), Some(pause)) = (&stored, pauses.next()) else {
                return stored;
            };
            tracing::warn!(%error, question_set = set.id, "the end of a generation could not be stored; trying again");
            let pause = tokio::time::sleep(pause);
            if cancel.run_until_cancelled(pause).await.is_none() {
                return stored;
            }
        }
    }

    /// Ends when the work or the generation lease is lost.
    async fn extend_leases(&self, delivery: &Delivery, lease: &GenerationLease) {
        let third = self.options.lease / 3;
        let mut ticks = tokio::time::interval_at(Instant::now() + third, third);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sets.extend_generation(lease, self.options.lease).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(event = %delivery.event_id, "somebody else has the generation lease of this set: its generation stops here");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, event = %delivery.event_id, "the generation lease of this set could not be extended; trying again");
                }
            }
            match self.broker.extend(delivery).await {
                Ok(()) => {}
                Err(BrokerError::Lost) => {
                    tracing::warn!(event = %delivery.event_id, "this work was taken over: its generation stops here");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, event = %delivery.event_id, "the lease of this work could not be extended; trying again");
                }
            }
        }
    }
}

fn transient(code: &'static str, message: &str) -> GenerationError {
    GenerationError::Transient {
        code,
        message: message.to_owned(),
        retry_after: None,
    }
}

fn attempt(delivery: &Delivery) -> Option<Attempt> {
    match serde_json::from_value::<GenerationRequested>(delivery.payload.clone()) {
        Ok(requested) => Some(Attempt {
            event_id: delivery.event_id,
            question_set_id: requested.question_set_id,
            number: requested.attempt,
        }),
        Err(error) => {
            tracing::error!(%error, event = %delivery.event_id, "a request cannot be read and is dropped; its set will time out");
            None
        }
    }
}

fn tell(attempt: &Attempt, generated: &Generated, kept: bool) {
    let (question_set, attempt) = (attempt.question_set_id, attempt.number);
    match generated {
        _ if !kept => tracing::info!(
            question_set,
            attempt,
            "a result came too late and is dropped"
        ),
        Ok(questions) => tracing::info!(
            question_set,
            attempt,
            questions = questions.len(),
            "a question set is COMPLETE"
        ),
        Err(error) => tracing::warn!(
            question_set,
            attempt,
            code = error.code(),
            retryable = error.retryable(),
            "a question set is FAILED"
        ),
    }
}
