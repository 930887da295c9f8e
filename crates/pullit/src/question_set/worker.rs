//! `QuestionGenerationWorker`: takes requests from the broker, has the questions made, and stores what comes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::events::GenerationRequested;
use super::generator::{GeneratedQuestion, GenerationError, QuestionGenerator, validate};
use super::material::{Material, permanent, request};
use super::model::QuestionSet;
use super::result::{Attempt, StoreError};
use super::service::QuestionSets;
use crate::platform::broker::{Broker, BrokerError, Delivery, QUESTION_GENERATION};

/// Bounds of the worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// Sets generated at the same time.
    pub concurrency: usize,
    /// Longest time of one generation.
    pub timeout: Duration,
    /// The broker's lease; extended at a third of it.
    pub lease: Duration,
}

/// Work of other processes is looked for this often.
const POLL: Duration = Duration::from_secs(1);
/// A set whose sources are still being read is looked at again after this.
const SOURCES_NOT_READY: Duration = Duration::from_millis(500);
/// Work that the worker could not even store the failure of is handed out again after this.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// A request that was handed out this often without an end takes its worker down each time: it fails for good.
const MAX_DELIVERIES: i32 = 5;

/// The worker of one node.
#[derive(Clone)]
pub struct QuestionGenerationWorker {
    sets: QuestionSets,
    broker: Arc<dyn Broker>,
    generator: Arc<dyn QuestionGenerator>,
    options: WorkerOptions,
}

/// What becomes of a delivery.
enum Outcome {
    Done,
    Later(Duration),
    /// Somebody else has it now.
    Lost,
}

impl QuestionGenerationWorker {
    /// A worker on a broker, with a generator.
    pub fn new(
        sets: QuestionSets,
        broker: Arc<dyn Broker>,
        generator: Arc<dyn QuestionGenerator>,
        options: WorkerOptions,
    ) -> Self {
        Self {
            sets,
            broker,
            generator,
            options,
        }
    }

    /// Works until it is cancelled; then gives back what it holds.
    pub async fn run(&self, cancel: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.options.concurrency));
        let tasks = TaskTracker::new();
        while !cancel.is_cancelled() {
            let permit = tokio::select! {
                () = cancel.cancelled() => break,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { break };
            match self.broker.take(QUESTION_GENERATION).await {
                Ok(Some(delivery)) => {
                    let (worker, cancel) = (self.clone(), cancel.clone());
                    tasks.spawn(async move {
                        worker.handle(delivery, &cancel).await;
                        drop(permit);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "no work could be taken; trying again in a second");
                }
            }
            drop(permit);
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.broker.wait(POLL) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn handle(&self, delivery: Delivery, cancel: &CancellationToken) {
        let outcome = match self.work(&delivery, cancel).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, event = %delivery.event_id, "the end of a generation could not be stored; it is done again");
                Outcome::Later(STORE_RETRY)
            }
        };
        let told = match outcome {
            Outcome::Done => self.broker.done(&delivery).await,
            Outcome::Later(delay) => self.broker.later(&delivery, delay).await,
            Outcome::Lost => return,
        };
        if let Err(error) = told {
            tracing::warn!(%error, event = %delivery.event_id, "the broker will hand this work out once more; the repeat is dropped");
        }
    }

    async fn work(
        &self,
        delivery: &Delivery,
        cancel: &CancellationToken,
    ) -> Result<Outcome, StoreError> {
        let Some(attempt) = attempt(delivery) else {
            return Ok(Outcome::Done);
        };
        let Some(set) = self.sets.waiting_for(&attempt).await? else {
            tracing::info!(
                question_set = attempt.question_set_id,
                attempt = attempt.number,
                "a request is out of date: nothing is generated"
            );
            return Ok(Outcome::Done);
        };
        let generated = if delivery.deliveries > MAX_DELIVERIES {
            Err(permanent(
                "WORKER_CRASHED",
                "이 자료로는 문제를 만들 수 없습니다.",
            ))
        } else {
            let material = match self.sets.material(&set).await? {
                Material::Unread => return Ok(Outcome::Later(SOURCES_NOT_READY)),
                Material::Read(material) => material,
            };
            match self.generate(delivery, &set, material, cancel).await {
                Some(generated) => generated,
                None if cancel.is_cancelled() => return Ok(Outcome::Later(Duration::ZERO)),
                None => return Ok(Outcome::Lost),
            }
        };
        let kept = match &generated {
            Ok(questions) => self.sets.store_result(&attempt, &set, questions).await?,
            Err(error) => self.sets.store_failure(&attempt, &set, error).await?,
        };
        tell(&attempt, &generated, kept);
        Ok(Outcome::Done)
    }

    /// Runs the generator within its time, while the lease is kept. None: it was stopped, or the lease was lost.
    async fn generate(
        &self,
        delivery: &Delivery,
        set: &QuestionSet,
        material: Result<String, GenerationError>,
        cancel: &CancellationToken,
    ) -> Option<Result<Vec<GeneratedQuestion>, GenerationError>> {
        let request = match material.and_then(|text| request(set, text)) {
            Ok(request) => request,
            Err(error) => return Some(Err(error)),
        };
        let stop = cancel.child_token();
        let _stop_when_left = stop.clone().drop_guard();
        let started = Instant::now();
        let generating = async {
            match tokio::time::timeout(
                self.options.timeout,
                self.generator.generate(&request, &stop),
            )
            .await
            {
                Ok(Ok(questions)) => validate(&request, &questions).map(|()| questions),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(GenerationError::Transient {
                    code: "GENERATION_TIMEOUT",
                    message: "문제 생성이 제한 시간 안에 끝나지 않았습니다.".to_owned(),
                    retry_after: None,
                }),
            }
        };
        tokio::select! {
            generated = generating => {
                metrics::histogram!("question_generation_seconds").record(started.elapsed().as_secs_f64());
                Some(generated)
            }
            () = cancel.cancelled() => None,
            () = self.keep_lease(delivery) => None,
        }
    }

    /// Ends when the lease is lost.
    async fn keep_lease(&self, delivery: &Delivery) {
        let third = self.options.lease / 3;
        let mut ticks = tokio::time::interval_at(Instant::now() + third, third);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
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

fn tell(
    attempt: &Attempt,
    generated: &Result<Vec<GeneratedQuestion>, GenerationError>,
    kept: bool,
) {
    let (question_set, attempt) = (attempt.question_set_id, attempt.number);
    let outcome = match generated {
        _ if !kept => {
            tracing::info!(
                question_set,
                attempt,
                "a result came too late and is dropped"
            );
            "dropped"
        }
        Ok(questions) => {
            tracing::info!(
                question_set,
                attempt,
                questions = questions.len(),
                "a question set is COMPLETE"
            );
            "complete"
        }
        Err(error) => {
            tracing::warn!(
                question_set,
                attempt,
                code = error.code(),
                retryable = error.retryable(),
                "a question set is FAILED"
            );
            "failed"
        }
    };
    metrics::counter!("question_generations_total", "outcome" => outcome).increment(1);
}
