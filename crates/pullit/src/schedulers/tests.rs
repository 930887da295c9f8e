//! What the errors of the rooms mean to the scheduler.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use ground::FenceError;
use outbox::{OutboxError, RelayError};
use scheduler::SchedulerError;
use sqlx::error::{DatabaseError, ErrorKind};

use super::*;
use crate::source::CleanupError;

/// An error of PostgreSQL with this SQLSTATE.
#[derive(Debug)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.0)
    }
}

impl Error for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        "refused"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// The ways on which an error of the database reaches a run.
fn ways(code: &'static str) -> [RunError; 7] {
    let refused = || sqlx::Error::Database(Box::new(Refused(code)));
    [
        refused().into(),
        FenceError::Database(refused()).into(),
        OutboxError::Database(refused()).into(),
        RelayError::from(refused()).into(),
        SchedulerError::Store(refused()).into(),
        CleanupError::Database(refused()).into(),
        CleanupError::Fence(refused().into()).into(),
    ]
}

#[test]
fn a_conflict_is_retried_wherever_it_is_met() {
    for error in ways("40001") {
        let met = format!("{error:?}");
        let ended = JobError::from(error);
        assert!(
            matches!(ended, JobError::Conflict(_)),
            "{met} ended as {ended:?}"
        );
    }
}

#[test]
fn any_other_error_of_the_database_fails_the_run_with_its_words() {
    for error in ways("23505") {
        let met = format!("{error:?}");
        let ended = JobError::from(error);
        assert!(matches!(ended, JobError::Failed(_)), "{met}");
        let words = ground::chain(&ended);
        assert!(words.contains("refused with 23505"), "{words}");
    }
}

#[test]
fn a_run_without_its_lease_is_told_so_wherever_that_is_noticed() {
    let lost: [RunError; 3] = [
        FenceError::Lost.into(),
        RelayError::NotOwner.into(),
        CleanupError::Fence(FenceError::Lost).into(),
    ];
    for error in lost {
        assert!(matches!(JobError::from(error), JobError::LeaseLost));
    }
}
