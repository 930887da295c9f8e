//! What question sets tell other rooms, through the outbox.

use outbox::NewEvent;
use serde::{Deserialize, Serialize};

/// A set waits for its questions. Goes to the question-generation queue.
pub const QUESTION_GENERATION_REQUESTED: &str = "QUESTION_GENERATION_REQUESTED";
/// A set has its questions. Goes to notifications.
pub const QUESTION_SET_COMPLETED: &str = "QUESTION_SET_COMPLETED";
/// A set has no questions, and why. Goes to notifications.
pub const QUESTION_SET_FAILED: &str = "QUESTION_SET_FAILED";

/// Payload of [`QUESTION_GENERATION_REQUESTED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationRequested {
    /// Version of this payload.
    pub version: u32,
    /// The set.
    pub question_set_id: i64,
    /// Which attempt this is: the set's `retry_count` when it was asked for. A result of another attempt is dropped.
    pub attempt: i32,
}

/// Payload of [`QUESTION_SET_COMPLETED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetCompleted {
    /// Version of this payload.
    pub version: u32,
    /// The set.
    pub question_set_id: i64,
    /// Its owner.
    pub member_id: i64,
    /// Its title.
    pub title: String,
}

/// Payload of [`QUESTION_SET_FAILED`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetFailed {
    /// Version of this payload.
    pub version: u32,
    /// The set.
    pub question_set_id: i64,
    /// Its owner.
    pub member_id: i64,
    /// Its title.
    pub title: String,
    /// Stable code of the reason, such as `TIMEOUT`.
    pub reason: String,
    /// The reason in words, for the member.
    pub message: String,
    /// Whether it will be tried again by itself.
    pub will_retry: bool,
}

/// Events of one set are delivered in order.
fn key(question_set_id: i64) -> String {
    format!("question-set:{question_set_id}")
}

impl GenerationRequested {
    pub(super) fn event(question_set_id: i64, attempt: i32) -> Result<NewEvent, serde_json::Error> {
        let payload = serde_json::to_value(Self {
            version: 1,
            question_set_id,
            attempt,
        })?;
        Ok(NewEvent::new(
            QUESTION_GENERATION_REQUESTED,
            key(question_set_id),
            payload,
        ))
    }
}

impl SetCompleted {
    pub(super) fn event(self) -> Result<NewEvent, serde_json::Error> {
        let key = key(self.question_set_id);
        Ok(NewEvent::new(
            QUESTION_SET_COMPLETED,
            key,
            serde_json::to_value(self)?,
        ))
    }
}

impl SetFailed {
    pub(super) fn event(self) -> Result<NewEvent, serde_json::Error> {
        let key = key(self.question_set_id);
        Ok(NewEvent::new(
            QUESTION_SET_FAILED,
            key,
            serde_json::to_value(self)?,
        ))
    }
}
