use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Publishing, inbox or dead-letter work failed. The caller's transaction must be rolled back.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database refused the statement.
    #[error("the outbox statement failed; roll the transaction back: {0}")]
    Database(#[from] DbErr),
    /// A row holds something that this version cannot read.
    #[error("outbox row cannot be read: {0}")]
    Unreadable(String),
}

impl OutboxError {
    /// Another transaction got in the way and the same work may succeed when repeated.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(error) if is_conflict(error))
    }
}

/// Why a relay run ended early. What it had delivered before stays delivered.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another transaction got in the way (serialization, deadlock, busy). No attempt was counted; run again.
    #[error("the relay met a conflict, run it again: {0}")]
    Conflict(String),
    /// The guard no longer vouches for this run: another owner may be at work, so stop.
    #[error("the relay stopped because it no longer owns its run: {0}")]
    NotOwner(String),
    /// The database failed. No attempt was counted; run again when it is back.
    #[error("the relay could not use the database: {0}")]
    Database(DbErr),
}

impl RelayError {
    /// Whether the run should simply be repeated.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

impl From<DbErr> for RelayError {
    fn from(error: DbErr) -> Self {
        if is_conflict(&error) {
            Self::Conflict(error.to_string())
        } else {
            Self::Database(error)
        }
    }
}

impl From<GuardError> for RelayError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::NotOwner(reason) => Self::NotOwner(reason),
            GuardError::Database(error) => error.into(),
        }
    }
}

/// Why a projection did not apply its events. Its transaction is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database failed. Conflicts and lost connections end the run without counting an attempt; anything else
    /// (such as a broken constraint) is taken as the fault of an event, which the relay then looks for.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// Another transaction got in the way, in a way that only the projection can see (a version that moved).
    #[error("conflict: {0}")]
    Conflict(String),
    /// This one event cannot be applied; the others can be tried without it.
    #[error("event {id} cannot be applied: {reason}")]
    Event {
        /// [`Event::id`](crate::Event::id) of the culprit.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// Some event cannot be applied; the relay finds out which.
    #[error("{0}")]
    Failed(String),
}

/// Why an event was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It may succeed later: the event backs off.
    #[error("{0}")]
    Failed(String),
    /// The destination cannot be reached, which is not the event's fault: the event backs off, but no attempt is counted
    /// and it is never given up for this.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It never will: the event becomes `DEAD` at once.
    #[error("refused: {0}")]
    Refused(String),
}

/// Why a guard does not vouch for a run.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The run is no longer its owner's.
    #[error("{0}")]
    NotOwner(String),
    /// It could not be found out.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// The routes of a relay contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The state of a delivery is kept under its destination's name, so that a name must mean one destination.
    #[error("two destinations are named {0:?}; give each its own name")]
    SameName(String),
}

/// Whether repeating the same transaction may succeed: serialization failure, deadlock, lock not available, or busy.
#[must_use]
pub fn is_conflict(error: &DbErr) -> bool {
    let Some(SqlxError::Database(error)) = driver_error(error) else {
        return false;
    };
    error.code().is_some_and(|code| match code.as_ref() {
        "40001" | "40P01" | "55P03" => true,
        // SQLite's extended codes keep the primary one (5 busy, 6 locked) in the low byte.
        code if code.len() < 5 => code
            .parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
        _ => false,
    })
}

/// Whether the database as a whole is at fault (connection, pool, shutdown, resources), and no event.
pub(crate) fn is_outage(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return true;
    }
    match driver_error(error) {
        Some(SqlxError::Database(error)) => error.code().is_some_and(|code| {
            let code = code.as_ref();
            let sqlite = (code.len() < 5)
                .then(|| code.parse::<u32>().ok())
                .flatten()
                .map(|code| code & 0xff);
            // SQLite: read-only, I/O error, corrupt, full, cannot open.
            matches!(sqlite, Some(8 | 10 | 11 | 13 | 14))
                || ["08", "53", "57", "58", "XX"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class))
        }),
        Some(
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed,
        ) => true,
        _ => false,
    }
}

fn driver_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error.as_ref()),
        _ => None,
    }
}
