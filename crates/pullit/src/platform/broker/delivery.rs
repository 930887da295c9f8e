//! A piece of work that was handed out.

use std::sync::Arc;

use ground::TraceParent;
use uuid::Uuid;

use super::amqp::Unacked;

/// One piece of work, owned by this worker until it says what became of it or is taken for dead.
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
    pub(super) handle: Holding,
}

/// What the broker knows it by.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    /// Its row.
    Row(i64),
    /// Its message.
    Message(Arc<Unacked>),
}

#[cfg(test)]
impl Delivery {
    /// For tests of what is done with one.
    pub(crate) fn of_row(row: i64) -> Self {
        Self {
            event_id: Uuid::now_v7(),
            payload: serde_json::Value::Null,
            deliveries: 1,
            trace: None,
            handle: Holding::Row(row),
        }
    }
}
