//! The outbox's way into the queue.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::types::ShortString;
use outbox::{DeliveryError, Event, Transport};

use super::message::Message;
use super::publisher::{Publisher, Unsent};
use crate::platform::broker::QUESTION_GENERATION;

/// The way from the outbox to the queue.
pub(super) struct QueueTransport {
    publisher: Arc<Publisher>,
    queue: ShortString,
}

impl QueueTransport {
    pub(super) fn new(publisher: Arc<Publisher>, queue: ShortString) -> Self {
        Self { publisher, queue }
    }
}

#[async_trait]
impl Transport for QueueTransport {
    /// Whatever the queue's name on the broker is: unfinished deliveries are remembered by this one.
    fn name(&self) -> &str {
        QUESTION_GENERATION
    }

    async fn deliver(&self, events: &[Event]) -> Vec<Result<(), DeliveryError>> {
        let messages = events
            .iter()
            .map(|event| Message::of(event, self.queue.clone()))
            .collect();
        let events = events.len();
        let sent = || tracing::trace!(target: "outbox::step", step = "delivered", events);
        let outcomes = self.publisher.publish(messages, sent).await;
        outcomes.into_iter().map(judged).collect()
    }
}

/// A message that comes back counts as an attempt: somebody has to look after the queue, and a dead letter says so.
fn judged(outcome: Result<(), Unsent>) -> Result<(), DeliveryError> {
    outcome.map_err(|unsent| match unsent {
        Unsent::Unavailable(reason) => DeliveryError::Unavailable(reason),
        Unsent::Unroutable(reason) => DeliveryError::Failed(reason),
    })
}
