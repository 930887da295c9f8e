//! Events: as they are published, delivered and stored.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::TraceParent;

/// An event to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened. The relay routes by it.
    pub event_type: String,
    /// Whom it happened to. Events of one key are delivered in order.
    pub aggregate_key: String,
    /// What the consumer needs to know.
    pub payload: serde_json::Value,
    /// The trace that it belongs to. `None` means that of the publishing task
    /// ([`trace::current`](crate::trace::current)).
    pub traceparent: Option<TraceParent>,
}

impl NewEvent {
    /// An event of `event_type` about `aggregate_key`.
    pub fn new(
        event_type: impl Into<String>,
        aggregate_key: impl Into<String>,
        payload: serde_json::Value,
    ) -> Self {
        Self {
            event_type: event_type.into(),
            aggregate_key: aggregate_key.into(),
            payload,
            traceparent: None,
        }
    }

    /// The same event as part of this trace.
    #[must_use]
    pub fn with_trace(self, traceparent: impl Into<Option<TraceParent>>) -> Self {
        Self {
            traceparent: traceparent.into(),
            ..self
        }
    }
}

/// An event on its way to a destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the order.
    pub id: i64,
    /// Its name everywhere: what a consumer deduplicates by.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: String,
    /// Whom it happened to.
    pub aggregate_key: String,
    /// What the consumer needs to know.
    pub payload: serde_json::Value,
    /// The trace that it was published in.
    pub traceparent: Option<TraceParent>,
    /// Attempts that failed before this one.
    pub attempts: i32,
    /// When it was published, by the publisher's clock.
    pub created_at: DateTime<Utc>,
}

/// Where a stored event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventStatus {
    /// To be delivered, now or when its backoff ends.
    Pending,
    /// Given up. It waits for an operator.
    Dead,
}

impl EventStatus {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Dead => "DEAD",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "PENDING" => Some(Self::Pending),
            "DEAD" => Some(Self::Dead),
            _ => None,
        }
    }
}

/// An event as an operator sees it. The payload is left out: it may hold a member's data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    /// The row id, as replay and discard take it.
    pub id: i64,
    /// The event's name everywhere.
    pub event_id: String,
    /// What happened.
    pub event_type: String,
    /// Whom it happened to.
    pub aggregate_key: String,
    /// Where it stands.
    pub status: EventStatus,
    /// Failed attempts so far.
    pub attempts: i32,
    /// Not before this time.
    pub next_attempt_at: DateTime<Utc>,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// The trace that it was published in, as logs name it.
    pub trace_id: Option<String>,
}
