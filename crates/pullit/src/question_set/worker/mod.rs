//! `QuestionGenerationWorker`: takes requests from the broker, has the questions made, and stores what comes of it.

mod attempt;
mod measure;
mod requeue;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use question_maker::QuestionGenerator;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::service::QuestionSets;
use crate::platform::broker::{Broker, Delivery};

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
/// Work that the worker could not even store the failure of is handed out again after this.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// Work that the generator puts off is handed out again after this at the latest.
const PUT_OFF_AT_MOST: Duration = Duration::from_secs(600);
/// And so long the worker takes nothing else, at the most: it would only be put off too.
const REST_AT_MOST: Duration = Duration::from_secs(60);

/// The worker of one node.
#[derive(Clone)]
pub struct QuestionGenerationWorker {
    sets: QuestionSets,
    broker: Arc<dyn Broker>,
    generator: Arc<dyn QuestionGenerator>,
    options: WorkerOptions,
    /// Until then the generator is not to be asked, and nothing is taken.
    rests: Arc<Mutex<Option<Instant>>>,
}

/// What becomes of a delivery, and the word for it in the measurements.
enum Outcome {
    Done(&'static str),
    Later(&'static str, Duration),
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
            rests: Arc::default(),
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
            if let Some(until) = self.rests_until() {
                drop(permit);
                let rest = tokio::time::sleep_until(until);
                cancel.run_until_cancelled(rest).await;
                continue;
            }
            match self.broker.take().await {
                Ok(Some(delivery)) => {
                    let (worker, cancel) = (self.clone(), cancel.clone());
                    // What comes of it belongs to the trace that it was asked for in.
                    let trace = delivery.trace;
                    tasks.spawn(ground::trace::scope(trace, async move {
                        worker.handle(delivery, &cancel).await;
                        drop(permit);
                    }));
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
        let trace_id = ground::trace::current().map(|trace| trace.trace_id());
        let span = tracing::info_span!("generation", event = %delivery.event_id, trace_id);
        self.handle_in_span(delivery, cancel).instrument(span).await;
    }

    async fn handle_in_span(&self, delivery: Delivery, cancel: &CancellationToken) {
        let _counted = measure::in_flight();
        let outcome = match self.work(&delivery, cancel).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, event = %delivery.event_id, "the end of a generation could not be stored; it is done again");
                Outcome::Later("not_stored", STORE_RETRY)
            }
        };
        let (word, told) = match outcome {
            Outcome::Done(word) => (word, self.broker.done(&delivery).await),
            Outcome::Later(word, delay) => {
                let broker = self.broker.as_ref();
                (
                    word,
                    requeue::requeue(broker, &delivery, delay, cancel).await,
                )
            }
            Outcome::Lost => ("lost", Ok(())),
        };
        measure::delivery(word);
        if let Err(error) = told {
            tracing::warn!(%error, event = %delivery.event_id, "the broker will hand this work out once more; the repeat is dropped");
        }
    }

    /// The generator is not to be asked for a while.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time.min(REST_AT_MOST);
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        *rests = (*rests).max(Some(until));
    }

    fn rests_until(&self) -> Option<Instant> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.filter(|until| *until > Instant::now())
    }
}
