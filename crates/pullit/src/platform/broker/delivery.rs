use std::sync::Arc;

use outbox::TraceParent;
use uuid::Uuid;

use super::amqp::Held;

/// One piece of work, held by this worker until it says what became of it or is taken for dead.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event that asked for it: what the consumer tells repeats by.
    pub event_id: Uuid,
    /// What is to be done.
    pub payload: serde_json::Value,
    /// How often it has been handed out, this time included.
    pub deliveries: i32,
    /// The trace that it was asked for in.
    pub trace: Option<TraceParent>,
    pub(super) held: Holding,
}

/// What the broker knows it by.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    /// Its row.
    Row(i64),
    /// Its message.
    Message(Arc<Held>),
}
