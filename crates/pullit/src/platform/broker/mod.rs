//! How work reaches the workers: one queue, whoever carries it.

mod amqp;
mod database;
mod delivery;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox::Destination;
use thiserror::Error;

pub use amqp::{AmqpBroker, AmqpOptions, BadAddress, LONGEST_WORK, address, bad_prefix};
pub use database::DatabaseBroker;
pub use delivery::Delivery;

/// The queue of question-generation requests.
pub const QUESTION_GENERATION: &str = "pullit.question-generation";

/// Where work goes that was handed out too often without an end.
pub const QUESTION_GENERATION_DEAD: &str = "pullit.question-generation.dead";

/// Work that was handed out this often without an end takes its worker down each time: it is put aside as a dead letter. The worker,
/// which can tell the member why, gives up earlier.
pub const MAX_DELIVERIES: i32 = 10;

/// The broker did not do it. What was not acknowledged is handed out again.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Somebody else may have the work now: stop, and store nothing for it.
    #[error("the work was taken over by another worker")]
    Lost,
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The broker cannot be reached or does not answer in time: try again later.
    #[error("the message broker does not answer: {0}")]
    Unavailable(String),
    /// The broker answers that it cannot be used so, and waiting will not change that.
    #[error("the message broker cannot be used: {0}")]
    Refused(String),
}

/// Takes work from the relay and hands it to workers, at least once.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Makes what is needed on the broker, or checks that it is as it must be. For the start of a node that relays or works.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] when the node should not start. A broker that does not answer yet is no error: the node is not ready
    /// until it does.
    async fn prepare(&self) -> Result<(), BrokerError>;

    /// Where the relay delivers requests.
    fn destination(self: Arc<Self>) -> Destination;

    /// The next piece of work, if there is one now. The first call makes this node one of the queue's workers.
    async fn take(&self) -> Result<Option<Delivery>, BrokerError>;

    /// Waits until there may be new work.
    async fn wait(&self, at_most: Duration);

    /// Says that the work is still being done.
    async fn extend(&self, delivery: &Delivery) -> Result<(), BrokerError>;

    /// It is done: never hand it out again.
    async fn done(&self, delivery: &Delivery) -> Result<(), BrokerError>;

    /// It cannot be done yet: hand it out again after `delay`, or somewhat later. This delivery does not count.
    async fn later(&self, delivery: &Delivery, delay: Duration) -> Result<(), BrokerError>;

    /// For readiness: whether the broker answers.
    async fn check(&self) -> Result<(), BrokerError>;

    /// Takes nothing more and gives back what nobody works on. For the end of a node, after its workers.
    async fn close(&self);
}
