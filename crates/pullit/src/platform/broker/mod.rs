//! How work reaches the workers: one queue, whoever carries it.

mod database;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox::Destination;
use thiserror::Error;
use uuid::Uuid;

pub use database::DatabaseBroker;

/// The queue of question-generation requests.
pub const QUESTION_GENERATION: &str = "pullit.question-generation";

/// One piece of work, held by this worker until it says what became of it or its lease runs out.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The broker's own name for it.
    pub tag: i64,
    /// The event that asked for it: what the consumer tells repeats by.
    pub event_id: Uuid,
    /// What is to be done.
    pub payload: serde_json::Value,
    /// How often it has been handed out, this time included.
    pub deliveries: i32,
}

/// The broker did not do it. What was held is handed out again after its lease.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The lease had run out and somebody else may have the work now: stop, and store nothing for it.
    #[error("the work was taken over by another worker")]
    Lost,
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
}

/// Takes work from the relay and hands it to workers, at least once.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Where the relay delivers requests for this queue.
    fn destination(self: Arc<Self>, queue: &'static str) -> Destination;

    /// The next piece of work, if there is one now.
    async fn take(&self, queue: &'static str) -> Result<Option<Delivery>, BrokerError>;

    /// Waits until there may be new work.
    async fn wait(&self, at_most: Duration);

    /// Says that the work is still being done.
    async fn extend(&self, delivery: &Delivery) -> Result<(), BrokerError>;

    /// It is done: never hand it out again.
    async fn done(&self, delivery: &Delivery) -> Result<(), BrokerError>;

    /// It cannot be done yet: hand it out again after `delay`. This delivery does not count.
    async fn later(&self, delivery: &Delivery, delay: Duration) -> Result<(), BrokerError>;

    /// For readiness: whether the broker answers.
    async fn check(&self) -> Result<(), BrokerError>;
}
