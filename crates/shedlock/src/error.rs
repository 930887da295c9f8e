//! Errors that say what to do next.

use std::time::Duration;

use thiserror::Error;

/// A cause kept for the log, without naming the driver in the API.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a lock operation failed. After every variant from an acquisition the lock is *not* held: what
/// the database may have written all the same is released, or runs out with its lease.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// The row is not ours any more, or its lease has run out. Nothing was changed. Stop what the lock
    /// protects.
    #[error("lock {name:?} is not held by {locked_by:?} any more: stop what it protects")]
    Lost {
        /// The lock.
        name: String,
        /// The former holder.
        locked_by: String,
    },
    /// The provider was shut down in this process: nothing was asked of the database.
    #[error("the lock provider of this process was shut down: take no more locks")]
    ShutDown,
    /// A deadlock, a serialization failure or a busy database: nothing was changed, try again.
    #[error("the database gave way to a concurrent statement: nothing was changed, try again")]
    Contended(#[source] Cause),
    /// The database did not answer in time; whether it acted is unknown. Try again later.
    #[error(
        "the database did not answer within {0:?}: whether it acted is unknown, try again later"
    )]
    Timeout(Duration),
    /// The connection could not be made or was lost; whether the database acted is unknown. Try again
    /// later.
    #[error("no connection to the database, or it was lost: try again later")]
    Unavailable(#[source] Cause),
    /// A table or column is missing or of the wrong type: create them with [`crate::schema`], or ask
    /// [`crate::LockProvider::check_schema`] what is wrong.
    #[error("the lock tables are missing or of the wrong shape: create them (shedlock::schema)")]
    Schema(#[source] Cause),
    /// Any other refusal of the database, for instance a missing permission. Trying again will not help.
    #[error("the database refused a lock statement: see the cause")]
    Database(#[source] Cause),
}

impl LockError {
    /// Whether the same call may succeed later without anybody repairing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Contended(_) | Self::Timeout(_) | Self::Unavailable(_)
        )
    }
}

/// What [`crate::LockProvider::check_schema`] found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Every problem found, one a line, each with its remedy.
    #[error("the lock tables are not usable: {}", .0.join("; "))]
    Unusable(Vec<String>),
    /// The tables could not be looked at.
    #[error("the lock tables could not be checked")]
    Unchecked(#[from] LockError),
}
