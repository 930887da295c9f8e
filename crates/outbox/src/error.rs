//! Errors that say what to do next.

use ground::{Fault, FenceError};

/// Publishing, inbox or dead-letter work failed. The caller's transaction must be rolled back.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database refused the statement.
    #[error("the outbox statement failed; roll the transaction back: {0}")]
    Database(#[from] sqlx::Error),
    /// A row holds something that this version cannot read.
    #[error("outbox row cannot be read: {0}")]
    Unreadable(String),
}

impl OutboxError {
    /// Another transaction got in the way and the same work may succeed when repeated.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if Fault::of(error) == Fault::Conflict)
    }
}

/// Why a relay run ended early. What it had delivered before stays delivered.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another transaction got in the way (serialization, deadlock, busy). No attempt was counted; run again.
    #[error("the relay met a conflict, run it again: {0}")]
    Conflict(String),
    /// The fence lets this run write no more. Another owner may be at work, so stop.
    #[error("the relay stopped because it no longer owns its run")]
    NotOwner,
    /// The database failed. No attempt was counted; run again when it is back.
    #[error("the relay could not use the database: {0}")]
    Database(sqlx::Error),
}

impl RelayError {
    /// Whether the run should simply be repeated.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

impl From<sqlx::Error> for RelayError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Conflict => Self::Conflict(error.to_string()),
            _ => Self::Database(error),
        }
    }
}

impl From<FenceError> for RelayError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::Lost => Self::NotOwner,
            FenceError::Database(error) => error.into(),
        }
    }
}

/// Why a projection did not apply its events. Its transaction is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database failed. Conflicts and lost connections end the run without counting an attempt. Anything else, such
    /// as a broken constraint, counts as the fault of an event. The relay then searches for it.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Another transaction got in the way, as only the projection can see: a version has changed, for instance.
    #[error("conflict: {0}")]
    Conflict(String),
    /// This one event cannot be applied. The others can be tried without it.
    #[error("event {id} cannot be applied: {reason}")]
    Event {
        /// [`Event::id`](crate::Event::id) of the culprit.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// Some event cannot be applied. The relay finds out which.
    #[error("{0}")]
    Failed(String),
}

/// Why an event was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It may succeed later: the event backs off.
    #[error("{0}")]
    Failed(String),
    /// The destination cannot be reached, which is not the event's fault. The event backs off, but no attempt is counted.
    /// It never becomes dead for this.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It never will: the event becomes `DEAD` at once.
    #[error("refused: {0}")]
    Refused(String),
}

/// The routes of a relay contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The state of a delivery is stored under its destination's name. So a name must mean one destination.
    #[error("two destinations are named {0:?}; give each its own name")]
    SameName(String),
}
