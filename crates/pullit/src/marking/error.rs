//! Why answers cannot be marked.

use outbox::OutboxError;
use thiserror::Error;

use crate::platform::idempotency::OnceError;

/// Why a marking was refused or undone.
#[derive(Debug, Error)]
pub(super) enum MarkingError {
    /// A question is not the member's, does not exist, or its set was deleted.
    #[error("there is no such question: {0}")]
    QuestionNotFound(i64),
    /// The request cannot act once.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// Fewer results were stored than there are answers; the marking was undone.
    #[error("{stored} of {answers} results were stored")]
    Incomplete {
        /// Rows that the database has stored.
        stored: u64,
        /// Answers that were marked.
        answers: usize,
    },
    /// Results or the event could not be written; the marking was undone.
    #[error("results or their event could not be written: {0}")]
    Payload(#[from] serde_json::Error),
    /// The event could not be published; the marking was undone.
    #[error("an event could not be published: {0}")]
    Outbox(OutboxError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<OutboxError> for MarkingError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::Database(error),
            error => Self::Outbox(error),
        }
    }
}
