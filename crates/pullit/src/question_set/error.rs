//! Why something cannot be done with a question set.

use std::time::Duration;

use outbox::OutboxError;
use thiserror::Error;

use crate::platform::idempotency::OnceError;

/// Why a member's request at this room was refused or undone.
#[derive(Debug, Error)]
pub enum QuestionSetError {
    /// There is no such set of this member.
    #[error("there is no such question set")]
    NotFound,
    /// A source that a set is asked for from is not the member's, or does not exist.
    #[error("there is no such source: {0}")]
    SourceNotFound(i64),
    /// A source that a set is asked for from could not be read, and why, in words for the member.
    #[error("a source could not be read: {0}")]
    SourceFailed(String),
    /// The set still waits for its questions.
    #[error("the questions are still being made")]
    Pending,
    /// The set has no questions, and why, in words for the member.
    #[error("the questions could not be made: {0}")]
    Failed(String),
    /// The member has asked for as many sets as a day has; the next day begins in this time.
    #[error("the member has asked for too many question sets today")]
    TooManyToday(Duration),
    /// As many sets of the member as may be are being made.
    #[error("too many question sets of the member are being made")]
    TooManyPending,
    /// The request cannot act once.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The event could not be written; the request was undone.
    #[error("an event could not be written: {0}")]
    Payload(#[from] serde_json::Error),
    /// The event could not be published; the request was undone.
    #[error("an event could not be published: {0}")]
    Outbox(OutboxError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<OutboxError> for QuestionSetError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::Database(error),
            error => Self::Outbox(error),
        }
    }
}
